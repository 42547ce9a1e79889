//! The records of calls, read back: what somebody else has shown to the contract.

use super::list::Record;
use crate::eip712::keccak;
use crate::lock::{LockNo, MOST_LOCKS, Pending};
use crate::sign::Signature;
use crate::units::Units;
use photon_chains::{Expiry, Secret, SecretHash};

/// Bits of a record's kind.
const TAKE: u8 = 1;
const SECRET: u8 = 2;
const OWN_WORD: u8 = 4;
const OWN_NUMBER: u8 = 8;
const DISPOSAL: u8 = 16;

const FULL: &str = "uint256,address,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,bytes32";

/// The list of locks that a call shows: all records of a close, an unlock or a release. None for any other call, and for what is
/// no list. A call that another contract has passed on is not found out.
pub fn records_in(input: &[u8]) -> Option<Vec<Record>> {
    let (selector, rest) = input.split_at_checked(4)?;
    let is = |signature: &str| keccak(signature.as_bytes()).starts_with(selector);
    // So many words stand before them.
    let words = if is("close(uint256,address,uint256,bytes32,bytes32,bytes32)") {
        6
    } else if is("unlock(uint256,uint256,bytes32)") {
        // Bit 160 of the second word says that two more follow.
        if rest.get(32 + 11).is_some_and(|flag| flag & 1 == 1) { 5 } else { 3 }
    } else if is("unlockFor(uint256,uint256,bytes32,uint256,bytes32,uint256,bytes32,bytes32)") {
        8
    } else if is(&format!("unlockLate({FULL},uint256,bytes32,bytes32)")) {
        15
    } else if is(&format!("release({FULL},uint256)")) {
        13
    } else {
        return None;
    };
    // Zeros at the end may be left off, records and all.
    read(rest.get(words * 32..).unwrap_or_default())
}

fn read(mut bytes: &[u8]) -> Option<Vec<Record>> {
    let (mut all, mut word, mut last) = (Vec::new(), [0; 16], 0u64);
    while !bytes.is_empty() && all.len() < MOST_LOCKS {
        let x = take::<32>(&mut bytes)?;
        let [kind] = take(&mut bytes)?;
        let amount = take::<12>(&mut bytes)?.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
        if kind & OWN_WORD != 0 {
            word = take(&mut bytes)?;
        }
        let number = if kind & OWN_NUMBER != 0 { u64::from_be_bytes(take(&mut bytes)?) } else { last.wrapping_add(1) };
        let disposal = if kind & DISPOSAL != 0 { Some(signature(take(&mut bytes)?, take(&mut bytes)?)) } else { None };
        let secret = (kind & SECRET != 0).then(|| Secret::from_bytes(x));
        let secret_hash = secret.as_ref().map_or(SecretHash::from_bytes(x), Secret::hash);
        let lock = Pending { number: LockNo(number), secret_hash, amount: Units::new(amount)?, expiry: expiry(&word)? };
        all.push(Record { lock, take: kind & TAKE != 0, secret, disposal });
        last = number;
    }
    bytes.is_empty().then_some(all)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

/// From the short form of a lock's word: linked 8 | closes 40 | block 40 | opens 40, from the first byte on.
fn expiry(short: &[u8; 16]) -> Option<Expiry> {
    let [linked, rest @ ..] = short;
    let mut long = [0; 32];
    long.iter_mut().skip(11).take(1).for_each(|byte| *byte = *linked);
    long.iter_mut().skip(17).zip(rest).for_each(|(to, byte)| *to = *byte);
    Expiry::from_word(&long).ok()
}

/// From r and vs.
fn signature(r: [u8; 32], vs: [u8; 32]) -> Signature {
    let [high, rest @ ..] = vs;
    let mut bytes = [0; 65];
    let all = r.into_iter().chain([high & 0x7f]).chain(rest).chain([27 + (high >> 7)]);
    bytes.iter_mut().zip(all).for_each(|(to, byte)| *to = byte);
    Signature::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::contract::{By, Call, Closed, Dispute, Income, Open, Shown};
    use crate::{Both, ChannelKey, Commitment, Epoch, Holdings, Moment, Nonce, Side, Window};
    use photon_chains::{Address, BlockHeight, UnixTime};

    fn records() -> Vec<Record> {
        let lock = |number: u64, end: u64, linked: bool| Pending {
            number: LockNo(number),
            secret_hash: Secret::from_bytes([number as u8; 32]).hash(),
            amount: Units::from(1_000 + number),
            expiry: Expiry { opens_block: BlockHeight::new(7), linked, ..Expiry::at(UnixTime::from_secs(end)) },
        };
        let signature = signature([1; 32], [0x80; 32]);
        vec![
            Record { lock: lock(1, 50, true), take: true, secret: None, disposal: None },
            Record { lock: lock(9, 50, true), take: true, secret: Some(Secret::from_bytes([9; 32])), disposal: None },
            Record { lock: lock(10, 60, false), take: false, secret: None, disposal: Some(signature) },
        ]
    }

    #[test]
    fn what_a_call_shows_is_read_back_to_the_last_lock() {
        let [a, b] = [1, 2].map(|byte| Address::from_bytes([byte; 20]));
        let key = ChannelKey::new(None, a, b, Window::SHORTEST).unwrap();
        let signature = signature([1; 32], [2; 32]);
        let shown = Shown { nonce: Nonce(3), transferred: Units::ZERO, pending: Commitment::default(), signature };
        let money = Open { epoch: Epoch(5), withdrawals: 0, holdings: Holdings::default() };
        let since = Moment { time: UnixTime::from_secs(9), block: BlockHeight::new(9) };
        let mut incomes: Both<Income> = Both::default();
        let closed = |incomes| Box::new(Closed { epoch: Epoch(5), closer: Side::A, since, money, incomes });
        let plain = closed(incomes);
        incomes.b.list.taken = [1; 32];
        let touched = closed(incomes);
        let dispute = |state: &Closed, what| Call::Dispute(Box::new(state.clone()), what);
        let (records, by) = (records(), By::Party);
        let calls = [
            Call::Close { shown, records: records.clone() },
            dispute(&plain, Dispute::Unlock { records: records.clone(), by }),
            dispute(&touched, Dispute::Unlock { records: records.clone(), by }),
            dispute(&touched, Dispute::UnlockLate { records: records.clone(), by }),
            dispute(&plain, Dispute::Release { of: Side::B, records: records.clone() }),
        ];
        for call in calls {
            assert_eq!(records_in(&call.input(&b, &key)).as_ref(), Some(&records), "{call:?}");
        }
        assert_eq!(records_in(&Call::Close { shown, records: Vec::new() }.input(&b, &key)), Some(Vec::new()));
        assert_eq!(records_in(&dispute(&plain, Dispute::Settle).input(&b, &key)), None);
    }

    #[test]
    fn what_is_cut_short_or_longer_than_any_list_is_none() {
        let selector = keccak(b"release(uint256)");
        assert_eq!(records_in(selector.split_at(4).0), None);
        let close = keccak(b"close(uint256,address,uint256,bytes32,bytes32,bytes32)");
        let with = |more: usize| [close.split_at(4).0, &[0; 6 * 32], &vec![0; more]].concat();
        assert_eq!(records_in(&with(44)), None, "half a record");
        assert_eq!(records_in(&with(45 * (MOST_LOCKS + 1))), None);
    }
}
