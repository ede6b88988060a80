//! What a child does itself, between fork and exec, because std has no stable call for it.
//!
//! # References
//!
//! - [setgroups(2)](https://man7.org/linux/man-pages/man2/setgroups.2.html)
//! - [setsid(2)](https://man7.org/linux/man-pages/man2/setsid.2.html)
//! - [signal-safety(7)](https://man7.org/linux/man-pages/man7/signal-safety.7.html)

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::parent_death::{self, Parent};
use crate::sys::SpawnOptions;

/// Who a child runs as.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
}

/// The steps of the next child. std keeps what a child is to run, so that is one closure, which
/// finds its orders here.
#[derive(Debug, Default)]
pub(super) struct InChild {
    orders: Arc<Mutex<Orders>>,
    /// Whether the command has the closure. Without it std starts children faster.
    is_installed: bool,
    /// Whether the command was told a process group.
    pub(super) has_group: bool,
}

#[derive(Debug, Default)]
struct Orders {
    setsid: bool,
    /// Present if there are groups: these have to be set while the child may still do so.
    identity: Option<Identity>,
    parent: Option<Parent>,
}

impl InChild {
    /// Gives the orders for one spawn.
    pub(super) fn prepare(&mut self, command: &mut Command, identity: &Identity, setsid: bool, options: &SpawnOptions) {
        let with_groups = identity.groups.is_some();
        if !with_groups {
            // std has these, and knows what else they need.
            identity.gid.map(|id| command.gid(id));
            identity.uid.map(|id| command.uid(id));
        }
        let orders = Orders {
            setsid,
            identity: with_groups.then(|| identity.clone()),
            parent: options.die_with_parent.then(Parent::this_process),
        };
        let has_orders = setsid || with_groups || options.die_with_parent;
        *self.orders.lock().unwrap_or_else(PoisonError::into_inner) = orders;
        if has_orders && !self.is_installed {
            let orders = Arc::clone(&self.orders);
            // SAFETY: the closure makes system calls that may be made after a fork, and neither
            // allocates nor waits: the lock is free, because only the thread that starts the child
            // uses it, and it does not hold it while it starts one.
            unsafe {
                command.pre_exec(move || match orders.try_lock() {
                    Ok(orders) => orders.carry_out(),
                    Err(_) => Err(io::Error::from_raw_os_error(libc::EDEADLK)),
                });
            }
            self.is_installed = true;
        }
    }

    /// The next child has orders of its own.
    pub(super) fn forget(&mut self) {
        *self.orders.lock().unwrap_or_else(PoisonError::into_inner) = Orders::default();
    }
}

impl Orders {
    /// In the child: nothing here allocates.
    fn carry_out(&self) -> io::Result<()> {
        if self.setsid {
            rustix::process::setsid()?;
        }
        if let Some(identity) = &self.identity {
            become_user(identity)?;
        }
        match &self.parent {
            Some(parent) => parent_death::end_with(parent),
            None => Ok(()),
        }
    }
}

/// The groups first, and the user last: no other order is allowed to a process that gives up
/// privileges.
fn become_user(identity: &Identity) -> io::Result<()> {
    if let Some(groups) = &identity.groups {
        // What is too much for the type is too much for the system, too.
        #[allow(clippy::useless_conversion, reason = "the systems have different types for it")]
        let count = groups.len().try_into().unwrap_or(libc::c_int::MAX as _);
        // SAFETY: as many ids as are announced, in memory that lives during the call.
        check(unsafe { libc::setgroups(count, groups.as_ptr()) })?;
    }
    if let Some(id) = identity.gid {
        // SAFETY: takes a number.
        check(unsafe { libc::setgid(id) })?;
    }
    if let Some(id) = identity.uid {
        // SAFETY: takes a number.
        check(unsafe { libc::setuid(id) })?;
    }
    Ok(())
}

pub(super) fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
