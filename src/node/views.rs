//! Swaps as people and programs see them.

use super::Node;
use crate::clock;
use crate::coordinator::{Approval, Live, OUTSIDE};
use crate::service::{DeadlineView, FactView, Funding, LegView, ServiceError, SwapView, TransactionView};
use crate::store::{SwapRecord, TxRow};
use photon_chains::{LockStatus, Purpose, Settlement, Sighting, UnixTime};
use photon_swap::{Leg, LegName, Role, Terms};

impl Node {
    /// A stored swap, with what its ledgers show if it is live.
    pub(super) async fn swap_view(&self, record: &SwapRecord) -> Result<SwapView, ServiceError> {
        let broken = |_| ServiceError::Internal("a stored swap can't be read".to_owned());
        let terms: Terms = serde_json::from_str(&record.swap.terms).map_err(broken)?;
        let live = self.desk.coordinator.book.get(terms.id());
        let role = record.swap.role;
        let outcome = record.swap.ended.as_ref().map(|ending| ending.outcome.clone());
        let phase = match (&outcome, &live) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(live)) => live.phase.word().to_owned(),
            (None, None) => "starting".to_owned(),
        };
        let mut legs = Vec::new();
        for name in [LegName::Alpha, LegName::Beta] {
            legs.push(self.leg_view(&terms, role, name, live.as_ref(), outcome.as_deref()).await?);
        }
        let facts = record.facts.iter().filter(|fact| fact.kind != OUTSIDE);
        Ok(SwapView {
            id: terms.id().to_string(),
            offer: terms.offer.to_string(),
            role: role.word().to_owned(),
            peer: record.swap.peer,
            deadline: if outcome.is_some() { None } else { deadline(&terms, role, &phase) },
            phase,
            secret_hash: terms.secret_hash(),
            agreed_at: record.swap.agreed_at.unwrap_or(record.swap.created_at),
            ended_at: record.swap.ended.as_ref().map(|ending| ending.at),
            outcome,
            legs,
            facts: facts.map(|fact| FactView { fact: fact.kind.clone(), at: fact.at }).collect(),
            approval: approval(record, live.as_ref()),
            trouble: live.and_then(|live| live.trouble),
        })
    }

    async fn leg_view(
        &self,
        terms: &Terms,
        role: Role,
        name: LegName,
        live: Option<&Live>,
        outcome: Option<&str>,
    ) -> Result<LegView, ServiceError> {
        let leg = terms.leg(name);
        let ledger = leg.lock.asset.ledger();
        let ours = role.own_leg() == name;
        let sighting = self.desk.coordinator.ledgers.sighting(ledger, leg.lock.id());
        let (status, depth) = match (&sighting, outcome) {
            (Some(sighting), _) => status(sighting),
            (None, Some(outcome)) => (ended_status(outcome, ours).to_owned(), 0),
            (None, None) => ("unknown".to_owned(), 0),
        };
        // Only once it is durable that it may be paid, and only for as long as paying makes sense.
        let payable = |live: &Live| {
            let facts = &live.swap.facts;
            let in_time = clock::now() <= terms.own_fund_by(role);
            facts.fund_intent && !facts.cancel_intent && in_time && (status == "absent" || status == "unknown")
        };
        let by_hand = ours && live.is_some_and(|live| live.funding == Funding::Outside && payable(live));
        let address = by_hand.then(|| self.desk.coordinator.ledgers.port(ledger)?.funding_address(&leg.lock)).flatten();
        let transactions = self.desk.coordinator.store.transactions_of(leg.lock.id()).await.map_err(super::service::stored)?;
        Ok(LegView {
            leg: name.word().to_owned(),
            ledger,
            asset_amount: self.desk.assets.show(leg.lock.asset, leg.lock.amount),
            ours,
            status,
            depth,
            depth_wanted: leg.confirmations,
            refund_from: leg.lock.expiry.opens_time,
            funding_uri: address.as_ref().map(|address| uri(leg, address)),
            funding_address: address,
            transactions: transactions.iter().map(transaction).collect(),
        })
    }
}

/// How it stands with whoever is asked before our own lock, where somebody is.
fn approval(record: &SwapRecord, live: Option<&Live>) -> Option<String> {
    let answered = || record.facts.iter().find_map(|fact| Approval::of_fact(&fact.kind)).unwrap_or(Approval::NotNeeded);
    let stands = live.map_or_else(answered, |live| live.approval);
    (stands != Approval::NotNeeded).then(|| stands.word().to_owned())
}

/// BIP-21, and the same by custom on Litecoin.
fn uri(leg: &Leg, address: &str) -> String {
    format!("{}:{address}?amount={}", leg.lock.asset.ledger(), leg.lock.amount.coins(leg.decimals))
}

fn status(sighting: &Sighting) -> (String, u32) {
    let (word, depth) = match &sighting.status {
        LockStatus::Absent => ("absent", 0),
        LockStatus::Pending { depth, .. } => ("pending", *depth),
        LockStatus::Funded { depth, .. } => ("funded", *depth),
        LockStatus::Redeemed { .. } => ("redeemed", 0),
        LockStatus::Refunded { .. } => ("refunded", 0),
    };
    (word.to_owned(), depth)
}

/// What a leg came to, once nobody watches it any more.
fn ended_status(outcome: &str, ours: bool) -> &'static str {
    match (outcome, ours) {
        ("completed", _) => "redeemed",
        ("refunded" | "took_both", true) => "refunded",
        ("refunded", false) => "ended",
        ("took_both", false) | ("lost", true) => "redeemed",
        ("lost", false) => "refunded",
        _ => "absent",
    }
}

/// A transaction of ours as people see it.
pub(super) fn transaction(row: &TxRow) -> TransactionView {
    let (state, fee) = match row.ended.as_ref().map(|end| end.settlement) {
        None => ("sent", row.fee),
        Some(Settlement::Mined { fee, succeeded: true, .. }) => ("mined", fee),
        Some(Settlement::Mined { fee, succeeded: false, .. }) => ("reverted", fee),
        Some(Settlement::Replaced) => ("replaced", photon_chains::Amount::ZERO),
    };
    TransactionView { purpose: row.intent.purpose.word().to_owned(), txid: row.txid, state: state.to_owned(), fee }
}

/// The next moment at which something must have happened, or may happen.
pub(super) fn deadline(terms: &Terms, role: Role, phase: &str) -> Option<DeadlineView> {
    let view = |what: &str, at: UnixTime| Some(DeadlineView { what: what.to_owned(), at });
    let expiry = |leg: &Leg| leg.lock.expiry.opens_time;
    match phase {
        "completed" | "refunded" | "void" | "lost" | "took_both" => None,
        "redeeming" => view("redeem by", expiry(terms.peer_leg(role))),
        "waiting_for_refund" | "refunding" | "cancelling" => view("refund from", expiry(terms.own_leg(role))),
        "proposed" | "agreed" => view("fund alpha by", terms.deadlines.fund_alpha_by),
        "alpha_pending" | "alpha_funded" => view("fund beta by", terms.deadlines.fund_beta_by),
        _ => view("reveal by", terms.deadlines.reveal_by),
    }
}

/// The purpose of a wallet payment's transactions.
pub(super) fn is_send(row: &TxRow) -> bool {
    row.intent.purpose == Purpose::Send
}
