//! Which completion port a handle is bound to: ours, or none that we know of.
//!
//! The binding, and the modes that go with it, belong to the *file object*, which all owners of a
//! handle share. So only an end without other handles is bound, and a bound end is not handed on
//! unless the caller insists.

use std::io;
use std::sync::Arc;

use super::{Bound, Channel, Issuer, SlotId, System};
use crate::channel::Key;
use crate::contract::Failure;

/// How the completions of submitted operations arrive.
#[derive(Default)]
pub(super) enum Binding<S: System> {
    /// No operation was submitted yet.
    #[default]
    None,
    /// Through our port.
    Port {
        key: Key<S>,
        /// Whether an operation that succeeds at once sends no packet.
        skips: bool,
    },
    /// Through an event for each operation: the handle may have other owners, or is bound to a port
    /// that is not ours.
    Events,
}

/// What submitting an operation depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Port { skips: bool },
    Event,
}

impl<S: System> Binding<S> {
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The route of an operation of `channel`; the first call decides it.
    pub(super) fn route(&mut self, channel: &Arc<Channel<S>>) -> io::Result<Route> {
        if self.is_none() {
            *self = if channel.exclusive { Self::bind(channel)? } else { Self::Events };
        }
        Ok(self.known_route())
    }

    /// The route of operations, once one was submitted.
    pub(super) fn known_route(&self) -> Route {
        match self {
            Self::Port { skips, .. } => Route::Port { skips: *skips },
            Self::None | Self::Events => Route::Event,
        }
    }

    /// Makes the driver look at an operation, as if it were complete.
    pub(super) fn post(&self, id: SlotId) -> io::Result<()> {
        match self {
            Self::Port { key, .. } => S::Issuer::post(key.poller(), key.number(), id),
            Self::None | Self::Events => Ok(()),
        }
    }

    fn bind(channel: &Arc<Channel<S>>) -> io::Result<Self> {
        let key = Key::new(channel.attachment.driver()?, channel);
        Ok(match channel.issuer.bind(key.poller(), key.number())? {
            Bound::Here { skips } => Self::Port { key, skips },
            Bound::Elsewhere => Self::Events,
        })
    }

    /// Whether the handle may go to another owner as it is.
    pub(super) fn check_unbound(&self) -> Result<(), Failure> {
        match self {
            Self::None | Self::Events => Ok(()),
            Self::Port { .. } => Err(Failure::refused(
                io::ErrorKind::Unsupported,
                "since the first operation that was submitted or polled, it is bound to a completion port of this process, \
                 which the handle's next owner would share: convert an end before that, or with into_handle_still_bound",
            )),
        }
    }

    /// Gives up the handle's packets. Unbinds the handle where the system can do so.
    pub(super) fn let_go(&mut self, issuer: &S::Issuer) {
        if let Self::Port { .. } = self {
            issuer.unbind();
        }
        *self = Self::None;
    }
}
