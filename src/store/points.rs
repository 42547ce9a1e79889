//! The points of [`photon_chains::crash`] at which the store may be stopped: before and after each commit, once for each write
//! in it. A write is named by the method that asked for it and by what it says it writes, so a new one has its points by itself.

use std::fmt;

#[cfg(feature = "demo")]
pub(super) use listening::{detail, pass, pass_last, written};

/// Whether anybody may be stopped there: else nobody has to say what is written.
pub(super) const ARE_THERE: bool = cfg!(feature = "demo");

/// Notes what the write that runs on this thread writes.
#[cfg(not(feature = "demo"))]
#[inline(always)]
pub(super) fn detail(_: fmt::Arguments<'_>) {}

/// A write has run, as part of the open transaction. `F` is what the store's method gave the writer to do.
#[cfg(not(feature = "demo"))]
#[inline(always)]
pub(super) fn written<F>() {}

/// Passes a point for each write in the open transaction.
#[cfg(not(feature = "demo"))]
#[inline(always)]
pub(super) fn pass(_: &'static str) {}

/// The same, and the transaction is over.
#[cfg(not(feature = "demo"))]
#[inline(always)]
pub(super) fn pass_last(_: &'static str) {}

#[cfg(feature = "demo")]
mod listening {
    use super::fmt;
    use photon_chains::crash;
    use std::cell::RefCell;

    thread_local! {
        /// Of the write that runs.
        static DETAILS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        /// The writes of the open transaction.
        static WRITES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    /// Notes what the write that runs on this thread writes.
    pub(in crate::store) fn detail(what: fmt::Arguments<'_>) {
        DETAILS.with_borrow_mut(|details| details.push(what.to_string()));
    }

    /// A write has run, as part of the open transaction. `F` is what the store's method gave the writer to do.
    pub(in crate::store) fn written<F>() {
        let details = DETAILS.take();
        let method = method(std::any::type_name::<F>());
        WRITES.with_borrow_mut(|writes| writes.push(format!("{method}({})", details.join(" "))));
    }

    /// Passes a point for each write in the open transaction.
    pub(in crate::store) fn pass(moment: &'static str) {
        WRITES.with_borrow(|writes| writes.iter().for_each(|write| crash::point(format_args!("store.{moment}.{write}"))));
    }

    /// The same, and the transaction is over.
    pub(in crate::store) fn pass_last(moment: &'static str) {
        pass(moment);
        WRITES.take();
    }

    /// The method in whose body a closure stands, from the closure's name.
    fn method(closure: &'static str) -> &'static str {
        closure.split("::").filter(|part| !part.starts_with("{{")).last().unwrap_or(closure)
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn a_write_is_named_by_its_method() {
            let closure = "photon::store::facts::<impl photon::store::Store>::commit_step::{{closure}}::{{closure}}";
            assert_eq!(super::method(closure), "commit_step");
        }
    }
}
