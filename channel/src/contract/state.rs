//! A channel's slot, and the one word of storage that stands for it.

use crate::chain::Moment;
use crate::eip712::{Abi, keccak};
use crate::key::{Both, ChannelKey, Epoch, Side};
use crate::split::Holdings;
use crate::units::{Nonce, Units};

/// A channel that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// It can be paid into.
    Open(Open),
    /// Somebody closed it. Boxed, for most channels are open.
    Closed(Box<Closed>),
}

/// An open channel.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The block of its opening.
    pub epoch: Epoch,
    /// How many withdrawals were mined in this epoch.
    pub withdrawals: u32,
    /// What it holds.
    pub holdings: Holdings,
}

/// A closed channel: all that the contract keeps a hash of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Of the channel when it was open.
    pub epoch: Epoch,
    /// Who closed.
    pub closer: Side,
    /// When.
    pub since: Moment,
    /// The channel as it was, less what was paid since.
    pub money: Open,
    /// What each side was promised by its counterparty.
    pub incomes: Both<Income>,
}

/// What a side was promised, and what has become of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct Income {
    /// Of the proof that counts; zero: there is none.
    pub nonce: Nonce,
    /// The sum of the proof's locks.
    pub locked: Units,
    /// Paid in all.
    pub transferred: Units,
    /// The locks.
    pub list: List,
}

/// The locks of an income.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct List {
    /// Hash of the pending entries; zero for none.
    pub locks: [u8; 32],
    /// What was done to them.
    pub touched: Touched,
    /// Hash chain over what was unlocked, a link for each call; zero for none.
    pub taken: [u8; 32],
}

/// What was unlocked and released of a proof.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct Touched {
    /// The sum that was unlocked.
    pub unlocked: Units,
    /// The sum that went back.
    pub released: Units,
    /// When the last lock was unlocked, ever.
    pub last_unlock: Option<Moment>,
}

impl Slot {
    /// Which life of the channel it is.
    pub fn epoch(&self) -> Epoch {
        match self {
            Slot::Open(open) => open.epoch,
            Slot::Closed(closed) => closed.epoch,
        }
    }

    /// The word in storage.
    pub fn word(&self, key: &ChannelKey) -> [u8; 32] {
        match self {
            Slot::Open(open) => open.word(),
            Slot::Closed(closed) => closed.word(key),
        }
    }
}

impl Open {
    /// total 96 | netA + 2^96, 97 | withdrawals 30 | epoch 32, from bit 0 up.
    pub fn word(&self) -> [u8; 32] {
        pack(&[
            (96, self.holdings.total.get()),
            (97, biased(self.holdings.net_a)),
            (30, u128::from(self.withdrawals)),
            (32, u128::from(self.epoch.0)),
        ])
    }
}

/// A's net deposits plus 2^96, so that they are never negative.
fn biased(net_a: i128) -> u128 {
    u128::try_from(net_a.saturating_add(1 << 96)).unwrap_or_default()
}

impl Closed {
    /// The last 223 bits of the state's hash, its epoch, and the highest bit set. The state is hashed in parts, so that a call
    /// that needs one part shows the others by their hash.
    pub fn word(&self, key: &ChannelKey) -> [u8; 32] {
        let other = self.closer.other();
        let hash = Abi::new().word(&self.upper()).word(&self.incomes.of(other).list.hash()).address(key.parties().of(other));
        let mut word = keccak(&hash.finish());
        let head = 1u32 << 31 | self.epoch.0 >> 1;
        let [a, b, c, d, e, ..] = &mut word;
        [*a, *b, *c, *d] = head.to_be_bytes();
        *e = *e & 0x7f | ((self.epoch.0 & 1) as u8) << 7;
        word
    }

    /// Hash of all but the list of the other's income.
    pub fn upper(&self) -> [u8; 32] {
        let income = self.incomes.of(self.closer.other());
        shown_hash(&self.clock(), &self.rest(), &income.figures())
    }

    /// Hash of all but the time of the close and the other's income.
    pub fn rest(&self) -> [u8; 32] {
        let income = self.incomes.of(self.closer);
        shown_hash(&self.money(), &pack(&[(96, income.locked.get())]), &income.list.hash())
    }

    /// What is to be divided: total 96 | the closer's share 160, signed. The share is what the closer put in less what it took
    /// out, and what it was promised for good. How it came to that is nobody's business any more, and each word costs.
    pub fn money(&self) -> [u8; 32] {
        let holdings = &self.money.holdings;
        let share = holdings.net(self.closer).saturating_add(self.incomes.of(self.closer).transferred.signed());
        let sign = if share < 0 { u128::from(u32::MAX) } else { 0 };
        pack(&[(96, holdings.total.get()), (128, share.cast_unsigned()), (32, sign)])
    }

    /// When it was closed: time 40 | block 40.
    pub fn clock(&self) -> [u8; 32] {
        pack(&[(40, u128::from(self.since.time.secs())), (40, u128::from(self.since.block.get()))])
    }
}

impl Income {
    /// locked 96 | transferred 96 | nonce 64.
    pub fn figures(&self) -> [u8; 32] {
        pack(&[(96, self.locked.get()), (96, self.transferred.get()), (64, u128::from(self.nonce.0))])
    }
}

impl List {
    /// What a state keeps of it: the hash of the entries as the payer signed it, until something is done to them. Zero where
    /// nothing is or was pending.
    pub fn hash(&self) -> [u8; 32] {
        if self.touched == Touched::default() && self.taken == [0; 32] {
            return self.locks;
        }
        keccak(&Abi::new().word(&self.locks).word(&self.touched.word()).word(&self.taken).finish())
    }

    /// Whether a lock is pending.
    pub fn is_pending(&self) -> bool {
        self.locks != [0; 32]
    }
}

impl Touched {
    /// unlocked 96 | released 96 | time of the last unlock 32 | its block 32.
    pub fn word(&self) -> [u8; 32] {
        let (time, block) = self.last_unlock.map_or((0, 0), |at| (at.time.secs(), at.block.get()));
        pack(&[(96, self.unlocked.get()), (96, self.released.get()), (32, u128::from(time)), (32, u128::from(block))])
    }
}

/// A hash that calls show: its low 224 bits, one more than the slot keeps of the whole.
fn shown_hash(first: &[u8; 32], second: &[u8; 32], third: &[u8; 32]) -> [u8; 32] {
    let mut hash = keccak(&Abi::new().word(first).word(second).word(third).finish());
    let [a, b, c, d, ..] = &mut hash;
    [*a, *b, *c, *d] = [0; 4];
    hash
}

/// A word of fields, each with its width in bits, from bit 0 up. What does not fit a field's width is not the contract's case.
fn pack(fields: &[(u32, u128)]) -> [u8; 32] {
    let (mut low, mut high, mut at) = (0u128, 0u128, 0u32);
    for (width, value) in fields {
        match at {
            0 => low |= value,
            1..128 => {
                low |= value << at;
                high |= value >> (128 - at);
            }
            128.. => high |= value << (at - 128),
        }
        at += width;
    }
    let mut word = [0; 32];
    let (first, last) = word.split_at_mut(16);
    first.copy_from_slice(&high.to_be_bytes());
    last.copy_from_slice(&low.to_be_bytes());
    word
}
