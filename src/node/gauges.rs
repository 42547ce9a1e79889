//! What Prometheus is told: sums and ages, no ids, no peers. And the alarms that are told as events when something turns ill or well.

use super::Node;
use super::views::deadline;
use crate::clock;
use crate::coordinator::Live;
use crate::service::{HealthView, PairView, Service};
use crate::store::NewEvent;
use photon_chains::{Amount, Asset, UnixTime};
use photon_swap::Phase;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether something turned ill or well.
const LOOK: Duration = Duration::from_secs(5);

/// Every phase in which a swap lives: each has a gauge, also when no swap is in it.
const LIVE: [Phase; 11] = [
    Phase::Proposed,
    Phase::Agreed,
    Phase::AlphaPending,
    Phase::AlphaFunded,
    Phase::BetaPending,
    Phase::BetaFunded,
    Phase::Redeeming,
    Phase::Cancelling,
    Phase::WaitingForRefund,
    Phase::Refunding,
    Phase::Blind,
];

/// Every state in which a channel lives, as it is shown.
const CHANNELS: [&str; 5] = ["opening", "open", "closing", "closed", "behind"];

impl Node {
    /// Sets every gauge to what it is now.
    pub(super) async fn set_gauges(&self) {
        let (now, coordinator) = (clock::now(), &self.desk.coordinator);
        metrics::gauge!("photon_swaps_live").set(coordinator.book.len() as f64);
        self.set_swaps(now);
        self.set_channels().await;
        self.set_market().await;
        let stats = coordinator.store.stats();
        metrics::counter!("photon_store_commits_total").absolute(stats.commits);
        metrics::counter!("photon_store_writes_total").absolute(stats.writes);
        metrics::gauge!("photon_store_queue").set(stats.queued as f64);
        metrics::gauge!("photon_fees_held").set(f64::from(u8::from(coordinator.reserves.hold())));
        if let Ok((waiting, oldest)) = coordinator.store.outbox_age().await {
            metrics::gauge!("photon_outbox_waiting").set(waiting as f64);
            metrics::gauge!("photon_outbox_age_seconds").set(oldest.map_or(0, |at| now.secs_since(at)) as f64);
        }
        for ledger in coordinator.ledgers.chains() {
            let healthy = coordinator.ledgers.unhealthy(ledger, now).is_none();
            let outlook = coordinator.ledgers.outlook(ledger);
            metrics::gauge!("photon_ledger_healthy", "chain" => ledger.name()).set(f64::from(u8::from(healthy)));
            if let Some(tip) = outlook.tip {
                metrics::gauge!("photon_ledger_height", "chain" => ledger.name()).set(tip.block.height.get() as f64);
                metrics::gauge!("photon_ledger_tip_age_seconds", "chain" => ledger.name()).set(now.secs_since(tip.time) as f64);
            }
            if let Some(looked_at) = outlook.looked_at {
                metrics::gauge!("photon_node_lag_seconds", "chain" => ledger.name()).set(now.secs_since(looked_at) as f64);
            }
            if let Ok(fees) = coordinator.store.fees_paid(ledger).await {
                metrics::gauge!("photon_fees_paid", "chain" => ledger.name()).set(coins(fees, ledger.decimals()));
            }
        }
    }

    /// Which pairs have a price, how many quotes stand, and how far the slowest webhook is behind.
    async fn set_market(&self) {
        metrics::gauge!("photon_quotes_standing").set(self.desk.market.standing_quotes() as f64);
        for pair in self.pairs().await.unwrap_or_default() {
            let gauge = metrics::gauge!("photon_pair_priced", "give" => pair.give, "want" => pair.want);
            gauge.set(f64::from(u8::from(pair.price.is_some())));
        }
        let behind = self.webhooks().await.unwrap_or_default().into_iter().map(|hook| hook.behind).max();
        metrics::gauge!("photon_webhook_events_behind").set(behind.unwrap_or_default() as f64);
    }

    /// Channels by state, and by asset what can be sent, received, and is pending.
    async fn set_channels(&self) {
        let Ok(all) = self.channels.list().await else { return };
        let mut states: BTreeMap<&'static str, u64> = CHANNELS.into_iter().map(|state| (state, 0)).collect();
        let mut sums: BTreeMap<Asset, [i128; 3]> = BTreeMap::new();
        let mut unseen: BTreeMap<Asset, Amount> = BTreeMap::new();
        for channel in &all {
            *states.entry(super::channels::state(channel)).or_default() += 1;
            let asset = super::channels::asset_of(channel.ledger, channel.token);
            let pending = channel.own_pending.1.signed() + channel.peers_pending.1.signed();
            let amounts = [channel.can_send().max(0), channel.can_receive().max(0), pending];
            unseen.insert(asset, channel.unseen.0.into());
            sums.entry(asset).or_default().iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += amount);
        }
        for (state, count) in states {
            metrics::gauge!("photon_channels", "state" => state).set(count as f64);
        }
        for known in self.desk.assets.all() {
            let Some(amounts) = sums.get(&known.asset) else { continue };
            for (what, amount) in ["can_send", "can_receive", "pending"].into_iter().zip(amounts) {
                let amount = Amount::from_units(u128::try_from(*amount).unwrap_or_default());
                let gauge = metrics::gauge!("photon_channel_coins", "asset" => known.symbol.clone(), "what" => what);
                gauge.set(coins(amount, known.decimals));
            }
            let unseen = unseen.get(&known.asset).copied().unwrap_or_default();
            let gauge = metrics::gauge!("photon_channel_coins", "asset" => known.symbol.clone(), "what" => "unseen");
            gauge.set(coins(unseen, known.decimals));
        }
    }

    fn set_swaps(&self, now: UnixTime) {
        let mut of_phase: BTreeMap<&'static str, u64> = LIVE.into_iter().map(|phase| (phase.word(), 0)).collect();
        let mut at_risk: BTreeMap<Asset, Amount> = BTreeMap::new();
        let mut nearest: Option<UnixTime> = None;
        self.desk.coordinator.book.with(|swaps| {
            for live in swaps.values() {
                *of_phase.entry(live.phase.word()).or_default() += 1;
                if let Some((asset, amount)) = risked(live) {
                    let sum = at_risk.entry(asset).or_default();
                    *sum = sum.checked_add(amount).unwrap_or(Amount::MAX);
                }
                let next = deadline(&live.swap.terms, live.swap.role, live.phase.word()).map(|next| next.at);
                nearest = nearest.into_iter().chain(next).min();
            }
        });
        for (phase, count) in of_phase {
            metrics::gauge!("photon_swaps", "phase" => phase).set(count as f64);
        }
        for known in self.desk.assets.all() {
            let sum = at_risk.get(&known.asset).copied().unwrap_or_default();
            metrics::gauge!("photon_value_at_risk", "asset" => known.symbol.clone()).set(coins(sum, known.decimals));
        }
        // Below zero: something should have happened already. None: nothing is awaited.
        let left = nearest.map_or(f64::NAN, |at| at.secs() as f64 - now.secs() as f64);
        metrics::gauge!("photon_nearest_deadline_seconds").set(left);
    }

    /// What is wrong with the node itself, beside its ledgers.
    pub(super) fn troubles(&self) -> Vec<String> {
        let coordinator = &self.desk.coordinator;
        let store = coordinator.store.failure().map(|failure| format!("the database failed: {failure}"));
        let reserves = (!coordinator.reserves.hold()).then(|| {
            "the fees of running swaps are not held, or the disk is nearly full: top up or make room (the log says which)"
                .to_owned()
        });
        store.into_iter().chain(reserves).collect()
    }
}

/// What of ours may be on a ledger: from the intent to fund until the swap has ended.
fn risked(live: &Live) -> Option<(Asset, Amount)> {
    let own = live.swap.terms.own_leg(live.swap.role).lock;
    live.swap.facts.fund_intent.then_some((own.asset, own.amount))
}

/// For a gauge, where the last digits are of no matter.
fn coins(amount: Amount, decimals: u8) -> f64 {
    amount.units() as f64 / 10f64.powi(i32::from(decimals))
}

/// Tells as events what turned ill or well since the last look: `alert`, with the ledger, the pair or `node`, and the reason.
pub(super) async fn watch(node: Arc<Node>) -> anyhow::Result<()> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    // Right after the start no price was looked for yet.
    let mut pairs = Vec::new();
    loop {
        let health = node.health().await?;
        let ill = ills(&health, &pairs);
        let store = &node.desk.coordinator.store;
        for (subject, reason) in ill.iter().filter(|(subject, _)| !known.contains_key(*subject)) {
            tracing::warn!(subject, reason, "ill");
            store.append_event(alert(subject, "ill", Some(reason))).await?;
        }
        for subject in known.keys().filter(|subject| !ill.contains_key(*subject)) {
            tracing::info!(subject, "well again");
            store.append_event(alert(subject, "well", None)).await?;
        }
        known = ill;
        tokio::time::sleep(LOOK).await;
        pairs = node.pairs().await?;
    }
}

fn ills(health: &HealthView, pairs: &[PairView]) -> BTreeMap<String, String> {
    let ledgers = health.ledgers.iter().filter_map(|it| Some((it.ledger.name().to_owned(), it.trouble.clone()?)));
    let node = (!health.troubles.is_empty()).then(|| ("node".to_owned(), health.troubles.join("; ")));
    let unpriced = pairs.iter().filter_map(|pair| Some((format!("{}/{}", pair.give, pair.want), pair.trouble.clone()?)));
    ledgers.chain(node).chain(unpriced).collect()
}

fn alert(subject: &str, state: &str, reason: Option<&String>) -> NewEvent {
    let body = serde_json::json!({ "id": subject, "state": state, "reason": reason });
    NewEvent { kind: "alert".to_owned(), swap: None, body: body.to_string() }
}
