//! Calls as the bytes that `contracts/src/IChannels.sol` takes.

use super::open::Consent;
use super::state::Closed;
use super::{By, Call, Dispute, Record};
use crate::eip712::{Abi, keccak};
use crate::key::{ChannelKey, Side};
use crate::sign::Signature;
use photon_chains::{Address, Expiry};

type Words = Vec<[u8; 32]>;

/// How a call is written, where there is a choice. All mean the same to the contract.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether `depositFor` is used for one's own deposit too.
    pub for_self: bool,
    /// Whether words are written out that could be left to the record before.
    pub wordy: bool,
    /// Whether words at the end that are zero are left off, and the closer where it is the sender.
    pub short: bool,
}

impl Style {
    /// What costs the least.
    pub const CHEAPEST: Style = Style { for_self: false, wordy: false, short: true };

    fn shorten(self, words: &mut Words) {
        while self.short && words.last() == Some(&[0; 32]) {
            words.pop();
        }
    }
}

impl Call {
    /// The call's bytes, at the least cost. The sender is a party where the call is a party's to make.
    pub fn input(&self, sender: &Address, key: &ChannelKey) -> Vec<u8> {
        self.input_in(sender, key, Style::CHEAPEST)
    }

    /// The call's bytes, in that style.
    pub fn input_in(&self, sender: &Address, key: &ChannelKey, style: Style) -> Vec<u8> {
        let parties = key.parties();
        let asset = key.asset();
        let peer = parties.of(if *sender == parties.a { Side::B } else { Side::A });
        match self {
            Call::Deposit { of, amount, brought: _ } => {
                let peer = parties.of(of.other());
                // The coin's amount is what is sent along.
                let amount = if key.token().is_some() { *amount } else { 0 };
                let words = vec![asset, pack(&[(20, peer.as_bytes()), (12, &amount.to_be_bytes())])];
                if parties.of(*of) == sender && !style.for_self {
                    function("deposit(uint256,uint256)", words)
                } else {
                    function("depositFor(uint256,uint256,address)", [words, vec![word_of(parties.of(*of))]].concat())
                }
            }
            Call::CooperativeClose { paid_to_a, deadline, consent } => {
                let paid = pack(&[(12, &paid_to_a.unsigned_abs().to_be_bytes()), (1, &[u8::from(*paid_to_a < 0)])]);
                let names = [
                    "cooperativeClose(uint256,uint256,uint256,bytes32,bytes32)",
                    "cooperativeCloseFor(uint256,uint256,address,uint256,bytes32,bytes32,bytes32,bytes32)",
                ];
                consented(names, key, peer, deadline.secs(), paid, consent)
            }
            Call::Withdraw { amounts, deadline, consent } => {
                let amounts = pack(&[(12, &amounts.a.to_be_bytes()), (12, &amounts.b.to_be_bytes())]);
                let names = [
                    "withdraw(uint256,uint256,uint256,bytes32,bytes32)",
                    "withdrawFor(uint256,uint256,address,uint256,bytes32,bytes32,bytes32,bytes32)",
                ];
                consented(names, key, peer, deadline.secs(), amounts, consent)
            }
            Call::Close { shown, records } => {
                let (r, vs) = shown.signature.compact();
                let words = vec![asset, word_of(peer), shown.income().figures(), r, vs, shown.pending.locks];
                let mut input = function("close(uint256,address,uint256,bytes32,bytes32,bytes32)", words);
                input.extend(packed(records, style));
                if records.is_empty() && style.short {
                    input.truncate(input.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1);
                }
                input
            }
            Call::Dispute(state, what) => dispute(sender, key, state, what, style),
        }
    }
}

/// Fields from bit 0 up, each with its width in bytes; of a longer value the last bytes count.
fn pack(fields: &[(usize, &[u8])]) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(32);
    for (width, value) in fields {
        let start = bytes.len();
        bytes.extend(value.iter().rev().take(*width));
        bytes.resize(start + width, 0);
    }
    let mut word = [0; 32];
    word.iter_mut().rev().zip(bytes).for_each(|(to, byte)| *to = byte);
    word
}

fn word_of(account: &Address) -> [u8; 32] {
    pack(&[(20, account.as_bytes())])
}

fn flag(is_so: bool) -> [u8; 32] {
    pack(&[(1, &[u8::from(is_so)])])
}

fn function(signature: &str, words: Words) -> Vec<u8> {
    let mut input = keccak(signature.as_bytes()).split_at(4).0.to_vec();
    input.extend(words.concat());
    input
}

fn consented(
    [by_party, by_anyone]: [&str; 2],
    key: &ChannelKey,
    peer: &Address,
    deadline: u64,
    terms: [u8; 32],
    consent: &Consent,
) -> Vec<u8> {
    let with = |party: &Address| pack(&[(20, party.as_bytes()), (5, &deadline.to_be_bytes())]);
    match consent {
        Consent::Counterparty(signature) => {
            let (r, vs) = signature.compact();
            function(by_party, vec![key.asset(), with(peer), terms, r, vs])
        }
        Consent::Both(signatures) => {
            let parties = key.parties();
            let ((ra, va), (rb, vb)) = (signatures.a.compact(), signatures.b.compact());
            function(by_anyone, vec![key.asset(), with(&parties.a), word_of(&parties.b), terms, ra, va, rb, vb])
        }
    }
}

/// A delegation's terms and signature; zeros where the side acts itself.
fn delegation(by: &By) -> Words {
    match by {
        By::Party => vec![[0; 32]; 3],
        By::Delegate { rights, deadline, signature } => {
            let (r, vs) = signature.compact();
            vec![pack(&[(5, &deadline.secs().to_be_bytes()), (1, &[*rights])]), r, vs]
        }
    }
}

/// The same, with the side that has named the delegate.
fn named(payee: &Address, by: &By) -> Words {
    let mut words = delegation(by);
    if let Some(terms) = words.first_mut() {
        *terms = pack(&[(20, payee.as_bytes()), (6, terms.as_slice())]);
    }
    words
}

const FULL: &str = "uint256,address,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,bytes32";

/// The whole state, as some calls show it.
fn in_full(sender: &Address, key: &ChannelKey, state: &Closed, style: Style) -> Words {
    let other = state.closer.other();
    let (closer_income, other_income) = (state.incomes.of(state.closer), state.incomes.of(other));
    let (closers, others) = (closer_income.list, other_income.list);
    let closer = key.parties().of(state.closer);
    let is_said = sender != closer || !style.short;
    vec![
        key.asset(),
        if is_said { word_of(closer) } else { [0; 32] },
        with_clock(state, key.parties().of(other)),
        state.money(),
        other_income.figures(),
        pack(&[(12, &closer_income.locked.get().to_be_bytes())]),
        closers.locks,
        closers.touched.word(),
        closers.taken,
        others.locks,
        others.touched.word(),
        others.taken,
    ]
}

fn with_clock(state: &Closed, account: &Address) -> [u8; 32] {
    pack(&[(20, account.as_bytes()), (10, &state.clock())])
}

fn dispute(sender: &Address, key: &ChannelKey, state: &Closed, what: &Dispute, style: Style) -> Vec<u8> {
    let other = state.closer.other();
    let (closer_account, other_account) = (key.parties().of(state.closer), key.parties().of(other));
    let income = state.incomes.of(other);
    match what {
        Dispute::Update { shown, by } => {
            let (r, vs) = shown.signature.compact();
            let (clock, figures) = (with_clock(state, closer_account), shown.income().figures());
            let mut words = vec![key.asset(), clock, state.rest(), figures, r, vs, shown.pending.locks];
            words.extend([income.figures(), income.list.hash()]);
            let words_of = "uint256,uint256,bytes32,uint256,bytes32,bytes32,bytes32,uint256,bytes32";
            match by {
                By::Party => {
                    style.shorten(&mut words);
                    function(&format!("update({words_of})"), words)
                }
                By::Delegate { .. } => {
                    words.extend(named(other_account, by));
                    function(&format!("updateFor({words_of},uint256,bytes32,bytes32)"), words)
                }
            }
        }
        Dispute::Unlock { records, by } => {
            let (touched, taken) = (income.list.touched.word(), income.list.taken);
            let mut input = match by {
                By::Party => {
                    let is_plain = touched == [0; 32] && taken == [0; 32] && !style.wordy;
                    let closer = pack(&[(20, closer_account.as_bytes()), (1, &[u8::from(!is_plain)])]);
                    let mut words = vec![key.asset(), closer, state.upper()];
                    if !is_plain {
                        words.extend([touched, taken]);
                    }
                    function("unlock(uint256,uint256,bytes32)", words)
                }
                By::Delegate { .. } => {
                    let mut words = vec![key.asset(), word_of(closer_account), state.upper(), touched, taken];
                    words.extend(named(other_account, by));
                    function("unlockFor(uint256,uint256,bytes32,uint256,bytes32,uint256,bytes32,bytes32)", words)
                }
            };
            input.extend(packed(records, style));
            input
        }
        Dispute::UnlockLate { records, by } => {
            let words = [in_full(sender, key, state, style), delegation(by)].concat();
            let mut input = function(&format!("unlockLate({FULL},uint256,bytes32,bytes32)"), words);
            input.extend(packed(records, style));
            input
        }
        Dispute::Release { of, records } => {
            let words = [in_full(sender, key, state, style), vec![flag(*of == other)]].concat();
            let mut input = function(&format!("release({FULL},uint256)"), words);
            input.extend(packed(records, style));
            input
        }
        Dispute::Punish { of, before, records, later } => {
            let count = u64::try_from(later.len()).unwrap_or(u64::MAX);
            let which = vec![flag(*of == other), *before, pack(&[(8, &count.to_be_bytes())])];
            let later = later.iter().flat_map(|(before, after)| [*before, *after]).collect();
            let words = [in_full(sender, key, state, style), which, later].concat();
            let mut input = function(&format!("punish({FULL},uint256,bytes32,uint256)"), words);
            input.extend(packed(records, style));
            input
        }
        Dispute::Settle => {
            let mut words = in_full(sender, key, state, style);
            style.shorten(&mut words);
            function(&format!("settle({FULL})"), words)
        }
    }
}

/// The short form of a lock's word: opens 40 | block 40 | closes 40 | linked 8, from bit 0 up. A lock that can't be written as a
/// word is in no list.
fn short_word(expiry: &Expiry) -> [u8; 16] {
    let long = expiry.word().unwrap_or_default();
    let mut short = [0; 16];
    let (linked, rest) = short.split_at_mut(1);
    linked.iter_mut().zip(long.iter().skip(11)).for_each(|(to, byte)| *to = *byte);
    rest.iter_mut().zip(long.iter().skip(17)).for_each(|(to, byte)| *to = *byte);
    short
}

fn packed(records: &[Record], style: Style) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut last_word, mut last_number) = ([0; 16], 0u64);
    for record in records {
        let word = short_word(&record.lock.expiry);
        let number = record.lock.number.0;
        let own_word = style.wordy || word != last_word;
        let own_number = style.wordy || number != last_number.wrapping_add(1);
        let kind = u8::from(record.take)
            | u8::from(record.secret.is_some()) << 1
            | u8::from(own_word) << 2
            | u8::from(own_number) << 3
            | u8::from(record.disposal.is_some()) << 4;
        bytes.extend(record.secret.as_ref().map_or(*record.lock.secret_hash.as_bytes(), |secret| *secret.expose()));
        bytes.push(kind);
        bytes.extend(record.lock.amount.get().to_be_bytes().iter().skip(4));
        if own_word {
            bytes.extend(word);
        }
        if own_number {
            bytes.extend(number.to_be_bytes());
        }
        if let Some(disposal) = &record.disposal {
            bytes.extend(compact(disposal));
        }
        (last_word, last_number) = (word, number);
    }
    bytes
}

fn compact(signature: &Signature) -> Vec<u8> {
    let (r, vs) = signature.compact();
    Abi::new().word(&r).word(&vs).finish()
}
