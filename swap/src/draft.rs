//! From an offer and a take to terms: the maker draws them up, the taker checks every figure it relies on against its own.

use crate::check::TermsError;
use crate::guard::Guard;
use crate::ids::{Salt, SwapId};
use crate::offer::{Offer, OfferError, Take};
use crate::schedule::{Profile, Schedule, blocks_within, linked_schedule, schedule};
use crate::terms::{Deadlines, Leg, LegName, TERMS_VERSION, Terms};
use photon_chains::{
    Address, Amount, Asset, BlockHeight, ClockRule, Expiry, Family, Hash32, Lock, Party, Template, Timing, Tip, UnixTime,
};

/// What we ourselves know about the ledger of one leg. Nothing of it ever comes from the counterparty.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct LegRules {
    /// How fast it is, how deep we trust it.
    pub timing: Timing,
    /// How a lock of this asset is made.
    pub template: Template,
    /// The hash of its first block.
    pub genesis: Hash32,
    /// The chain id, on an EVM ledger.
    pub chain_id: Option<u64>,
    /// Digits after the dot of the asset.
    pub decimals: u8,
    /// The best block of our node.
    pub tip: Tip,
}

/// What we ourselves know and want when terms are drawn up or checked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Our clock.
    pub now: UnixTime,
    /// What our owner promises.
    pub profile: Profile,
    /// The ledger of what the maker wants.
    pub alpha: LegRules,
    /// The ledger of what the maker gives.
    pub beta: LegRules,
    /// The longest that our owner lets money be locked, in seconds.
    pub max_lock_secs: u64,
}

impl Rules {
    /// The deadlines of a swap between these legs.
    fn schedule(&self, profile: &Profile) -> Schedule {
        let (alpha, beta) = (&self.alpha, &self.beta);
        let is_one_chain = (alpha.genesis, alpha.chain_id) == (beta.genesis, beta.chain_id);
        let plan = if is_one_chain && alpha.template.shares_judge(&beta.template) { linked_schedule } else { schedule };
        plan(profile, &alpha.timing, &beta.timing)
    }
}

/// The maker's half of the terms.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct MakerHalf {
    /// Identity of the maker.
    pub maker: Address,
    /// The maker's salt, from which it derives its keys.
    pub salt: Salt,
    /// Who redeems Alpha.
    pub alpha_redeemer: Party,
    /// Who takes Beta back.
    pub beta_refundee: Party,
}

/// Why terms are not signed. Each says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// See [`OfferError`].
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// See [`TermsError`].
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// They belong to another offer.
    #[error("the answer belongs to another offer: take the offer again")]
    OtherOffer,
    /// They name other parties than the offer and the take.
    #[error("the terms name other parties than the offer and the take: don't deal with this maker")]
    OtherParties,
    /// A secret hash other than ours.
    #[error("the terms are locked by another hash than ours: don't deal with this maker")]
    OtherHash,
    /// Another amount or asset than offered.
    #[error("{0} locks another asset or amount than the offer says: don't deal with this maker")]
    OtherMoney(LegName),
    /// The money would come back, or go, to somebody else.
    #[error("{0} does not name our own key or account: don't deal with this maker")]
    OtherKey(LegName),
    /// Another network.
    #[error("{0} lies on another network than our node: both sides must be configured for the same one")]
    OtherNetwork(LegName),
    /// Another script or contract than ours.
    #[error("{0} uses another script or contract than ours: compare both sides' contract addresses and versions")]
    OtherTemplate(LegName),
    /// Other figures for the asset or its depth.
    #[error(
        "{0} counts other confirmations or decimals than we do: both sides must run the same version and name the same confirmations"
    )]
    OtherFigures(LegName),
    /// The other clock differs.
    #[error("the terms are dated {agreed_at} and our clock says {now}: set both clocks, then take the offer again")]
    ClockDiffers {
        /// What they say.
        agreed_at: UnixTime,
        /// What our clock says.
        now: UnixTime,
    },
    /// There is no time left to fund Alpha.
    #[error("the time to fund alpha is over: take the offer again")]
    TooLate,
    /// The allowance for being offline is less than we need.
    #[error("the terms allow {offered} seconds offline and our profile needs {needed}: ask for terms with our allowance")]
    Offline {
        /// What the terms allow.
        offered: u64,
        /// What we need.
        needed: u64,
    },
    /// A margin is smaller than we compute.
    #[error("{what} leaves {offered} seconds and must leave {needed}: both sides must run the same version")]
    TooShort {
        /// Which margin.
        what: Margin,
        /// What the terms leave.
        offered: u64,
        /// What we compute.
        needed: u64,
    },
    /// Our money would be locked too long.
    #[error("money would be locked for {offered} seconds and our limit is {limit}: raise the limit or choose another pair")]
    TooLong {
        /// What the terms ask.
        offered: u64,
        /// Our limit.
        limit: u64,
    },
    /// Alpha's refund block does not fit our chain.
    #[error(
        "alpha's refund waits for block {offered}, and by our node it should be about {expected}: check that both nodes are in sync"
    )]
    OpensBlock {
        /// What the terms ask.
        offered: BlockHeight,
        /// What we compute.
        expected: BlockHeight,
    },
    /// The taker accepted something else.
    #[error("the accepted terms are not the ones we proposed: ignore them")]
    OtherTerms,
}

/// A stretch of time that must not be too short.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Margin {
    /// For Alpha to be funded.
    FundAlpha,
    /// For Alpha to confirm and Beta to be funded.
    FundBeta,
    /// For Beta to confirm and the secret to be revealed.
    Reveal,
    /// For the Initiator to redeem Beta.
    RedeemBeta,
    /// For the Participant to redeem Alpha.
    RedeemAlpha,
}

impl std::fmt::Display for Margin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Margin::FundAlpha => "the time to fund alpha",
            Margin::FundBeta => "the time for alpha to confirm and beta to be funded",
            Margin::Reveal => "the time for beta to confirm and the secret to be revealed",
            Margin::RedeemBeta => "the time to redeem beta",
            Margin::RedeemAlpha => "the time to redeem alpha",
        })
    }
}

/// The maker's side: draws up the terms of a taken offer. The longer allowance for being offline of both parties counts.
pub fn build_terms(offer: &Offer, take: &Take, maker: &MakerHalf, rules: &Rules) -> Result<Terms, Refusal> {
    offer.check(rules.now)?;
    if take.offer != offer.id {
        return Err(Refusal::OtherOffer);
    }
    if maker.maker != offer.maker {
        return Err(Refusal::OtherParties);
    }
    let profile = rules.profile.at_least_offline(take.offline_secs);
    let plan = rules.schedule(&profile);
    if plan.alpha_expiry > rules.max_lock_secs {
        return Err(Refusal::TooLong { offered: plan.alpha_expiry, limit: rules.max_lock_secs });
    }
    let at = |secs| rules.now.plus_secs(secs);
    let deadlines = Deadlines {
        agreed_at: rules.now,
        fund_alpha_by: at(plan.fund_alpha_by),
        fund_beta_by: at(plan.fund_beta_by),
        reveal_by: at(plan.reveal_by),
    };
    let terms = Terms {
        version: TERMS_VERSION,
        offer: offer.id,
        initiator: take.taker,
        participant: maker.maker,
        initiator_salt: take.salt,
        participant_salt: maker.salt,
        alpha: build_leg(
            &rules.alpha,
            Lock {
                asset: offer.want.asset,
                amount: offer.want.amount,
                redeemer: maker.alpha_redeemer,
                refundee: take.alpha_refundee,
                secret_hash: take.secret_hash,
                expiry: alpha_expiry(&plan, &profile, &rules.alpha, offer.want.asset, rules.now),
                template: rules.alpha.template,
            },
        ),
        beta: build_leg(
            &rules.beta,
            Lock {
                asset: offer.give.asset,
                amount: offer.give.amount,
                redeemer: take.beta_redeemer,
                refundee: maker.beta_refundee,
                secret_hash: take.secret_hash,
                expiry: beta_expiry(&plan, &profile, &rules.beta, offer.give.asset, rules.now),
                template: rules.beta.template,
            },
        ),
        deadlines,
        offline_secs: profile.offline_secs,
    };
    terms.check()?;
    Ok(terms)
}

fn build_leg(rules: &LegRules, lock: Lock) -> Leg {
    Leg {
        lock,
        genesis: rules.genesis,
        chain_id: rules.chain_id,
        decimals: rules.decimals,
        confirmations: rules.timing.confirmations,
    }
}

fn alpha_expiry(plan: &Schedule, profile: &Profile, rules: &LegRules, asset: Asset, now: UnixTime) -> Expiry {
    let opens = now.plus_secs(plan.alpha_expiry);
    match asset.ledger().family() {
        Family::Utxo => Expiry::at(opens),
        Family::Evm => Expiry {
            opens_block: rules.tip.block.height.plus(plan.alpha_blocks),
            lock_by: lock_by(&rules.template, now.plus_secs(plan.fund_alpha_by).plus_secs(profile.act_secs)),
            linked: rules.template.is_linked(),
            ..Expiry::at(opens)
        },
    }
}

fn beta_expiry(plan: &Schedule, profile: &Profile, rules: &LegRules, asset: Asset, now: UnixTime) -> Expiry {
    let opens = now.plus_secs(plan.beta_expiry);
    match asset.ledger().family() {
        Family::Utxo => Expiry::at(opens),
        Family::Evm => Expiry {
            closes: Guard::BetaCloses.holds().then_some(opens),
            lock_by: lock_by(&rules.template, now.plus_secs(plan.fund_beta_by).plus_secs(profile.act_secs)),
            linked: rules.template.is_linked(),
            ..Expiry::at(opens)
        },
    }
}

fn lock_by(template: &Template, latest: UnixTime) -> Option<UnixTime> {
    (Guard::LockBy.holds() && template.has_funding_deadline()).then_some(latest)
}

/// The taker's side: checks terms that a maker drew up. Everything the taker relies on is recomputed from its own
/// parameters, never from the maker's.
pub fn verify_draft(take: &Take, offer: &Offer, terms: &Terms, rules: &Rules) -> Result<(), Refusal> {
    terms.check()?;
    if terms.offer != offer.id || take.offer != offer.id {
        return Err(Refusal::OtherOffer);
    }
    if (terms.initiator, terms.participant, terms.initiator_salt) != (take.taker, offer.maker, take.salt) {
        return Err(Refusal::OtherParties);
    }
    if Guard::OwnHash.refuses(terms.secret_hash() != take.secret_hash) {
        return Err(Refusal::OtherHash);
    }
    verify_leg(LegName::Alpha, terms, &rules.alpha, (offer.want.asset, offer.want.amount))?;
    verify_leg(LegName::Beta, terms, &rules.beta, (offer.give.asset, offer.give.amount))?;
    if Guard::OwnKeys.refuses(terms.alpha.lock.refundee != take.alpha_refundee) {
        return Err(Refusal::OtherKey(LegName::Alpha));
    }
    if Guard::OwnKeys.refuses(terms.beta.lock.redeemer != take.beta_redeemer) {
        return Err(Refusal::OtherKey(LegName::Beta));
    }
    verify_times(terms, rules, take.offline_secs)
}

/// The maker's side, when the taker's signature has come: the accepted terms are the proposed ones, and there is still time
/// to fund Alpha.
pub fn verify_accept(proposed: &Terms, accepted: SwapId, rules: &Rules) -> Result<(), Refusal> {
    if accepted != proposed.id() {
        return Err(Refusal::OtherTerms);
    }
    if rules.now > proposed.deadlines.fund_alpha_by {
        return Err(Refusal::TooLate);
    }
    Ok(())
}

fn verify_leg(name: LegName, terms: &Terms, rules: &LegRules, money: (Asset, Amount)) -> Result<(), Refusal> {
    let leg = terms.leg(name);
    if Guard::OfferedMoney.refuses((leg.lock.asset, leg.lock.amount) != money) {
        return Err(Refusal::OtherMoney(name));
    }
    if Guard::OwnNetwork.refuses((leg.genesis, leg.chain_id) != (rules.genesis, rules.chain_id)) {
        return Err(Refusal::OtherNetwork(name));
    }
    if Guard::OwnTemplate.refuses(leg.lock.template != rules.template) {
        return Err(Refusal::OtherTemplate(name));
    }
    if Guard::OwnFigures.refuses((leg.confirmations, leg.decimals) != (rules.timing.confirmations, rules.decimals)) {
        return Err(Refusal::OtherFigures(name));
    }
    Ok(())
}

fn verify_times(terms: &Terms, rules: &Rules, own_offline: u64) -> Result<(), Refusal> {
    let needed = own_offline.max(rules.profile.offline_secs);
    if terms.offline_secs < needed {
        return Err(Refusal::Offline { offered: terms.offline_secs, needed });
    }
    let profile = rules.profile.at_least_offline(terms.offline_secs);
    let agreed_at = terms.deadlines.agreed_at;
    let slack = profile.skew_secs.saturating_add(profile.act_secs);
    let is_ours = agreed_at <= rules.now.plus_secs(profile.skew_secs) && agreed_at.plus_secs(slack) >= rules.now;
    if Guard::DraftDate.refuses(!is_ours) {
        return Err(Refusal::ClockDiffers { agreed_at, now: rules.now });
    }
    if rules.now > terms.deadlines.fund_alpha_by {
        return Err(Refusal::TooLate);
    }
    let plan = rules.schedule(&profile);
    verify_margins(terms, &plan)?;
    let offered = terms.alpha.lock.expiry.opens_time.secs_since(agreed_at);
    if Guard::LongestLock.refuses(offered > rules.max_lock_secs) {
        return Err(Refusal::TooLong { offered, limit: rules.max_lock_secs });
    }
    verify_opens_block(terms, rules, &profile)
}

fn verify_margins(terms: &Terms, plan: &Schedule) -> Result<(), Refusal> {
    let times = &terms.deadlines;
    let (beta, alpha) = (terms.beta.lock.expiry.opens_time, terms.alpha.lock.expiry.opens_time);
    let margins = [
        (Margin::FundAlpha, times.agreed_at, times.fund_alpha_by, plan.fund_alpha_by),
        (Margin::FundBeta, times.fund_alpha_by, times.fund_beta_by, plan.fund_beta_by.saturating_sub(plan.fund_alpha_by)),
        (Margin::Reveal, times.fund_beta_by, times.reveal_by, plan.reveal_by.saturating_sub(plan.fund_beta_by)),
        (Margin::RedeemBeta, times.reveal_by, beta, plan.reveal_window_secs),
        (Margin::RedeemAlpha, beta, alpha, plan.gap_secs),
    ];
    for (what, from, to, needed) in margins {
        let offered = to.secs_since(from);
        if Guard::DraftMargins.refuses(offered < needed) {
            return Err(Refusal::TooShort { what, offered, needed });
        }
    }
    Ok(())
}

/// Alpha's refund also waits for a block. The maker counted from its own tip a moment ago, so a few blocks either way are
/// right: as many as fit into the time to act and the skew, twice.
fn verify_opens_block(terms: &Terms, rules: &Rules, profile: &Profile) -> Result<(), Refusal> {
    let expiry = &terms.alpha.lock.expiry;
    match rules.alpha.timing.rule {
        ClockRule::MedianTimePast { .. } => Ok(()),
        ClockRule::BlockTime { .. } => {
            let rule = &rules.alpha.timing.rule;
            let lasting = expiry.opens_time.secs_since(terms.deadlines.agreed_at);
            let expected = rules.alpha.tip.block.height.plus(Guard::RefundBlock.keeps(blocks_within(rule, lasting)));
            let slack = profile.act_secs.saturating_add(profile.skew_secs).saturating_mul(2);
            let tolerance = blocks_within(rule, slack);
            let offered = expiry.opens_block;
            let is_near = expected.minus(tolerance) <= offered && offered <= expected.plus(tolerance);
            if Guard::DraftRefundBlock.refuses(!is_near) {
                return Err(Refusal::OpensBlock { offered, expected });
            }
            Ok(())
        }
    }
}
