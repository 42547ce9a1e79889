//! A party that does whatever might gain it something, or cost the other something.

use crate::ledger::{HIGHEST_FEE, Key, Kind, SimLedger, Tx};
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
    /// Replacement cycling: the counterparty's refund is replaced by a redeem, and that by nothing, until Alpha is back.
    cycles: bool,
    /// Has the counterparty's forgotten funding mined once Alpha is back.
    digs_up: bool,
    /// Has a redeem ready for when the block with the counterparty's refund is reorganised away.
    undoes: bool,
    /// Shows the secret, and sees to it that nobody mines it.
    teases: bool,
    gone_at: Option<u64>,
    knows: Option<Key>,
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
            // Too late, where a median of block times still says that it is not.
            (Role::Participant, 2..=4) => Some(rng.between(reveal_by, reveal_by + 8)),
            // So that the counterparty acts at the last moment.
            (Role::Participant, 5..=12) => Some(just_in_time),
            (Role::Initiator, 2..) | (Role::Participant, 13..) => Some(in_time),
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
            cycles: role == Role::Initiator && rng.percent(20),
            digs_up: role == Role::Initiator && rng.percent(50),
            undoes: rng.percent(30),
            teases: rng.percent(10),
            gone_at: rng.percent(10).then(|| rng.between(start, last)),
            knows: (role == Role::Initiator).then_some(Key::Swap),
        }
    }

    /// `is_watched`: the counterparty's mempool watchers run.
    pub fn act(&mut self, now: u64, alpha: &mut SimLedger, beta: &mut SimLedger, is_watched: bool, rng: &mut Rng) {
        if alpha.has_leaked() || beta.has_leaked() {
            self.knows = Some(Key::Swap);
        }
        if self.gone_at.is_some_and(|at| now >= at) {
            return;
        }
        let (own, peer) = match self.role {
            Role::Initiator => (alpha, beta),
            Role::Participant => (beta, alpha),
        };
        let key = if peer.key() == Some(Key::Mallorys) { Some(Key::Mallorys) } else { self.knows };
        let from = self.role;
        let tx = |kind| Tx {
            kind,
            from,
            honest: false,
            public: !self.is_private,
            held: false,
            fee: HIGHEST_FEE,
            key: key.unwrap_or(Key::Mallorys),
        };
        let peer_is_there = peer.state_for(self.role).funded.is_some();
        if self.fund_at.is_some_and(|at| now >= at) && (peer_is_there || !self.waits_for_peer) {
            let kind = if self.funds_wrong { Kind::FundWrong } else { Kind::Fund };
            own.send(Tx { public: true, ..tx(kind) }, rng);
            if self.takes_back_unmined && rng.percent(30) {
                own.send(tx(Kind::Cancel), rng);
            }
        }
        // No mempool takes a refund before its time.
        if self.refunds && own.is_valid(&tx(Kind::Refund), now) {
            own.send(tx(Kind::Refund), rng);
        }
        let is_back = own.state_for(self.role).refunded.is_some();
        if self.digs_up && is_back {
            peer.boost(Kind::Fund, from.other());
        }
        if self.cycles && !is_back {
            self.cycle(now, peer, tx(Kind::Redeem), is_watched, rng);
            return;
        }
        let is_undone = self.undoes && peer.state_for(self.role).refunded.is_some();
        let is_time = if self.snipes {
            peer.is_due(Kind::Refund, from.other(), now) || (peer.is_about_to(Kind::Refund, from.other(), now) && rng.percent(20))
        } else {
            self.redeem_at.is_some_and(|at| now >= at)
        };
        if key.is_some() && peer_is_there && (is_time || is_undone || (self.cycles && is_back)) {
            let redeem = tx(Kind::Redeem);
            peer.send(if self.teases { Tx { public: true, held: true, ..redeem } } else { redeem }, rng);
        }
    }

    /// First the redeem throws the refund out, at the next moment it goes itself.
    fn cycle(&self, now: u64, peer: &mut SimLedger, redeem: Tx, is_watched: bool, rng: &mut Rng) {
        if peer.shown().is_some() {
            peer.evict(Kind::Redeem, self.role);
        } else if is_watched && peer.is_about_to(Kind::Refund, self.role.other(), now) {
            peer.evict(Kind::Refund, self.role.other());
            peer.send(Tx { public: true, held: true, ..redeem }, rng);
        }
    }
}
