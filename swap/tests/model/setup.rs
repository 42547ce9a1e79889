//! What is varied: small figures, who is honest, what the adversary may do, and what is broken on purpose. One tick is one
//! block on either ledger.

use crate::common::{HEIGHT, NOW, terms};
use photon_chains::*;
use photon_swap::{Guard, LegName, Role, Terms};

/// A fault built in on purpose. Each must lead to a counterexample, or the model proves nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// The core, without one of its checks.
    Core(Guard),
    /// The shell keeps the intent to reveal in memory only: what a step says is durable is not.
    RevealIntentInMemory,
    /// The secret is still shown one tick after the last moment agreed.
    RevealsOneTickLate,
    /// The shell reads only blocks, not the mempool.
    ReadsNoMempool,
    /// A node's "rejected" is believed, and the swap given up.
    BelievesRejections,
    /// A hash that was used before is taken again: one lock of the counterparty's is credited to two swaps.
    CreditsALockTwice,
}

/// Who runs the program. Everybody else does whatever hurts most.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Honest {
    Initiator,
    Participant,
    Both,
}

/// Which leg lies in a payment channel.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum InChannel {
    Neither,
    Alpha,
    Beta,
}

/// One model. Figures are ticks, or how often something may happen.
#[derive(Copy, Clone, Debug)]
pub struct Setup {
    pub honest: Honest,
    /// Beta lies on a ledger where redeeming ends when the refund opens; else there is no such end.
    pub beta_closes: bool,
    /// Confirmations relied on. The adversary reorganises one block less.
    pub confirmations: u8,
    /// Honest redeems, refunds and cancellations are mined within so many blocks.
    pub inclusion: u8,
    /// The longest time that an honest party is away.
    pub away: u8,
    /// From the last moment to reveal until Beta's expiry.
    pub window: u8,
    /// From Beta's expiry until Alpha's.
    pub gap: u8,
    pub reorgs: u8,
    pub crashes: u8,
    /// How often mempools forget what an honest party sent, while it is away or when a block is orphaned.
    pub losses: u8,
    /// How often a node says "rejected" of what it took in.
    pub rejections: u8,
    /// Refunds may be evicted by replacement cycling, as often as the adversary likes.
    pub cycles: bool,
    /// Honest fundings may lie unmined for as long as the adversary likes.
    pub lingers: bool,
    pub in_channel: InChannel,
    /// So long before its lock's end a channel's payee registers what was not paid.
    pub margin: u8,
    /// So long a close can be answered.
    pub settle: u8,
    pub broken: Option<Broken>,
}

impl Setup {
    /// Calm seas, the least confirmations, and margins that fit them.
    pub fn of(honest: Honest) -> Self {
        let calm = Self {
            honest,
            beta_closes: true,
            confirmations: 1,
            inclusion: 1,
            away: 1,
            window: 0,
            gap: 0,
            reorgs: 0,
            crashes: 0,
            losses: 0,
            rejections: 0,
            cycles: false,
            lingers: true,
            in_channel: InChannel::Neither,
            margin: 0,
            settle: 0,
            broken: None,
        };
        calm.with_margins()
    }

    /// What it must take from the last reveal to Beta's expiry: one transaction, mined; again after each reorganisation and
    /// after each outage. A contract closes in the very block in which the refund opens; a script opens one block later.
    pub fn least_window(&self) -> u8 {
        self.inclusion + u8::from(self.beta_closes) + self.again(1)
    }

    /// What it must take from Beta's expiry to Alpha's: the Participant's redeem, likewise. Without a closing time the last
    /// redeem of Beta can come just before a slow refund, and only then the Participant's begins.
    pub fn least_gap(&self) -> u8 {
        let by_registry = u8::from(self.in_channel == InChannel::Alpha);
        if self.beta_closes {
            self.inclusion + self.again(1) - 1 + by_registry
        } else {
            2 * self.inclusion + self.again(2) + by_registry
        }
    }

    /// What an engine needs to have a secret in the registry before a tick: the same, whichever leg it is.
    pub fn least_margin(&self) -> u8 {
        self.inclusion + 1 + self.again(1)
    }

    /// What it needs to answer a close.
    pub fn least_settle(&self) -> u8 {
        self.inclusion + 1 + self.again(1)
    }

    /// Everything that has to be done once more. An outage in which mempools forget costs the absence and the wait; one in
    /// which they don't costs the absence, and only before something is first sent.
    fn again(&self, sent: u8) -> u8 {
        let evicted = u8::from(self.cycles && !self.beta_closes);
        let lossy = self.crashes.min(self.losses.max(evicted * (sent - 1)));
        let reorgs = self.reorgs * (self.inclusion + self.confirmations - 1);
        lossy * (self.away + self.inclusion) + (self.crashes - lossy).min(sent) * self.away + reorgs
    }

    /// What the Participant needs before Beta's expiry: from the tick after the last reveal on, its unmined Beta is made
    /// impossible, or it is there in time for its refund.
    pub fn time_to_cancel(&self) -> u8 {
        self.inclusion + 1 + self.again(1)
    }

    /// These, though Alpha expires later than Beta in any case.
    pub fn with_margins(self) -> Self {
        let window = match self.honest {
            Honest::Initiator => self.least_window(),
            Honest::Participant | Honest::Both => self.least_window().max(self.time_to_cancel()),
        };
        let (margin, settle) = (self.least_margin(), self.least_settle());
        Self { window, gap: self.least_gap().max(1), margin, settle, ..self }
    }

    pub fn roles(&self) -> &'static [Role] {
        match self.honest {
            Honest::Initiator => &[Role::Initiator],
            Honest::Participant => &[Role::Participant],
            Honest::Both => &[Role::Initiator, Role::Participant],
        }
    }

    /// Somebody or something may keep the swap from completing.
    pub fn may_fail(&self) -> bool {
        self.honest != Honest::Both || self.crashes > 0
    }

    pub fn is_honest(&self, role: Role) -> bool {
        self.roles().contains(&role)
    }

    pub fn is(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }

    pub const fn fund_alpha_by(&self) -> u8 {
        1
    }

    pub const fn fund_beta_by(&self) -> u8 {
        self.confirmations + 2
    }

    pub const fn reveal_by(&self) -> u8 {
        self.fund_beta_by() + self.confirmations
    }

    pub const fn opens(&self, leg: LegName) -> u8 {
        match leg {
            LegName::Beta => self.reveal_by() + self.window,
            LegName::Alpha => self.opens(LegName::Beta) + self.gap,
        }
    }

    /// The swap and as long again, which a party that redeemed waits before it looks away, and time for a last refund.
    pub const fn end(&self) -> u8 {
        2 * self.opens(LegName::Alpha) + self.away + 2 * (self.inclusion + self.confirmations) + 2
    }

    /// The same figures as terms that two parties could sign.
    pub fn terms(&self) -> Terms {
        let beta = if self.beta_closes { Ledger::Ethereum } else { Ledger::Litecoin };
        let (alpha, beta) = match self.in_channel {
            InChannel::Neither => (Ledger::Bitcoin, beta),
            InChannel::Alpha => (Ledger::SmtChannel, beta),
            InChannel::Beta => (Ledger::Bitcoin, Ledger::EthereumChannel),
        };
        let mut terms = terms(alpha, beta);
        terms.deadlines.agreed_at = NOW;
        terms.deadlines.fund_alpha_by = at(self.fund_alpha_by());
        terms.deadlines.fund_beta_by = at(self.fund_beta_by());
        terms.deadlines.reveal_by = at(self.reveal_by());
        let opens = |leg| Expiry::at(at(self.opens(leg)));
        terms.alpha.lock.expiry = Expiry { linked: alpha.is_channel(), ..opens(LegName::Alpha) };
        terms.beta.lock.expiry = Expiry { linked: beta.is_channel(), ..opens(LegName::Beta) };
        if alpha.is_channel() {
            terms.alpha.lock.expiry.opens_block = HEIGHT.plus(u64::from(self.opens(LegName::Alpha)));
        }
        if self.beta_closes {
            terms.beta.lock.expiry.closes = Some(at(self.opens(LegName::Beta)));
            terms.beta.lock.expiry.lock_by = (!beta.is_channel()).then_some(at(self.reveal_by()));
        }
        terms.alpha.confirmations = u32::from(self.confirmations);
        terms.beta.confirmations = u32::from(self.confirmations);
        if self.is(Broken::RevealsOneTickLate) {
            terms.deadlines.reveal_by = at(self.reveal_by() + 1);
        }
        terms
    }
}

/// The second that a tick stands for.
pub fn at(tick: u8) -> UnixTime {
    NOW.plus_secs(u64::from(tick))
}
