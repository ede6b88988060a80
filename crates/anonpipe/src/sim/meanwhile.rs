//! What another thread does in the middle of a call.
//!
//! A program has one thread. So that calls of two threads overlap all the same, the kernel does the
//! other thread's in the middle of the program's, where the program's call asks the system for
//! something. Chance says where.

use std::cell::RefCell;

use super::chance;

type Call = Box<dyn FnOnce()>;

/// What the other thread has yet to do.
struct Meanwhile {
    act: Option<Call>,
    /// After that it turns the drivers. Their reports may take every lock.
    turn: Option<Call>,
}

thread_local! {
    static MEANWHILE: RefCell<Option<Meanwhile>> = const { RefCell::new(None) };
}

/// Until [`end`], another thread is about to `act`, and then to `turn` the drivers. It acts on an
/// end of its own, whose locks the program's call does not take.
#[cfg(not(loom))]
pub(crate) fn begin(act: Call, turn: Call) {
    MEANWHILE.set(Some(Meanwhile { act: Some(act), turn: Some(turn) }));
}

/// The call is over. What the other thread has not done yet, it does now; only the turn can wait.
#[cfg(not(loom))]
pub(crate) fn end() {
    if let Some(act) = MEANWHILE.take().and_then(|meanwhile| meanwhile.act) {
        act();
    }
}

/// Forgets what a call that panicked has left behind.
#[cfg(not(loom))]
pub(crate) fn forget() {
    MEANWHILE.take();
}

/// A moment at which the program's thread may hold locks of its own end.
pub(crate) fn in_the_kernel() {
    let act = MEANWHILE.with_borrow_mut(|meanwhile| {
        let act = &mut meanwhile.as_mut()?.act;
        if act.is_some() && chance::one_in(3) { act.take() } else { None }
    });
    if let Some(act) = act {
        alone(act);
    }
}

/// A moment at which the program's thread holds no lock.
pub(crate) fn between_locks() {
    in_the_kernel();
    let turn = MEANWHILE.with_borrow_mut(|meanwhile| {
        let meanwhile = meanwhile.as_mut().filter(|meanwhile| meanwhile.act.is_none())?;
        if meanwhile.turn.is_some() && chance::one_in(2) { meanwhile.turn.take() } else { None }
    });
    if let Some(turn) = turn {
        turn();
    }
}

/// Calls `f`, which the other thread does not interrupt: because it is the other thread's, or turns
/// a driver.
pub(crate) fn alone<R>(f: impl FnOnce() -> R) -> R {
    let kept = MEANWHILE.take();
    let result = f();
    MEANWHILE.set(kept);
    result
}
