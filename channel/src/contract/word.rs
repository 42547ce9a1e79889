//! Reading a channel's slot.

use super::state::Open;
use crate::key::Epoch;
use crate::split::Holdings;
use crate::units::Units;

/// What the one word of a channel's slot says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// There is no such channel.
    Empty,
    /// It is open.
    Open(Open),
    /// It is closed; the rest is in its logs.
    Closed(Epoch),
}

impl Word {
    /// Reads a word as the contract's storage holds it.
    pub fn read(word: &[u8; 32]) -> Self {
        if *word == [0; 32] {
            return Word::Empty;
        }
        let epoch = Epoch((bits(word, 223, 32) & u128::from(u32::MAX)) as u32);
        if bits(word, 255, 1) == 1 {
            return Word::Closed(epoch);
        }
        let total = Units::new(bits(word, 0, 96)).unwrap_or(Units::MAX);
        // It has 97 bits and a bias of 2^96, so it fits.
        let net_a = i128::try_from(bits(word, 96, 97)).unwrap_or(i128::MAX) - (1 << 96);
        let withdrawals = bits(word, 193, 30) as u32;
        let epoch = Epoch(bits(word, 223, 32) as u32);
        Word::Open(Open { epoch, withdrawals, holdings: Holdings { total, net_a } })
    }

    /// Which life of the channel it is; none where there is none.
    pub const fn epoch(&self) -> Option<Epoch> {
        match self {
            Word::Empty => None,
            Word::Open(open) => Some(open.epoch),
            Word::Closed(epoch) => Some(*epoch),
        }
    }
}

/// So many bits (at most 127) from that one up.
fn bits(word: &[u8; 32], from: u32, width: u32) -> u128 {
    let (high, low) = word.split_at(16);
    let number = |half: &[u8]| half.iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
    let (high, low) = (number(high), number(low));
    let shifted = match from {
        0 => low,
        1..128 => low >> from | high << (128 - from),
        128.. => high >> (from - 128),
    };
    shifted & ((1 << width) - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_open_slot_reads_back(
            total in 0u128..1 << 95,
            net_a in -(1i128 << 95)..1 << 96,
            withdrawals in 0u32..1 << 30,
            epoch in 1u32..=u32::MAX,
        ) {
            let holdings = Holdings { total: Units::new(total).unwrap(), net_a };
            let open = Open { epoch: Epoch(epoch), withdrawals, holdings };
            prop_assert_eq!(Word::read(&open.word()), Word::Open(open));
        }
    }

    #[test]
    fn an_empty_slot_is_no_channel() {
        assert_eq!(Word::read(&[0; 32]), Word::Empty);
    }
}
