//! Where a crash is tried out: every place at which stopping for good might cost something.
//!
//! A point stands in the few places through which all of a kind must pass (each write of the store, each transaction handed
//! to a node, each message), so that a new step has its points by itself. Without the feature `crash` there is nothing here:
//! the compiler leaves a point out, its name included. With it, a test's program may listen.

use std::fmt;

/// What a test's program does at points, and what it calls now.
#[cfg(feature = "crash")]
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    /// Hears the name of each point as it is passed.
    pub passed: fn(fmt::Arguments<'_>),
    /// Unix seconds, where the test keeps the time.
    pub now_secs: fn() -> Option<u64>,
}

#[cfg(feature = "crash")]
static LISTENER: std::sync::OnceLock<Listener> = std::sync::OnceLock::new();

/// Whoever listens first, listens for good.
#[cfg(feature = "crash")]
pub fn listen(listener: Listener) {
    let _ = LISTENER.set(listener);
}

/// Passes a point of that name.
#[inline(always)]
pub fn point(name: fmt::Arguments<'_>) {
    #[cfg(feature = "crash")]
    if let Some(listener) = LISTENER.get() {
        (listener.passed)(name);
    }
    #[cfg(not(feature = "crash"))]
    let _ = name;
}

/// Unix seconds, where a test keeps the time. None otherwise: ask the machine.
#[inline(always)]
pub fn test_clock_secs() -> Option<u64> {
    #[cfg(feature = "crash")]
    return LISTENER.get().and_then(|listener| (listener.now_secs)());
    #[cfg(not(feature = "crash"))]
    None
}
