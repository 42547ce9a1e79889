//! A party that does whatever might gain it something, or cost the other something.

use crate::ledger::{Kind, SimLedger, Tx};
use crate::rng::Rng;
use photon_swap::{Role, Terms};

/// One way to cheat, drawn once.
#[derive(Clone, Debug)]
pub struct Mallory {
    role: Role,
    fund_at: Option<u64>,
    funds_wrong: bool,
    /// Waits until the counterparty's lock can be seen.
    waits_for_peer: bool,
    takes_back_unmined: bool,
    redeem_at: Option<u64>,
    /// Redeems when the counterparty's refund is about to be mined, just before it.
    snipes: bool,
    /// Mined without ever having been seen in a mempool.
    is_private: bool,
    refunds: bool,
    gone_at: Option<u64>,
    knows_secret: bool,
}

impl Mallory {
    pub fn new(role: Role, terms: &Terms, rng: &mut Rng) -> Self {
        let start = terms.deadlines.agreed_at.secs();
        let own_end = terms.own_leg(role).lock.expiry.opens_time.secs();
        let peer_end = terms.peer_leg(role).lock.expiry.opens_time.secs();
        let reveal_by = terms.deadlines.reveal_by.secs();
        let fund_by = terms.own_fund_by(role).secs();
        let last = terms.alpha.lock.expiry.opens_time.secs() + 80;
        let in_time = rng.between(start, start + 8);
        let just_in_time = rng.between(fund_by, reveal_by);
        let sometime = rng.between(start, own_end + 20);
        let fund_at = match (role, rng.between(0, 19)) {
            (_, 0) => None,
            (_, 1) => Some(sometime),
            // So that the counterparty acts at the last moment.
            (Role::Participant, 2..=10) => Some(just_in_time),
            (Role::Initiator, 2..=10) | (_, _) => Some(in_time),
        };
        let redeem_at = match rng.between(0, 9) {
            0 => None,
            1 | 2 => Some(start),
            3 => Some(rng.between(reveal_by.saturating_sub(3), reveal_by + 3)),
            // The last moments before the counterparty may take its own back.
            4..=7 => Some(rng.between(peer_end.saturating_sub(4), peer_end + 2)),
            _ => Some(rng.between(reveal_by, last)),
        };
        Self {
            role,
            fund_at,
            funds_wrong: rng.percent(5),
            waits_for_peer: role == Role::Participant && rng.percent(80),
            takes_back_unmined: rng.percent(15),
            redeem_at,
            snipes: rng.percent(30),
            is_private: rng.percent(50),
            refunds: rng.percent(85),
            gone_at: rng.percent(10).then(|| rng.between(start, last)),
            knows_secret: role == Role::Initiator,
        }
    }

    pub fn act(&mut self, now: u64, alpha: &mut SimLedger, beta: &mut SimLedger, rng: &mut Rng) {
        self.knows_secret |= alpha.shows_secret() || beta.shows_secret();
        if self.gone_at.is_some_and(|at| now >= at) {
            return;
        }
        let (own, peer) = match self.role {
            Role::Initiator => (alpha, beta),
            Role::Participant => (beta, alpha),
        };
        let tx = |kind| Tx { kind, from: self.role, honest: false, public: !self.is_private, stuck: false };
        let peer_is_there = peer.state().funded.is_some();
        if self.fund_at.is_some_and(|at| now >= at) && (peer_is_there || !self.waits_for_peer) {
            let kind = if self.funds_wrong { Kind::FundWrong } else { Kind::Fund };
            own.send(Tx { public: true, ..tx(kind) }, rng);
            if self.takes_back_unmined && rng.percent(30) {
                own.send(tx(Kind::Cancel), rng);
            }
        }
        let is_time = if self.snipes {
            peer.is_about_to(Kind::Refund, self.role.other(), now)
        } else {
            self.redeem_at.is_some_and(|at| now >= at)
        };
        if self.knows_secret && peer_is_there && is_time {
            peer.send(tx(Kind::Redeem), rng);
        }
        if self.refunds {
            own.send(tx(Kind::Refund), rng);
        }
    }
}
