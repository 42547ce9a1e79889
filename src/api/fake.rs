//! A service in memory, for the tests of the API and of the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod channels;

use crate::service::*;
use async_trait::async_trait;
use photon_chains::{Address, Amount, Ledger, SecretHash, TxId, UnixTime};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{Notify, Semaphore};

/// The clock of every fake answer.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) struct Fake {
    state: Mutex<State>,
    /// How many creating calls had their effect.
    pub effects: AtomicU32,
    /// Every creating call takes one of these first: without any left it hangs.
    pub leave: Semaphore,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    offers: Vec<OfferView>,
    heard: Vec<OfferView>,
    swaps: Vec<SwapView>,
    sends: Vec<SendView>,
    peers: Vec<PeerView>,
    channels: Vec<ChannelView>,
    payments: Vec<PaymentRecord>,
    requests: Vec<PaymentRequestView>,
    events: Vec<EventView>,
    answers: HashMap<String, StoredAnswer>,
    fail: Option<ServiceError>,
    panic: bool,
}

pub(crate) fn id(number: u8) -> String {
    hex::encode([number; 32])
}

pub(crate) fn amount(asset: &str, units: u128, coins: &str) -> AssetAmount {
    AssetAmount { asset: asset.to_owned(), amount: Amount::from_units(units), coins: Some(coins.to_owned()) }
}

fn btc() -> AssetAmount {
    amount("BTC", 10_000_000, "0.1")
}

fn eth() -> AssetAmount {
    amount("ETH", 2_000_000_000_000_000_000, "2")
}

pub(crate) fn offer(number: u8, maker: u8) -> OfferView {
    OfferView {
        id: id(number),
        maker: Address::from_bytes([maker; 20]),
        give: btc(),
        want: eth(),
        valid_until: UnixTime::from_secs(NOW + 3600),
        state: "open".to_owned(),
        peer: None,
    }
}

fn leg(leg: &str, ledger: Ledger, asset_amount: AssetAmount, ours: bool, depth: u32) -> LegView {
    let outside = (ours && depth == 0).then(|| "bcrt1qfund".to_owned());
    let transaction = TransactionView {
        purpose: "fund".to_owned(),
        txid: TxId::from_bytes([9; 32]),
        state: "mined".to_owned(),
        fee: Amount::from_units(1500),
    };
    LegView {
        leg: leg.to_owned(),
        ledger,
        asset_amount,
        ours,
        status: if depth > 0 { "funded" } else { "absent" }.to_owned(),
        depth,
        depth_wanted: 3,
        refund_from: UnixTime::from_secs(NOW + 7200),
        funding_uri: outside.as_ref().map(|address| format!("bitcoin:{address}?amount=0.1")),
        funding_address: outside,
        transactions: if depth > 0 { vec![transaction] } else { Vec::new() },
    }
}

pub(crate) fn swap(number: u8, outcome: Option<&str>) -> SwapView {
    let depth = if outcome.is_some() { 3 } else { u32::from(number % 3) };
    SwapView {
        id: id(number),
        offer: id(0x0f),
        role: "initiator".to_owned(),
        peer: Address::from_bytes([0xbb; 20]),
        phase: outcome.unwrap_or("funding").to_owned(),
        outcome: outcome.map(str::to_owned),
        secret_hash: SecretHash::from_bytes([number; 32]),
        agreed_at: UnixTime::from_secs(NOW - 60),
        ended_at: outcome.map(|_| UnixTime::from_secs(NOW)),
        deadline: outcome.is_none().then(|| DeadlineView { what: "fund alpha".to_owned(), at: UnixTime::from_secs(NOW + 180) }),
        legs: vec![leg("alpha", Ledger::Bitcoin, btc(), true, depth), leg("beta", Ledger::Ethereum, eth(), false, 0)],
        facts: vec![FactView { fact: "fund_intent".to_owned(), at: UnixTime::from_secs(NOW - 30) }],
        trouble: None,
        approval: None,
    }
}

impl Fake {
    pub fn new() -> Self {
        let fake =
            Self { state: Mutex::default(), effects: AtomicU32::new(0), leave: Semaphore::new(1000), arrived: Notify::new() };
        for number in 1..=3 {
            fake.happened("ledger", "bitcoin", serde_json::json!({ "height": number }));
        }
        fake
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn happened(&self, kind: &str, subject: &str, data: serde_json::Value) {
        let mut state = self.state();
        let seq = state.events.len() as u64 + 1;
        let at = UnixTime::from_secs(NOW);
        state.events.push(EventView { seq, kind: kind.to_owned(), at, subject: subject.to_owned(), data });
        drop(state);
        self.arrived.notify_waiters();
    }

    /// Sets a swap, new or changed, with its event.
    pub fn put_swap(&self, swap: SwapView) {
        let id = swap.id.clone();
        self.change_quietly(swap);
        self.happened("swap", &id, serde_json::json!({}));
    }

    /// The same without an event.
    pub fn change_quietly(&self, swap: SwapView) {
        let mut state = self.state();
        state.swaps.retain(|known| known.id != swap.id);
        state.swaps.insert(0, swap);
    }

    /// Another node tells of an offer.
    pub fn tell(&self, number: u8, maker: u8) {
        let made = offer(number, maker);
        let peer = Some(format!("{}@maker.example:7707", made.maker));
        self.state().heard.push(OfferView { peer, ..made });
    }

    pub fn fail(&self, error: Option<ServiceError>) {
        self.state().fail = error;
    }

    pub fn panic_next(&self) {
        self.state().panic = true;
    }

    pub fn answer(&self, key: &str) -> Option<StoredAnswer> {
        self.state().answers.get(key).cloned()
    }

    pub fn set_answer(&self, key: &str, answer: StoredAnswer) {
        self.state().answers.insert(key.to_owned(), answer);
    }

    async fn effect(&self) -> Result<u8, ServiceError> {
        self.leave.acquire().await.unwrap().forget();
        let mut state = self.state();
        if std::mem::take(&mut state.panic) {
            drop(state);
            panic!("the fake was told to");
        }
        if let Some(error) = &state.fail {
            return Err(error.clone());
        }
        Ok((self.effects.fetch_add(1, Ordering::SeqCst) as u8).wrapping_add(0x10))
    }

    fn look(&self) -> Result<std::sync::MutexGuard<'_, State>, ServiceError> {
        let state = self.state();
        state.fail.clone().map_or(Ok(state), Err)
    }
}

fn of_pair(offers: &[OfferView], pair: &OfferPair) -> Vec<OfferView> {
    let fits = |asked: &Option<String>, amount: &AssetAmount| asked.as_ref().is_none_or(|asked| *asked == amount.asset);
    offers.iter().filter(|offer| fits(&pair.give, &offer.give) && fits(&pair.want, &offer.want)).cloned().collect()
}

fn none(what: &str) -> ServiceError {
    ServiceError::NotFound(format!("there is no such {what}"))
}

fn balance(asset: &str, ledger: Ledger, decimals: u8, available: u128) -> BalanceView {
    BalanceView {
        asset: asset.to_owned(),
        ledger,
        decimals,
        available: Amount::from_units(available),
        incoming: Amount::ZERO,
        locked: Amount::from_units(available / 10),
        reserved: Amount::ZERO,
        fees_paid: Amount::ZERO,
        trouble: None,
    }
}

#[async_trait]
impl Service for Fake {
    async fn create_offer(&self, new: NewOffer) -> Result<OfferView, ServiceError> {
        let number = self.effect().await?;
        let made = OfferView {
            give: new.give,
            want: new.want,
            valid_until: UnixTime::from_secs(NOW + new.valid_secs),
            ..offer(number, 0xaa)
        };
        self.state().offers.insert(0, made.clone());
        Ok(made)
    }

    async fn offers(&self, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError> {
        Ok(of_pair(&self.look()?.offers, pair))
    }

    async fn heard_offers(&self, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError> {
        Ok(of_pair(&self.look()?.heard, pair))
    }

    async fn cancel_offer(&self, id: &str) -> Result<OfferView, ServiceError> {
        let mut state = self.look()?;
        let offer = state.offers.iter_mut().find(|offer| offer.id == id).ok_or_else(|| none("offer"))?;
        if offer.state != "open" {
            return Err(ServiceError::Conflict("the offer is not open any more".to_owned()));
        }
        offer.state = "cancelled".to_owned();
        Ok(offer.clone())
    }

    async fn peer_offers(&self, peer: &str, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError> {
        drop(self.look()?);
        if peer == "nobody" { Err(none("peer")) } else { Ok(of_pair(&[offer(0xc1, 0xbb), offer(0xc2, 0xbb)], pair)) }
    }

    async fn pairs(&self) -> Result<Vec<PairView>, ServiceError> {
        drop(self.look()?);
        Ok(vec![PairView {
            give: "ETH".to_owned(),
            want: "BTC".to_owned(),
            price: Some("0.05".to_owned()),
            trouble: None,
            min: Amount::from_units(1),
            max: Amount::MAX,
            fee_bps: 10,
            spread_ppm: 5_000,
            ttl_secs: 20,
        }])
    }

    async fn quote(&self, new: NewQuote) -> Result<QuoteView, ServiceError> {
        drop(self.look()?);
        let asset = |asset, amount: Option<Amount>| AssetAmount { asset, amount: amount.unwrap_or_default(), coins: None };
        Ok(QuoteView {
            id: id(0x0f),
            maker: Address::from_bytes([0xaa; 20]),
            give: asset(new.give, new.give_amount),
            want: asset(new.want, new.want_amount),
            valid_until: UnixTime::from_secs(NOW + 20),
            salt: "00".repeat(16),
            signature: "11".repeat(65),
        })
    }

    async fn propose(&self, _new: NewProposal) -> Result<ProposalView, ServiceError> {
        drop(self.look()?);
        let terms = crate::commands::bench::agreed(1, Address::from_bytes([0xaa; 20])).unwrap();
        Ok(ProposalView { swap: terms.id().to_string(), terms, signature: "11".repeat(65) })
    }

    async fn accept(&self, new: NewAcceptance) -> Result<AcceptanceView, ServiceError> {
        self.effect().await?;
        Ok(AcceptanceView { swap: new.swap })
    }

    async fn start_swap(&self, new: NewSwap) -> Result<SwapView, ServiceError> {
        let number = self.effect().await?;
        let mut made = SwapView { offer: new.offer, ..swap(number, None) };
        made.legs[0] = leg("alpha", Ledger::Bitcoin, btc(), true, 0);
        if new.funding == Funding::Wallet {
            made.legs.iter_mut().for_each(|leg| {
                leg.funding_address = None;
                leg.funding_uri = None;
            });
        }
        self.put_swap(made.clone());
        Ok(made)
    }

    async fn swaps(&self, query: SwapQuery) -> Result<SwapPage, ServiceError> {
        let state = self.look()?;
        let wanted = |swap: &&SwapView| match query.state.as_deref() {
            Some("live") => swap.outcome.is_none(),
            Some("ended") => swap.outcome.is_some(),
            _ => true,
        };
        let from = query.after.map_or(0, |after| after.parse::<usize>().unwrap());
        let limit = query.limit.unwrap_or(50) as usize;
        let swaps: Vec<_> = state.swaps.iter().filter(wanted).skip(from).take(limit).cloned().collect();
        let next = (swaps.len() == limit).then(|| (from + limit).to_string());
        Ok(SwapPage { swaps, next })
    }

    async fn swap(&self, id: &str) -> Result<SwapView, ServiceError> {
        self.look()?.swaps.iter().find(|swap| swap.id == id).cloned().ok_or_else(|| none("swap"))
    }

    async fn approve(&self, id: &str, _new: NewApproval) -> Result<SwapView, ServiceError> {
        self.swap(id).await
    }

    async fn payment(&self, id: &str) -> Result<PaymentView, ServiceError> {
        self.swap(id).await?;
        Err(ServiceError::Conflict("nothing is to be paid".to_owned()))
    }

    async fn draft_payment(&self, id: &str, _draft: NewDraft) -> Result<DraftView, ServiceError> {
        self.swap(id).await?;
        Ok(DraftView { psbt: "cHNidP8=".to_owned(), fee: Amount::from_units(150) })
    }

    async fn relay_payment(&self, id: &str, _signed: SignedPayment) -> Result<RelayedView, ServiceError> {
        self.swap(id).await?;
        Err(ServiceError::Refused("not every input of this PSBT is signed".to_owned()))
    }

    async fn receipt(&self, id: &str) -> Result<ReceiptView, ServiceError> {
        let swap = self.swap(id).await?;
        Ok(ReceiptView { receipt: "{}".to_owned(), signer: swap.peer, signature: "11".repeat(65) })
    }

    async fn statement(&self, _query: StatementQuery) -> Result<StatementPage, ServiceError> {
        let state = self.look()?;
        let line = |swap: &SwapView| StatementLine {
            ended_at: swap.ended_at.unwrap(),
            swap: swap.id.clone(),
            peer: swap.peer,
            role: swap.role.clone(),
            outcome: swap.outcome.clone().unwrap(),
            gave: btc(),
            got: eth(),
            fees: vec![amount("BTC", 150, "0.0000015")],
        };
        Ok(StatementPage { lines: state.swaps.iter().filter(|swap| swap.outcome.is_some()).map(line).collect(), next: Some(7) })
    }

    async fn drain(&self, _draining: Draining) -> Result<HealthView, ServiceError> {
        self.health().await
    }

    async fn balances(&self) -> Result<Vec<BalanceView>, ServiceError> {
        drop(self.look()?);
        Ok(vec![
            balance("BTC", Ledger::Bitcoin, 8, 150_000_000),
            balance("ETH", Ledger::Ethereum, 18, 10_000_000_000_000_000_000),
            balance("USDX", Ledger::Ethereum, 6, 5_000_000),
        ])
    }

    async fn receive_address(&self, ledger: Ledger) -> Result<String, ServiceError> {
        drop(self.look()?);
        Ok(format!("{ledger}address"))
    }

    async fn send(&self, new: NewSend) -> Result<SendView, ServiceError> {
        let number = self.effect().await?;
        let state = "queued".to_owned();
        let made = SendView { id: id(number), pay: new.pay, to: new.to, state, txid: None, trouble: None };
        self.state().sends.push(made.clone());
        Ok(made)
    }

    async fn sent(&self, id: &str) -> Result<SendView, ServiceError> {
        self.look()?.sends.iter().find(|send| send.id == id).cloned().ok_or_else(|| none("payment"))
    }

    async fn peers(&self) -> Result<Vec<PeerView>, ServiceError> {
        Ok(self.look()?.peers.clone())
    }

    async fn add_peer(&self, new: NewPeer) -> Result<PeerView, ServiceError> {
        self.effect().await?;
        let (identity, endpoint) = new.address.split_once('@').unwrap();
        let identity = identity.parse().map_err(|_| ServiceError::Invalid("that is no identity".to_owned()))?;
        let made = PeerView {
            alias: new.alias,
            identity,
            endpoint: endpoint.to_owned(),
            connected: false,
            score: ScoreView { completed: 12, walked: 1, failed: 0, most_live: Some(9) },
        };
        self.state().peers.push(made.clone());
        Ok(made)
    }

    async fn health(&self) -> Result<HealthView, ServiceError> {
        let state = self.look()?;
        let ledger = |ledger, healthy| LedgerHealth {
            ledger,
            healthy,
            height: Some(100),
            tip_time: Some(UnixTime::from_secs(NOW - 10)),
            nodes: 1,
            trouble: (!healthy).then(|| "its node does not answer".to_owned()),
        };
        let troubled = state.offers.iter().any(|offer| offer.state == "cancelled");
        Ok(HealthView {
            healthy: !troubled,
            ready: !troubled,
            draining: false,
            troubles: Vec::new(),
            version: "0.1.0".to_owned(),
            network: "regtest".to_owned(),
            identity: Address::from_bytes([0xaa; 20]),
            peer_address: None,
            ledgers: vec![ledger(Ledger::Bitcoin, true), ledger(Ledger::Ethereum, !troubled)],
            live_swaps: state.swaps.iter().filter(|swap| swap.outcome.is_none()).count() as u64,
            now: UnixTime::from_secs(NOW),
        })
    }

    async fn webhooks(&self) -> Result<Vec<WebhookView>, ServiceError> {
        drop(self.look()?);
        Ok(Vec::new())
    }

    async fn create_webhook(&self, new: NewWebhook) -> Result<WebhookView, ServiceError> {
        let number = self.effect().await?;
        let created_at = UnixTime::from_secs(NOW);
        let (url, kinds) = (new.url, new.kinds);
        Ok(WebhookView { id: id(number), url, kinds, delivered: 3, behind: 0, failures: 0, trouble: None, created_at })
    }

    async fn remove_webhook(&self, _id: &str) -> Result<WebhookView, ServiceError> {
        drop(self.look()?);
        Err(none("webhook"))
    }

    async fn replay_webhook(&self, _id: &str, _after: u64) -> Result<WebhookView, ServiceError> {
        drop(self.look()?);
        Err(none("webhook"))
    }

    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<EventView>, ServiceError> {
        Ok(self.state().events.iter().filter(|event| event.seq > seq).take(limit as usize).cloned().collect())
    }

    async fn event_arrives(&self, seq: u64) {
        let arrived = self.arrived.notified();
        if self.state().events.last().is_none_or(|event| event.seq <= seq) {
            arrived.await;
        }
    }

    async fn stored_answer(&self, key: &str) -> Result<Option<StoredAnswer>, ServiceError> {
        Ok(self.answer(key))
    }

    async fn store_answer(&self, key: &str, answer: StoredAnswer) -> Result<(), ServiceError> {
        self.set_answer(key, answer);
        Ok(())
    }

    async fn metrics(&self) -> String {
        "photon_live_swaps 2\n".to_owned()
    }
}
