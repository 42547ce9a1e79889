//! The newest headers, linked by their parents' hashes: how a reorganisation is found. Pure.

use crate::wire::Header;
use alloy::primitives::B256;
use std::collections::VecDeque;

/// The chain moved while it was being read; what was read does not fit together. Ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chain moved while it was being read")]
pub(crate) struct Moved;

/// A chain of headers without gaps, its newest ones only.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    headers: VecDeque<Header>,
    keep: usize,
}

impl Window {
    pub(crate) fn new(keep: usize) -> Self {
        Self { headers: VecDeque::new(), keep: keep.max(1) }
    }

    pub(crate) fn keep(&self) -> u64 {
        self.keep as u64
    }

    pub(crate) fn tip(&self) -> Option<&Header> {
        self.headers.back()
    }

    pub(crate) fn lowest(&self) -> Option<u64> {
        self.headers.front().map(|header| header.number.0)
    }

    /// The header of a block, if it is in the window.
    pub(crate) fn header(&self, number: u64) -> Option<&Header> {
        let at = usize::try_from(number.checked_sub(self.lowest()?)?).ok()?;
        self.headers.get(at)
    }

    /// Its hash.
    pub(crate) fn hash(&self, number: u64) -> Option<B256> {
        self.header(number).map(|header| header.hash)
    }

    /// True if an event said to be in that block can be: the block is ours, or below what we remember.
    pub(crate) fn agrees(&self, number: u64, hash: B256) -> bool {
        match self.hash(number) {
            Some(known) => known == hash,
            None => self.lowest().is_none_or(|lowest| number < lowest),
        }
    }

    /// Forgets blocks above that one.
    pub(crate) fn undo_above(&mut self, height: u64) {
        while self.headers.back().is_some_and(|header| header.number.0 > height) {
            self.headers.pop_back();
        }
    }

    /// Adds headers that follow each other and the tip. A window that is empty, or that they don't touch, starts anew.
    pub(crate) fn extend(&mut self, headers: &[Header]) -> Result<(), Moved> {
        let linked = |parent: &Header, child: &Header| {
            Some(child.number.0) == parent.number.0.checked_add(1) && child.parent_hash == parent.hash
        };
        if !headers.iter().zip(headers.iter().skip(1)).all(|(parent, child)| linked(parent, child)) {
            return Err(Moved);
        }
        let Some(first) = headers.first() else { return Ok(()) };
        let touches = self.tip().is_some_and(|tip| first.number.0 <= tip.number.0.saturating_add(1));
        if touches && !self.tip().is_some_and(|tip| linked(tip, first)) {
            return Err(Moved);
        }
        if !touches {
            self.headers.clear();
        }
        self.headers.extend(headers.iter().copied());
        let surplus = self.headers.len().saturating_sub(self.keep);
        self.headers.drain(..surplus);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Number;
    use proptest::prelude::*;

    fn block(number: u64, fork: u8) -> Header {
        let hash = |number: u64, fork: u8| {
            let mut hash = B256::repeat_byte(fork);
            hash[..8].copy_from_slice(&number.to_be_bytes());
            hash
        };
        Header {
            number: Number(number),
            hash: hash(number, fork),
            parent_hash: hash(number.wrapping_sub(1), fork),
            timestamp: Number(number),
            base_fee_per_gas: None,
        }
    }

    #[test]
    fn a_header_of_another_fork_does_not_fit() {
        let mut window = Window::new(10);
        window.extend(&[block(1, 1), block(2, 1)]).unwrap();
        assert_eq!(window.extend(&[block(3, 2)]), Err(Moved));
        assert_eq!(window.extend(&[block(3, 1), block(4, 2)]), Err(Moved));
        assert_eq!(window.extend(&[block(2, 2)]), Err(Moved));
        window.extend(&[block(3, 1)]).unwrap();
        assert!(window.agrees(3, block(3, 1).hash) && !window.agrees(3, block(3, 2).hash));
        assert!(window.agrees(0, block(0, 2).hash), "below the window nothing is known");
        assert!(!window.agrees(4, block(4, 1).hash), "above the tip nothing is ours");
    }

    proptest! {
        #[test]
        fn a_window_is_always_a_chain_and_never_grows(steps in proptest::collection::vec((1u64..6, 0u64..6), 1..40)) {
            let (mut window, mut tip) = (Window::new(8), 0);
            for (grow, back) in steps {
                let keep = tip - back.min(tip);
                window.undo_above(keep);
                let from = window.tip().map_or(keep, |tip| tip.number.0) + 1;
                let new: Vec<_> = (from..from + grow).map(|number| block(number, 1)).collect();
                window.extend(&new).unwrap();
                tip = from + grow - 1;
                prop_assert!(window.headers.len() <= 8);
                prop_assert_eq!(window.tip().map(|tip| tip.number.0), Some(tip));
                let headers: Vec<_> = window.headers.iter().collect();
                prop_assert!(headers.windows(2).all(|pair| pair[1].parent_hash == pair[0].hash));
            }
        }
    }
}
