//! How a swap is agreed, over a wire that loses messages, repeats them and lets them overtake each other; and what Mallory
//! writes into a draft.

use crate::channel::{Weak, channel_timing};
use crate::common::{ALICE, BOB, address, party};
use crate::ledger::{Key, timing};
use crate::rng::Rng;
use crate::world::{HEIGHT, START, Setting};
use photon_chains::*;
use photon_swap::*;

/// What each party has on its disk after the talk.
pub struct Agreement {
    /// What the taker signed, and when it was told that the maker has it.
    pub initiator: Option<(Terms, Option<u64>)>,
    /// What the maker was sent an acceptance of, and when.
    pub participant: Option<(Terms, u64)>,
    /// Mallory's contract stands where the terms say.
    pub is_trap: bool,
}

#[derive(Copy, Clone)]
enum Message {
    Take,
    Proposal(usize),
    Accept(usize),
    Accepted(usize),
}

/// What Mallory, as the maker, may change in a draft.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Change {
    BetaHash,
    BothHashes,
    Amount,
    Redeemer,
    Contract,
    EarlierBeta,
    LaterAlpha,
    LaterBlock,
    OpenBeta,
}

const CHANGES: [Change; 11] = [
    Change::EarlierBeta,
    Change::EarlierBeta,
    Change::BetaHash,
    Change::BothHashes,
    Change::Amount,
    Change::Redeemer,
    Change::Contract,
    Change::EarlierBeta,
    Change::LaterAlpha,
    Change::LaterBlock,
    Change::OpenBeta,
];

/// Of a hundred drafts of Mallory's, as many are changed. Who refuses one asks again.
const CHANGED_PERCENT: u64 = 35;

/// Where the two legs lie.
#[derive(Copy, Clone, Debug)]
pub struct Legs {
    pub alpha: Ledger,
    pub beta: Ledger,
    /// Mediators on the way, where a leg is in channels.
    pub reach: u8,
    /// What is left out of the engines.
    pub weak: Option<Weak>,
}

impl Legs {
    /// Both legs hang on one registry.
    pub fn are_linked(&self) -> bool {
        self.alpha == self.beta
    }

    pub fn rules(&self, ledger: Ledger) -> LegRules {
        let rules = crate::common::leg_rules(ledger);
        match rules.template {
            Template::Channel { contract, .. } => LegRules {
                timing: channel_timing(self.reach, self.weak),
                template: Template::Channel { contract, reach: self.reach },
                ..rules
            },
            Template::P2wsh | Template::Htlc { .. } => LegRules { timing: timing(ledger.family()), ..rules },
        }
    }
}

struct Talk<'a> {
    setting: &'a Setting,
    offer: Offer,
    take: Take,
    legs: Legs,
    /// Every draft that was sent, in order.
    drafts: Vec<Terms>,
    wire: Vec<(u64, Role, Message)>,
    is_trap: bool,
    /// The taker's: durable before its acceptance leaves.
    chosen: Option<usize>,
    confirmed_at: Option<u64>,
    /// The maker's: durable before it says so.
    saved: Option<(usize, u64)>,
}

/// The clocks of both parties are right to the second here; their skew comes later.
pub fn agree(setting: &Setting, legs: Legs, rng: &mut Rng) -> Agreement {
    let money = |asset| Money { asset, amount: Amount::from_units(1_000) };
    let (want, give) = (Asset::Native(legs.alpha), Asset::Native(legs.beta));
    let give = if legs.are_linked() { Asset::Token(legs.beta, address(0x70)) } else { give };
    let valid_until = UnixTime::from_secs(START + 60);
    let offer = Offer::new(address(BOB), money(give), money(want), valid_until, Salt::from_bytes([1; 16]));
    let take = Take {
        offer: offer.id,
        taker: address(ALICE),
        salt: Salt::from_bytes([2; 16]),
        secret_hash: Key::Swap.secret().hash(),
        alpha_refundee: party(legs.alpha, ALICE),
        beta_redeemer: party(legs.beta, ALICE + 1),
        offline_secs: 5,
    };
    let mut talk = Talk {
        setting,
        offer,
        take,
        legs,
        drafts: Vec::new(),
        wire: Vec::new(),
        is_trap: false,
        chosen: None,
        confirmed_at: None,
        saved: None,
    };
    let mut now = START;
    while now < START + Profile::REGTEST.act_secs + 2 && (talk.confirmed_at.is_none() || !talk.wire.is_empty()) {
        now += 1;
        talk.tick(now, rng);
    }
    let is_honest = |role| setting.mallory != Some(role);
    let chosen = talk.chosen.map(|at| (talk.drafts[at], talk.confirmed_at));
    let saved = talk.saved.map(|(at, when)| (talk.drafts[at], when));
    Agreement {
        initiator: chosen.filter(|_| is_honest(Role::Initiator)),
        participant: saved.filter(|_| is_honest(Role::Participant)),
        is_trap: talk.is_trap,
    }
}

pub fn rules(legs: Legs, now: u64) -> Rules {
    let leg = |ledger: Ledger| {
        let tip = Tip {
            block: BlockRef { height: BlockHeight::new(HEIGHT + now - START), hash: Hash32::from_bytes([1; 32]) },
            time: UnixTime::from_secs(now),
            lock_clock: UnixTime::from_secs(now),
        };
        LegRules { tip, ..legs.rules(ledger) }
    };
    let now = UnixTime::from_secs(now);
    Rules { now, profile: Profile::REGTEST, alpha: leg(legs.alpha), beta: leg(legs.beta), max_lock_secs: 600 }
}

impl Talk<'_> {
    fn tick(&mut self, now: u64, rng: &mut Rng) {
        // The taker repeats whatever has not been answered.
        match (self.chosen, self.confirmed_at) {
            (None, _) => self.post(now, Role::Participant, Message::Take, rng),
            (Some(draft), None) => self.post(now, Role::Participant, Message::Accept(draft), rng),
            (Some(_), Some(_)) => {}
        }
        let due: Vec<(u64, Role, Message)> = self.wire.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, to, message) in due {
            match to {
                Role::Initiator => self.taker_reads(now, message, rng),
                Role::Participant => self.maker_reads(now, message, rng),
            }
        }
        if self.setting.mallory == Some(Role::Initiator) && !self.drafts.is_empty() && rng.percent(20) {
            // Mallory accepts whichever draft she likes, late, or several of them.
            let draft = rng.between(0, self.drafts.len() as u64 - 1) as usize;
            self.post(now, Role::Participant, Message::Accept(draft), rng);
        }
    }

    fn post(&mut self, now: u64, to: Role, message: Message, rng: &mut Rng) {
        if self.setting.is_calm {
            self.wire.push((now, to, message));
            return;
        }
        let copies = rng.pick(&[0, 1, 1, 1, 2]);
        for _ in 0..copies {
            self.wire.push((now + rng.between(0, 3), to, message));
        }
    }

    fn maker_reads(&mut self, now: u64, message: Message, rng: &mut Rng) {
        match message {
            Message::Take => {
                if self.saved.is_none()
                    && let Some(terms) = self.draft(now, rng)
                {
                    self.drafts.push(terms);
                    let draft = self.drafts.len() - 1;
                    self.post(now, Role::Initiator, Message::Proposal(draft), rng);
                }
            }
            Message::Accept(draft) => {
                // One offer is one swap, and one hash: a second acceptance changes nothing.
                let proposed = self.drafts[draft];
                let is_right = verify_accept(&proposed, proposed.id(), &rules(self.legs, now)).is_ok();
                if self.saved.is_none() && is_right {
                    self.saved = Some((draft, now));
                }
                if self.saved.is_some_and(|(saved, _)| saved == draft) {
                    self.post(now, Role::Initiator, Message::Accepted(draft), rng);
                }
            }
            Message::Proposal(_) | Message::Accepted(_) => {}
        }
    }

    fn taker_reads(&mut self, now: u64, message: Message, rng: &mut Rng) {
        match message {
            Message::Proposal(draft) => {
                let terms = self.drafts[draft];
                let verdict = verify_draft(&self.take, &self.offer, &terms, &rules(self.legs, now));
                let is_mallory = self.setting.mallory == Some(Role::Initiator);
                if self.chosen.is_none() && (verdict.is_ok() || is_mallory) {
                    self.chosen = Some(draft);
                    self.post(now, Role::Participant, Message::Accept(draft), rng);
                }
            }
            Message::Accepted(draft) => {
                if self.chosen == Some(draft) && now <= self.drafts[draft].deadlines.fund_alpha_by.secs() {
                    self.confirmed_at.get_or_insert(now);
                }
            }
            Message::Take | Message::Accept(_) => {}
        }
    }

    fn draft(&mut self, now: u64, rng: &mut Rng) -> Option<Terms> {
        let half = MakerHalf {
            maker: address(BOB),
            salt: Salt::from_bytes([3 + self.drafts.len() as u8; 16]),
            alpha_redeemer: party(self.legs.alpha, BOB),
            beta_refundee: party(self.legs.beta, BOB + 1),
        };
        let mut terms = build_terms(&self.offer, &self.take, &half, &rules(self.legs, now)).ok()?;
        if self.setting.mallory == Some(Role::Participant) && rng.percent(CHANGED_PERCENT) {
            let change = rng.pick(&CHANGES);
            self.is_trap |= change == Change::Contract;
            change_draft(&mut terms, change, rng);
        }
        Some(terms)
    }
}

fn change_draft(terms: &mut Terms, change: Change, rng: &mut Rng) {
    let other = Key::Mallorys.secret().hash();
    let beta_family = terms.beta.lock.asset.ledger().family();
    let (alpha, beta) = (&mut terms.alpha.lock, &mut terms.beta.lock);
    match change {
        Change::BetaHash => beta.secret_hash = other,
        Change::BothHashes => (alpha.secret_hash, beta.secret_hash) = (other, other),
        Change::Amount => beta.amount = Amount::from_units(999),
        Change::Redeemer => beta.redeemer = party(beta.asset.ledger(), 0xee),
        Change::Contract => match beta_family {
            Family::Utxo => {}
            Family::Evm => beta.template = Template::Htlc { contract: address(0xee), code_hash: Hash32::from_bytes([0xef; 32]) },
        },
        Change::EarlierBeta => {
            let room = beta.expiry.opens_time.secs_since(terms.deadlines.reveal_by);
            let left = rng.pick(&[1, 2, 4, room / 2, room - 1]);
            beta.expiry.opens_time = terms.deadlines.reveal_by.plus_secs(left.max(1));
            beta.expiry.closes = beta.expiry.closes.map(|_| beta.expiry.opens_time);
        }
        Change::LaterAlpha => {
            let later = alpha.expiry.opens_time.plus_secs(100_000);
            if alpha.expiry.opens_block.get() > 0 {
                alpha.expiry.opens_block = alpha.expiry.opens_block.plus(100_000);
            }
            alpha.expiry.opens_time = later;
        }
        Change::LaterBlock => {
            if alpha.expiry.opens_block.get() > 0 {
                alpha.expiry.opens_block = alpha.expiry.opens_block.plus(100_000);
            }
        }
        Change::OpenBeta => beta.expiry.closes = None,
    }
}
