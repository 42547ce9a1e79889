//! One lock on a ledger, small enough to try everything.

use crate::channel::Channel;
use crate::common::{HEIGHT, hash, secret, txid};
use crate::setup::{Broken, Setup, at};
use photon_chains::*;
use photon_swap::{LegName, LegView, Role};

/// A transaction. Those of the adversary are never seen before they are mined.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tx {
    #[default]
    Unsent,
    /// Some miner has it, but no mempool shows it: evicted, forgotten, orphaned.
    Lost,
    /// In every mempool, for so many blocks that could have held it.
    Waiting(u8),
    /// In a block, so deep. Deeper than final is not counted.
    Mined(u8),
}

impl Tx {
    pub fn is_mined(self) -> bool {
        matches!(self, Tx::Mined(_))
    }

    pub fn is_waiting(self) -> bool {
        matches!(self, Tx::Waiting(_))
    }

    pub fn is_sent(self) -> bool {
        matches!(self, Tx::Lost | Tx::Waiting(_))
    }

    /// Handed to the network; where it is already, it stays.
    pub fn send(&mut self) {
        match self {
            Tx::Unsent | Tx::Lost => *self = Tx::Waiting(0),
            Tx::Waiting(_) | Tx::Mined(_) => {}
        }
    }

    /// The mempools forget it.
    pub fn forget(&mut self) {
        match self {
            Tx::Waiting(_) => *self = Tx::Lost,
            Tx::Unsent | Tx::Lost | Tx::Mined(_) => {}
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Fund,
    Cancel,
    /// Of a lock in a channel: its secret is written into the registry.
    Redeem,
    Refund,
    /// A channel is closed, with a word of before its lock.
    Close,
    /// The word that has the lock is shown.
    Show,
}

pub const KINDS: [Kind; 6] = [Kind::Fund, Kind::Cancel, Kind::Redeem, Kind::Refund, Kind::Close, Kind::Show];

/// All that can happen to one lock.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Leg {
    pub fund: Tx,
    pub cancel: Tx,
    pub redeem: Tx,
    pub refund: Tx,
    pub close: Tx,
    pub show: Tx,
    /// What is so in a channel alone.
    pub channel: Channel,
}

impl Leg {
    pub fn tx(&self, kind: Kind) -> Tx {
        match kind {
            Kind::Fund => self.fund,
            Kind::Cancel => self.cancel,
            Kind::Redeem => self.redeem,
            Kind::Refund => self.refund,
            Kind::Close => self.close,
            Kind::Show => self.show,
        }
    }

    pub fn tx_mut(&mut self, kind: Kind) -> &mut Tx {
        match kind {
            Kind::Fund => &mut self.fund,
            Kind::Cancel => &mut self.cancel,
            Kind::Redeem => &mut self.redeem,
            Kind::Refund => &mut self.refund,
            Kind::Close => &mut self.close,
            Kind::Show => &mut self.show,
        }
    }

    pub fn stands(&self) -> bool {
        self.fund.is_mined() && !self.is_taken() && !self.is_back()
    }

    /// Its redeemer has it.
    pub fn is_taken(&self) -> bool {
        if self.channel.is_one { self.is_good() } else { self.redeem.is_mined() }
    }

    /// Its refundee has it.
    pub fn is_back(&self) -> bool {
        if self.channel.is_one { self.channel.is_back || self.channel.is_gone } else { self.refund.is_mined() }
    }

    /// Whether a block of this tick may hold it.
    pub fn is_valid(&self, kind: Kind, name: LegName, now: u8, setup: &Setup) -> bool {
        if self.channel.is_one {
            return self.can_in_channel(kind);
        }
        let closes = setup.beta_closes && name == LegName::Beta;
        let is_unused = !self.fund.is_mined() && !self.cancel.is_mined();
        match kind {
            Kind::Fund => is_unused && !(closes && now > setup.reveal_by()),
            Kind::Cancel => is_unused,
            Kind::Redeem => self.stands() && !(closes && now >= setup.opens(name)),
            // A script is judged by the clock of the block before (BIP-113), a contract by that of its own.
            Kind::Refund => self.stands() && now >= setup.opens(name) + u8::from(!closes),
            Kind::Close | Kind::Show => false,
        }
    }

    /// The last blocks are replaced. What honest parties had in them waits again, or is forgotten; the adversary's is gone.
    pub fn orphan(&mut self, setup: &Setup, name: LegName, forgets: bool) {
        for kind in KINDS {
            let is_honest = setup.is_honest(sender(kind, name));
            let tx = self.tx_mut(kind);
            if let Tx::Mined(depth) = *tx
                && depth < setup.confirmations
            {
                *tx = match (is_honest, forgets) {
                    (true, false) => Tx::Waiting(0),
                    (true, true) => Tx::Lost,
                    (false, _) => Tx::Unsent,
                };
            }
        }
    }

    pub fn would_orphan(&self, setup: &Setup) -> bool {
        KINDS.iter().any(|kind| matches!(self.tx(*kind), Tx::Mined(depth) if depth < setup.confirmations))
    }

    pub fn deepen(&mut self, setup: &Setup) {
        for kind in KINDS {
            if let Tx::Mined(depth) = self.tx_mut(kind) {
                *depth = (*depth + 1).min(final_depth(setup));
            }
        }
    }

    /// What our node shows. `flashed`: the secret stood in a mempool a moment ago.
    pub fn look(&self, setup: &Setup, now: u8, flashed: bool, cancelled: bool) -> LegView {
        if self.channel.is_one {
            return self.look_in_channel(setup, now, cancelled);
        }
        let height = HEIGHT.plus(u64::from(now));
        let block = BlockRef { height, hash: hash(1) };
        let reads_mempool = !setup.is(Broken::ReadsNoMempool);
        let shows = |tx: Tx| tx.is_mined() || (reads_mempool && tx.is_waiting());
        let is_public = shows(self.redeem) || (reads_mempool && flashed);
        let spend =
            [(SpendKind::Redeem, self.redeem), (SpendKind::Refund, self.refund)].into_iter().find_map(|(kind, tx)| match tx {
                Tx::Mined(depth) => Some(Spend { kind, txid: txid(2), depth: u32::from(depth) }),
                Tx::Waiting(_) if reads_mempool && self.stands() => Some(Spend { kind, txid: txid(2), depth: 0 }),
                Tx::Unsent | Tx::Lost | Tx::Waiting(_) => None,
            });
        let is_final = |spend: &Spend| spend.depth >= u32::from(final_depth(setup));
        let status = match (self.fund, spend.filter(is_final)) {
            (Tx::Mined(_), Some(Spend { kind: SpendKind::Redeem, .. })) => LockStatus::Redeemed { txid: txid(2), at: block },
            (Tx::Mined(_), Some(Spend { kind: SpendKind::Refund, .. })) => LockStatus::Refunded { txid: txid(2), at: block },
            (Tx::Mined(depth), None) if depth >= setup.confirmations => {
                LockStatus::Funded { txid: txid(1), at: block, depth: u32::from(depth) }
            }
            (Tx::Mined(depth), None) => LockStatus::Pending { txid: txid(1), depth: u32::from(depth) },
            (Tx::Waiting(_), _) if !self.cancel.is_mined() => LockStatus::Pending { txid: txid(1), depth: 0 },
            (Tx::Unsent | Tx::Lost | Tx::Waiting(_), _) => LockStatus::Absent,
        };
        let spend = spend.filter(|spend| !is_final(spend));
        let sighting = Sighting { status, spend, secret: is_public.then(secret), faults: Vec::new() };
        let is_final_cancel = matches!(self.cancel, Tx::Mined(depth) if depth >= final_depth(setup));
        LegView {
            tip: Some(Tip { block, time: at(now), lock_clock: at(now) }),
            healthy: true,
            sighting: Some(sighting),
            cancelled: cancelled || is_final_cancel,
            swept: false,
        }
    }
}

/// No reorganisation is as deep.
pub const fn final_depth(setup: &Setup) -> u8 {
    setup.confirmations
}

/// Who may send it.
pub fn sender(kind: Kind, name: LegName) -> Role {
    let payer = match name {
        LegName::Alpha => Role::Initiator,
        LegName::Beta => Role::Participant,
    };
    match kind {
        Kind::Fund | Kind::Cancel | Kind::Refund | Kind::Close => payer,
        Kind::Redeem | Kind::Show => payer.other(),
    }
}
