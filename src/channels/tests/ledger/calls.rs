//! The contracts' calls as bytes, read; and what is said of them, written: as the real contracts do both.

use super::{CONTRACT, Coins, REGISTRY, TOKENS};
use photon_chains::{Address, Expiry, Secret, SecretHash, UnixTime};
use photon_channel::contract::{Brought, By, Call, Consent, Contract, Dispute, Record, Said, Shown, Slot, Taken};
use photon_channel::{Both, ChannelKey, Commitment, LockNo, Nonce, Pending, Side, Signature, Units, Window, keccak};

/// What a transaction asks for.
pub enum Asked {
    Register(Secret),
    /// Of the channels contract, by whatever way it comes there.
    Channel(ChannelKey, Box<Call>),
}

/// A call's words. What is left off is zero.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn at(&self, place: usize) -> [u8; 32] {
        let mut word = [0; 32];
        let rest = self.0.get(place * 32..).unwrap_or_default();
        word.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        word
    }
    fn address(&self, place: usize) -> Address {
        Address::from_bytes(self.at(place)[12..].try_into().unwrap())
    }
    /// So many bits from that one up, in whole bytes.
    fn number(&self, place: usize, from: usize, bits: usize) -> u128 {
        let word = self.at(place);
        let (start, end) = (32 - (from + bits) / 8, 32 - from / 8);
        word[start..end].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
    }
    fn time(&self, place: usize, from: usize) -> UnixTime {
        UnixTime::from_secs(self.number(place, from, 40) as u64)
    }
    fn signature(&self, place: usize) -> Signature {
        let mut bytes = [0; 65];
        bytes[..32].copy_from_slice(&self.at(place));
        bytes[32..64].copy_from_slice(&self.at(place + 1));
        bytes[64] = 27 + (bytes[32] >> 7);
        bytes[32] &= 0x7f;
        Signature::from_bytes(bytes)
    }
    fn shown(&self, figures: usize, locks: usize, signature: usize) -> Shown {
        let units = |from| Units::new(self.number(figures, from, 96)).unwrap();
        Shown {
            nonce: Nonce(self.number(figures, 192, 64) as u64),
            transferred: units(96),
            pending: Commitment { locked: units(0), locks: self.at(locks) },
            signature: self.signature(signature),
        }
    }
    fn key(&self, one: &Address, other: &Address) -> Result<ChannelKey, String> {
        let window = Window::from_minutes(self.number(0, 160, 16) as u16).map_err(|error| error.to_string())?;
        let token = Some(self.address(0)).filter(|token| *token != Address::from_bytes([0; 20]));
        ChannelKey::new(token, *one, *other, window).map_err(|error| error.to_string())
    }
    /// What follows that many words.
    fn records(&self, after: usize) -> Result<Vec<Record>, String> {
        records(self.0.get(after * 32..).unwrap_or_default()).ok_or_else(|| "no records".to_owned())
    }
}

/// The form is told in `IChannels.sol`.
fn records(mut bytes: &[u8]) -> Option<Vec<Record>> {
    fn split<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
        let (first, rest) = bytes.split_first_chunk::<N>()?;
        *bytes = rest;
        Some(*first)
    }
    let (mut all, mut word, mut number) = (Vec::new(), [0; 16], 0u64);
    while !bytes.is_empty() {
        let x = split::<32>(&mut bytes)?;
        let [kind] = split(&mut bytes)?;
        let amount = split::<12>(&mut bytes)?.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
        if kind & 4 != 0 {
            word = split(&mut bytes)?;
        }
        number = if kind & 8 != 0 { u64::from_be_bytes(split(&mut bytes)?) } else { number + 1 };
        let disposal = if kind & 16 != 0 { Some(Words(&split::<64>(&mut bytes)?).signature(0)) } else { None };
        let secret = (kind & 2 != 0).then(|| Secret::from_bytes(x));
        let secret_hash = secret.as_ref().map_or(SecretHash::from_bytes(x), Secret::hash);
        let mut long = [0; 32];
        long[11] = word[0];
        long[17..].copy_from_slice(&word[1..]);
        let expiry = Expiry::from_word(&long).ok()?;
        let lock = Pending { number: LockNo(number), secret_hash, amount: Units::new(amount)?, expiry };
        all.push(Record { lock, take: kind & 1 != 0, secret, disposal });
    }
    Some(all)
}

const FULL: &str = "uint256,address,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,bytes32";
const CLOSE: &str = "close(uint256,address,uint256,bytes32,bytes32,bytes32)";
const UPDATE: &str = "update(uint256,uint256,bytes32,uint256,bytes32,bytes32,bytes32,uint256,bytes32)";
const CONSENTED: &str = "(uint256,uint256,uint256,bytes32,bytes32)";

/// What a transaction is: of the registry, a deposit that a token brings and says, or the contract's. What it asks of the contract
/// must be, to the byte, what the program would write for the same; so a state that is shown is the state that is.
pub fn read(contract: &Contract, from: &Address, to: &Address, value: u128, input: &[u8]) -> Result<Asked, String> {
    let (selector, rest) = input.split_at_checked(4).ok_or("no call")?;
    let is = |signature: &str| keccak(signature.as_bytes())[..4] == *selector;
    if *to == REGISTRY {
        return Ok(Asked::Register(Secret::from_bytes(Words(rest).at(0))));
    }
    if TOKENS.contains(to) {
        let is_call_back = is("transfer(address,uint256,bytes)") || is("approveAndCall(address,uint256,bytes)");
        return if is_call_back { brought(to, rest) } else { Err("no call of a token that brings money".to_owned()) };
    }
    if *to != CONTRACT {
        return Err("nobody is there".to_owned());
    }
    let (key, call) = of_contract(contract, from, value, &is, &Words(rest))?;
    match call.input(from, &key) == input {
        true => Ok(Asked::Channel(key, Box::new(call))),
        false => Err("it does not show the state that is".to_owned()),
    }
}

/// ERC223's `transfer(to, amount, data)`, and `approveAndCall(spender, amount, data)`: the data says party, peer and window.
fn brought(token: &Address, rest: &[u8]) -> Result<Asked, String> {
    let words = Words(rest);
    if words.address(0) != CONTRACT || words.number(2, 0, 64) != 96 || words.number(3, 0, 64) < 96 {
        return Err("not for the contract".to_owned());
    }
    let (party, peer) = (words.address(4), words.address(5));
    let window = Window::from_minutes(words.number(6, 0, 16) as u16).map_err(|error| error.to_string())?;
    let key = ChannelKey::new(Some(*token), party, peer, window).map_err(|error| error.to_string())?;
    let of = key.side_of(&party).ok_or("no party")?;
    let deposit = Call::Deposit { of, amount: words.number(1, 0, 128), brought: Brought::InFull };
    Ok(Asked::Channel(key, Box::new(deposit)))
}

fn of_contract(
    contract: &Contract,
    from: &Address,
    value: u128,
    is: &dyn Fn(&str) -> bool,
    words: &Words<'_>,
) -> Result<(ChannelKey, Call), String> {
    let peer = words.address(1);
    if is("deposit(uint256,uint256)") {
        let key = words.key(from, &peer)?;
        let amount = if key.token().is_some() { words.number(1, 160, 96) } else { value };
        let of = key.side_of(from).ok_or("no party")?;
        return Ok((key, Call::Deposit { of, amount, brought: Brought::InFull }));
    }
    if is(&format!("cooperativeClose{CONSENTED}")) {
        let magnitude = words.number(2, 0, 96) as i128;
        let paid_to_a = if words.number(2, 96, 8) == 1 { -magnitude } else { magnitude };
        let consent = Consent::Counterparty(words.signature(3));
        return Ok((words.key(from, &peer)?, Call::CooperativeClose { paid_to_a, deadline: words.time(1, 160), consent }));
    }
    if is(&format!("withdraw{CONSENTED}")) {
        let amounts = Both { a: words.number(2, 0, 96), b: words.number(2, 96, 96) };
        let consent = Consent::Counterparty(words.signature(3));
        return Ok((words.key(from, &peer)?, Call::Withdraw { amounts, deadline: words.time(1, 160), consent }));
    }
    if is(CLOSE) {
        return Ok((words.key(from, &peer)?, Call::Close { shown: words.shown(2, 5, 3), records: words.records(6)? }));
    }
    let (what, key) = dispute(from, is, words)?;
    match contract.slot(&key.id()) {
        Some(Slot::Closed(state)) => {
            // Whose income a call is about is told by its place beside the closer.
            let of = |is_others: bool| if is_others { state.closer.other() } else { state.closer };
            let what = match what {
                Told::Known(what) => what,
                Told::Release(is_others, records) => Dispute::Release { of: of(is_others), records },
                Told::Punish(is_others, before, later, records) => Dispute::Punish { of: of(is_others), before, records, later },
            };
            Ok((key, Call::Dispute(state.clone(), what)))
        }
        Some(Slot::Open(_)) | None => Err("not closed".to_owned()),
    }
}

enum Told {
    Known(Dispute),
    Release(bool, Vec<Record>),
    Punish(bool, [u8; 32], Vec<([u8; 32], [u8; 32])>, Vec<Record>),
}

fn dispute(from: &Address, is: &dyn Fn(&str) -> bool, words: &Words<'_>) -> Result<(Told, ChannelKey), String> {
    let peer = words.address(1);
    if is(UPDATE) {
        let shown = words.shown(3, 6, 4);
        return Ok((Told::Known(Dispute::Update { shown, by: By::Party }), words.key(from, &peer)?));
    }
    if is("unlock(uint256,uint256,bytes32)") {
        let records = words.records(if words.number(1, 160, 8) == 0 { 3 } else { 5 })?;
        return Ok((Told::Known(Dispute::Unlock { records, by: By::Party }), words.key(from, &peer)?));
    }
    let closer = if peer == Address::from_bytes([0; 20]) { *from } else { peer };
    let key = words.key(&words.address(2), &closer);
    let is_others = words.number(12, 0, 8) == 1;
    let told = if is(&format!("settle({FULL})")) {
        Told::Known(Dispute::Settle)
    } else if is(&format!("unlockLate({FULL},uint256,bytes32,bytes32)")) {
        Told::Known(Dispute::UnlockLate { records: words.records(15)?, by: By::Party })
    } else if is(&format!("release({FULL},uint256)")) {
        Told::Release(is_others, words.records(13)?)
    } else if is(&format!("punish({FULL},uint256,bytes32,uint256)")) {
        let count = words.number(14, 0, 64) as usize;
        let later = (0..count).map(|place| (words.at(15 + 2 * place), words.at(16 + 2 * place))).collect();
        Told::Punish(is_others, words.at(13), later, words.records(15 + 2 * count)?)
    } else {
        return Err("no call that this ledger reads".to_owned());
    };
    Ok((told, key?))
}

/// What is said, where somebody reads it.
pub fn log(said: &Said) -> Vec<u8> {
    let paid = |pays: &Both<Units>, first: Side| {
        let mut word = [0; 32];
        word[20..].copy_from_slice(&pays.of(first).get().to_be_bytes()[4..]);
        word[8..20].copy_from_slice(&pays.of(first.other()).get().to_be_bytes()[4..]);
        word
    };
    let taken = |taken: &[Taken]| -> Vec<u8> {
        let word = |one: &Taken| match one {
            Taken::Shown(secret) => *secret.expose(),
            Taken::Registered(hash) => *hash.as_bytes(),
        };
        taken.iter().flat_map(word).collect()
    };
    let by = |side: &Side, a: u8| vec![if side.is_a() { a } else { a + 1 }];
    match said {
        Said::Deposit(open) => [vec![1], open.word().to_vec()].concat(),
        Said::Withdrawal(pays, number) => {
            let mut word = paid(pays, Side::A);
            word[4..8].copy_from_slice(&number.to_be_bytes());
            [vec![3], word.to_vec()].concat()
        }
        Said::CooperativeClose(pays) => [vec![4], paid(pays, Side::A).to_vec()].concat(),
        Said::Close(closer, open, income, unlocked) => {
            let mut log = [by(closer, 5), open.word().to_vec(), income.figures().to_vec()].concat();
            if income.list.locks != [0; 32] || !unlocked.is_empty() {
                log.extend(income.list.locks);
            }
            [log, taken(unlocked)].concat()
        }
        Said::Update(shown) => {
            let mut log = [vec![7], shown.income().figures().to_vec()].concat();
            if shown.pending.locks != [0; 32] {
                log.extend(shown.pending.locks);
            }
            log
        }
        Said::Unlock(side, unlocked) => [by(side, 8), taken(unlocked)].concat(),
        Said::Release(side, hashes) => [by(side, 10), hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()].concat(),
        Said::Settle(closer, pays) => [vec![12], paid(pays, *closer).to_vec()].concat(),
        Said::Punishment(paid) => [vec![13], vec![0; 20], paid.get().to_be_bytes()[4..].to_vec()].concat(),
    }
}

/// A token's own word that it has brought money to the contract: who paid, and how much.
pub fn transferred(from: &Address, amount: u128) -> Vec<u8> {
    [vec![0; 12], from.as_bytes().to_vec(), vec![0; 16], amount.to_be_bytes().to_vec()].concat()
}

/// What every account has, by token.
pub fn takes(coins: &mut Coins, token: Option<Address>, account: Address, amount: u128) -> bool {
    let has = coins.entry((token, account)).or_default();
    let Some(left) = has.checked_sub(amount) else { return false };
    *has = left;
    true
}
