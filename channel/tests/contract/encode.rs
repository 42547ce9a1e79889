//! Calls and logs in the bytes of `contracts/src/IChannels.sol`.

use crate::{selector, uint, word_of};
use photon_chains::{Address, Expiry};
use photon_channel::contract::*;
use photon_channel::{ChannelKey, Side, Signature};

/// How a call is written, where there is a choice.
#[derive(Copy, Clone, Debug)]
pub struct Style {
    /// Whether `depositFor` is used for one's own deposit too.
    pub for_self: bool,
    /// Whether words are written out that could be left to the record before.
    pub wordy: bool,
    /// Whether words at the end that are zero are left off, and the closer where it is the sender.
    pub short: bool,
}

impl Style {
    fn shorten(self, words: &mut Vec<[u8; 32]>) {
        while self.short && words.last() == Some(&[0; 32]) {
            words.pop();
        }
    }
}

/// Fields from bit 0 up, each with its width.
fn pack(fields: &[(usize, &[u8])]) -> [u8; 32] {
    let mut word = [0; 32];
    let mut at = 0;
    for (width, value) in fields {
        let bytes = width / 8;
        let value = &value[value.len().saturating_sub(bytes)..];
        word[32 - at - value.len()..32 - at].copy_from_slice(value);
        at += bytes;
    }
    word
}

fn units(value: u128) -> [u8; 16] {
    value.to_be_bytes()
}

/// r, and s with v in its highest bit (EIP-2098).
pub fn compact(signature: &Signature) -> [[u8; 32]; 2] {
    let bytes = signature.as_bytes();
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.copy_from_slice(&bytes[..32]);
    s.copy_from_slice(&bytes[32..64]);
    if bytes[64] == 28 {
        s[0] |= 0x80;
    }
    [r, s]
}

/// A call's bytes. The sender is a party where the call is a party's to make.
pub fn calldata(sender: &Address, key: &ChannelKey, call: &Call, style: Style) -> Vec<u8> {
    let parties = key.parties();
    let asset = key.asset();
    let peer = || parties.of(if *sender == parties.a { Side::B } else { Side::A });
    match call {
        Call::Deposit { of, amount, brought: _ } => {
            let peer = parties.of(of.other());
            // The coin's amount is what is sent along.
            let amount = if key.token().is_some() { *amount } else { 0 };
            let words = vec![asset, pack(&[(160, peer.as_bytes()), (96, &units(amount))])];
            if parties.of(*of) == sender && !style.for_self {
                function("deposit(uint256,uint256)", words)
            } else {
                function("depositFor(uint256,uint256,address)", [words, vec![word_of(parties.of(*of))]].concat())
            }
        }
        Call::CooperativeClose { paid_to_a, deadline, consent } => {
            let magnitude = paid_to_a.unsigned_abs();
            let paid = pack(&[(96, &units(magnitude)), (8, &[u8::from(*paid_to_a < 0)])]);
            consented(
                [
                    "cooperativeClose(uint256,uint256,uint256,bytes32,bytes32)",
                    "cooperativeCloseFor(uint256,uint256,address,uint256,bytes32,bytes32,bytes32,bytes32)",
                ],
                key,
                peer,
                deadline.secs(),
                paid,
                consent,
            )
        }
        Call::Withdraw { amounts, deadline, consent } => {
            let amounts = pack(&[(96, &units(amounts.a)), (96, &units(amounts.b))]);
            consented(
                [
                    "withdraw(uint256,uint256,uint256,bytes32,bytes32)",
                    "withdrawFor(uint256,uint256,address,uint256,bytes32,bytes32,bytes32,bytes32)",
                ],
                key,
                peer,
                deadline.secs(),
                amounts,
                consent,
            )
        }
        Call::Close { shown, records } => {
            let [r, vs] = compact(&shown.signature);
            let words = vec![asset, word_of(peer()), shown.income().figures(), r, vs, shown.pending.locks];
            let mut data = function("close(uint256,address,uint256,bytes32,bytes32,bytes32)", words);
            data.extend(packed(records, style));
            if records.is_empty() && style.short {
                data.truncate(data.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1);
            }
            data
        }
        Call::Dispute(state, what) => dispute(sender, key, state, what, style),
    }
}

fn function(signature: &str, words: Vec<[u8; 32]>) -> Vec<u8> {
    let mut data = selector(signature);
    data.extend(words.concat());
    data
}

fn consented<'a>(
    [by_party, by_anyone]: [&str; 2],
    key: &'a ChannelKey,
    peer: impl Fn() -> &'a Address,
    deadline: u64,
    terms: [u8; 32],
    consent: &Consent,
) -> Vec<u8> {
    let with = |party: &Address| pack(&[(160, party.as_bytes()), (40, &deadline.to_be_bytes())]);
    match consent {
        Consent::Counterparty(signature) => {
            let [r, vs] = compact(signature);
            function(by_party, vec![key.asset(), with(peer()), terms, r, vs])
        }
        Consent::Both(signatures) => {
            let parties = key.parties();
            let ([ra, va], [rb, vb]) = (compact(&signatures.a), compact(&signatures.b));
            function(by_anyone, vec![key.asset(), with(&parties.a), word_of(&parties.b), terms, ra, va, rb, vb])
        }
    }
}

fn dispute(sender: &Address, key: &ChannelKey, state: &Closed, what: &Dispute, style: Style) -> Vec<u8> {
    let parties = key.parties();
    let other = state.closer.other();
    let (closer_account, other_account) = (parties.of(state.closer), parties.of(other));
    let (closer_income, other_income) = (state.incomes.of(state.closer), state.incomes.of(other));
    let with_clock = |account: &Address| pack(&[(160, account.as_bytes()), (80, &state.clock())]);
    let delegation = |by: &By| match by {
        By::Party => [[0; 32]; 3],
        By::Delegate { rights, deadline, signature } => {
            let [r, vs] = compact(signature);
            [pack(&[(40, &deadline.to_be_bytes_40()), (8, &[*rights])]), r, vs]
        }
    };
    let payee = |by: &By| {
        let [terms, r, vs] = delegation(by);
        [pack(&[(160, other_account.as_bytes()), (48, &terms)]), r, vs]
    };
    let in_full = || {
        let (closer, other) = (closer_income.list, other_income.list);
        let is_said = sender != closer_account || !style.short;
        vec![
            key.asset(),
            if is_said { word_of(closer_account) } else { [0; 32] },
            with_clock(other_account),
            state.money(),
            other_income.figures(),
            uint(closer_income.locked.get()),
            closer.locks,
            closer.touched.word(),
            closer.taken,
            other.locks,
            other.touched.word(),
            other.taken,
        ]
    };
    const FULL: &str = "uint256,address,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,bytes32";
    match what {
        Dispute::Update { shown, by } => {
            let [r, vs] = compact(&shown.signature);
            let mut words = vec![
                key.asset(),
                with_clock(closer_account),
                state.rest(),
                shown.income().figures(),
                r,
                vs,
                shown.pending.locks,
                other_income.figures(),
                other_income.list.hash(),
            ];
            let words_of = "uint256,uint256,bytes32,uint256,bytes32,bytes32,bytes32,uint256,bytes32";
            match by {
                By::Party => {
                    style.shorten(&mut words);
                    function(&format!("update({words_of})"), words)
                }
                By::Delegate { .. } => {
                    words.extend(payee(by));
                    function(&format!("updateFor({words_of},uint256,bytes32,bytes32)"), words)
                }
            }
        }
        Dispute::Unlock { records, by } => {
            let (touched, taken) = (other_income.list.touched.word(), other_income.list.taken);
            let mut data = match by {
                By::Party => {
                    let plain = touched == [0; 32] && taken == [0; 32] && !style.wordy;
                    let closer = pack(&[(160, closer_account.as_bytes()), (8, &[u8::from(!plain)])]);
                    let mut words = vec![key.asset(), closer, state.upper()];
                    if !plain {
                        words.extend([touched, taken]);
                    }
                    function("unlock(uint256,uint256,bytes32)", words)
                }
                By::Delegate { .. } => {
                    let [party, r, vs] = payee(by);
                    let words = vec![key.asset(), word_of(closer_account), state.upper(), touched, taken, party, r, vs];
                    function("unlockFor(uint256,uint256,bytes32,uint256,bytes32,uint256,bytes32,bytes32)", words)
                }
            };
            data.extend(packed(records, style));
            data
        }
        Dispute::UnlockLate { records, by } => {
            let words = [in_full(), delegation(by).to_vec()].concat();
            let mut data = function(&format!("unlockLate({FULL},uint256,bytes32,bytes32)"), words);
            data.extend(packed(records, style));
            data
        }
        Dispute::Release { of, records } => {
            let words = [in_full(), vec![uint(u128::from(*of == other))]].concat();
            let mut data = function(&format!("release({FULL},uint256)"), words);
            data.extend(packed(records, style));
            data
        }
        Dispute::Punish { of, before, records, later } => {
            let which = vec![uint(u128::from(*of == other)), *before, uint(later.len() as u128)];
            let later = later.iter().flat_map(|(before, after)| [*before, *after]).collect();
            let words = [in_full(), which, later].concat();
            let mut data = function(&format!("punish({FULL},uint256,bytes32,uint256)"), words);
            data.extend(packed(records, style));
            data
        }
        Dispute::Settle => {
            let mut words = in_full();
            style.shorten(&mut words);
            function(&format!("settle({FULL})"), words)
        }
    }
}

trait Bytes40 {
    fn to_be_bytes_40(&self) -> [u8; 5];
}

impl Bytes40 for photon_chains::UnixTime {
    fn to_be_bytes_40(&self) -> [u8; 5] {
        let [.., a, b, c, d, e] = self.secs().to_be_bytes();
        [a, b, c, d, e]
    }
}

/// The short form of a lock's word: opens 40 | block 40 | closes 40 | linked 8.
fn short_word(expiry: &Expiry) -> [u8; 16] {
    let long = expiry.word().unwrap();
    let mut short = [0; 16];
    short[0] = long[11];
    short[1..].copy_from_slice(&long[17..]);
    short
}

fn packed(records: &[Record], style: Style) -> Vec<u8> {
    let mut data = Vec::new();
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
        data.extend(record.secret.as_ref().map_or(*record.lock.secret_hash.as_bytes(), |secret| *secret.expose()));
        data.push(kind);
        data.extend(&units(record.lock.amount.get())[4..]);
        if own_word {
            data.extend(word);
        }
        if own_number {
            data.extend(number.to_be_bytes());
        }
        if let Some(disposal) = &record.disposal {
            data.extend(compact(disposal).concat());
        }
        (last_word, last_number) = (word, number);
    }
    data
}

/// What a log holds.
pub fn log(said: &Said) -> Vec<u8> {
    let paid = |closer: Side, pays: &photon_channel::Both<photon_channel::Units>| {
        (units(pays.of(closer).get()), units(pays.of(closer.other()).get()))
    };
    let kind_of = |first: u8, side: Side| first + u8::from(side == Side::B);
    let secrets = |taken: &[Taken]| -> Vec<u8> {
        let each = |one: &Taken| match one {
            Taken::Shown(secret) => *secret.expose(),
            Taken::Registered(hash) => *hash.as_bytes(),
        };
        taken.iter().flat_map(each).collect()
    };
    match said {
        Said::Deposit(open) => [vec![1], open.word().to_vec()].concat(),
        Said::Withdrawal(pays, number) => {
            let (a, b) = paid(Side::A, pays);
            [vec![3], pack(&[(96, &a), (96, &b), (32, &number.to_be_bytes())]).to_vec()].concat()
        }
        Said::CooperativeClose(pays) => {
            let (a, b) = paid(Side::A, pays);
            [vec![4], pack(&[(96, &a), (96, &b)]).to_vec()].concat()
        }
        Said::Close(closer, open, income, taken) => {
            let mut log = [vec![kind_of(5, *closer)], open.word().to_vec(), income.figures().to_vec()].concat();
            if income.list != List::default() {
                log.extend(income.list.locks);
            }
            log.extend(secrets(taken));
            log
        }
        Said::Update(shown) => {
            let mut log = [vec![7], shown.income().figures().to_vec()].concat();
            if shown.pending.locks != [0; 32] {
                log.extend(shown.pending.locks);
            }
            log
        }
        Said::Unlock(payee, taken) => [vec![kind_of(8, *payee)], secrets(taken)].concat(),
        Said::Release(payee, hashes) => {
            let hashes = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            [vec![kind_of(10, *payee)], hashes].concat()
        }
        Said::Settle(closer, pays) => {
            let (to_closer, to_other) = paid(*closer, pays);
            [vec![12], pack(&[(96, &to_closer), (96, &to_other)]).to_vec()].concat()
        }
        Said::Punishment(paid) => [vec![13], uint(paid.get()).to_vec()].concat(),
    }
}
