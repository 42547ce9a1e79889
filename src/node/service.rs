//! What a running node can be asked to do, done.

use super::Node;
use super::look::webhook_view;
use crate::assets::KnownAsset;
use crate::clock;
use crate::coordinator::ApprovalError;
use crate::gossip::Notice;
use crate::market::{Ask, Side};
use crate::negotiation::{AskAccept, AskTake, Proposal, SignedOffer, TakerError};
use crate::peer::PeerAddress;
use crate::reserve::ReserveError;
use crate::service::{
    AcceptanceView, BalanceView, DraftView, Draining, EventView, HealthView, LedgerHealth, NewAcceptance, NewApproval, NewDraft,
    NewOffer, NewPeer, NewProposal, NewQuote, NewSend, NewSwap, NewWebhook, OfferPair, OfferView, PairView, PaymentView,
    PeerView, ProposalView, QuoteView, ReceiptView, RelayedView, SendView, Service, ServiceError, SignedPayment, StatementPage,
    StatementQuery, StoredAnswer, SwapPage, SwapQuery, SwapView, WebhookView,
};
use crate::store::{MOST_WEBHOOKS, OfferState, PeerRow, StoreError, SwapFilter};
use crate::webhook::Place;
use async_trait::async_trait;
use photon_chains::{Hash32, Ledger, LockId, PortError};
use photon_swap::{Offer, OfferId, Salt, SwapId};
use std::sync::atomic::Ordering;
use std::time::Duration;

const VALID_SECS: std::ops::RangeInclusive<u64> = 10..=604_800;
/// So long a peer that was just named is called.
const CALL: Duration = Duration::from_secs(20);

/// What a failing store means to a caller.
pub(super) fn stored(error: StoreError) -> ServiceError {
    match error {
        StoreError::NoSuch(what) => ServiceError::NotFound(format!("no such {what}")),
        StoreError::Conflict(_) | StoreError::OfferNotOpen | StoreError::SwapEnded | StoreError::HashUsed => {
            ServiceError::Conflict(error.to_string())
        }
        other => ServiceError::Internal(other.to_string()),
    }
}

pub(super) fn ported(error: PortError) -> ServiceError {
    match error {
        PortError::Unreachable { .. } | PortError::BadAnswer { .. } | PortError::WrongNetwork { .. } => {
            ServiceError::Unavailable(error.to_string())
        }
        PortError::NotEnough { .. } | PortError::Refused { .. } => ServiceError::Refused(error.to_string()),
        PortError::Journal(_) => ServiceError::Internal(error.to_string()),
    }
}

fn taken(error: TakerError) -> ServiceError {
    let text = error.to_string();
    match error {
        TakerError::Peer(error) if error.is_no() => ServiceError::Refused(text),
        TakerError::Peer(_) | TakerError::Unconfirmed => ServiceError::Unavailable(text),
        TakerError::NoSuchOffer(_) => ServiceError::NotFound(text),
        TakerError::Store(error) => stored(error),
        TakerError::Internal(_) => ServiceError::Internal(text),
        TakerError::Desk(_)
        | TakerError::Unreadable(_)
        | TakerError::Signature
        | TakerError::Terms(_)
        | TakerError::Reserve(_)
        | TakerError::NoOutside(_) => ServiceError::Refused(text),
    }
}

fn signature(text: &str) -> Result<Vec<u8>, ServiceError> {
    let bytes = hex::decode(text).ok().filter(|bytes| bytes.len() == 65);
    bytes.ok_or_else(|| ServiceError::Invalid("a signature is 130 hex digits".to_owned()))
}

fn parse_id(text: &str) -> Result<Hash32, ServiceError> {
    text.parse().map_err(|_| ServiceError::Invalid("an id is 64 hex digits".to_owned()))
}

#[async_trait]
impl Service for Node {
    async fn create_offer(&self, offer: NewOffer) -> Result<OfferView, ServiceError> {
        let (give, want) = (self.money(&offer.give)?, self.money(&offer.want)?);
        if !VALID_SECS.contains(&offer.valid_secs) {
            return Err(ServiceError::Invalid("valid_secs must be from 10 to 604800".to_owned()));
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| ServiceError::Internal("no random bytes".to_owned()))?;
        let now = clock::now();
        let offer = Offer::new(self.net.identity(), give, want, now.plus_secs(offer.valid_secs), Salt::from_bytes(salt));
        offer.check(now).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        self.desk.worth_offering(give, want).await.map_err(|error| ServiceError::Refused(error.to_string()))?;
        let body = serde_json::to_string(&offer).map_err(|error| ServiceError::Internal(error.to_string()))?;
        let row = crate::store::NewOffer { id: offer.id, body, valid_until: offer.valid_until };
        self.desk.coordinator.store.insert_offer(row).await.map_err(stored)?;
        self.event("offer", &offer.id.to_string(), OfferState::Open.word()).await?;
        Ok(self.offer_view(&offer, OfferState::Open.word()))
    }

    async fn offers(&self, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError> {
        let is_wanted = self.wanted(pair)?;
        let page = self.desk.coordinator.store.list_offers(None, 200).await.map_err(stored)?;
        let stored: Vec<_> = page.items.iter().map(|row| self.stored_offer(row)).collect::<Result<_, _>>()?;
        let wanted = stored.iter().filter(|(offer, _)| is_wanted(offer));
        Ok(wanted.map(|(offer, state)| self.offer_view(offer, state.word())).collect())
    }

    async fn heard_offers(&self, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError> {
        let is_wanted = self.wanted(pair)?;
        let heard = self.gossip.as_ref().map(|gossip| gossip.notices(clock::now())).unwrap_or_default();
        let view = |notice: &Notice| OfferView {
            peer: Some(notice.at.to_string()),
            ..self.offer_view(&notice.offer, OfferState::Open.word())
        };
        Ok(heard.iter().filter(|notice| is_wanted(&notice.offer)).map(view).collect())
    }

    async fn cancel_offer(&self, id: &str) -> Result<OfferView, ServiceError> {
        let id = OfferId::from_bytes(*parse_id(id)?.as_bytes());
        let store = &self.desk.coordinator.store;
        store.cancel_offer(id).await.map_err(stored)?;
        self.event("offer", &id.to_string(), OfferState::Cancelled.word()).await?;
        let row = store.offer(id).await.map_err(stored)?.ok_or_else(|| stored(StoreError::NoSuch("offer")))?;
        let (offer, state) = self.stored_offer(&row)?;
        Ok(self.offer_view(&offer, state.word()))
    }

    async fn peer_offers(&self, peer: &str, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError> {
        let is_wanted = self.wanted(pair)?;
        let peer = self.peer_address(peer).await?;
        let offers = self.taker.offers(&peer).await.map_err(taken)?;
        let wanted = offers.iter().filter(|offer| is_wanted(offer));
        Ok(wanted.map(|offer| self.offer_view(offer, OfferState::Open.word())).collect())
    }

    async fn pairs(&self) -> Result<Vec<PairView>, ServiceError> {
        let states = self.desk.market.pairs(clock::now(), |alpha, beta| self.desk.timings(alpha, beta).ok());
        let view = |state: crate::market::PairState| PairView {
            give: state.give.symbol,
            want: state.want.symbol,
            price: state.price.map(|price| price.to_string()),
            trouble: state.trouble,
            min: state.min,
            max: state.max,
            fee_bps: state.fee_bps,
            spread_ppm: state.spread_ppm,
            ttl_secs: state.ttl_secs,
        };
        Ok(states.into_iter().map(view).collect())
    }

    async fn quote(&self, quote: NewQuote) -> Result<QuoteView, ServiceError> {
        let amount = match (quote.give_amount, quote.want_amount) {
            (Some(give), None) => Side::Give(give),
            (None, Some(want)) => Side::Want(want),
            (Some(_), Some(_)) | (None, None) => {
                return Err(ServiceError::Invalid("name one of give_amount and want_amount".to_owned()));
            }
        };
        let asset = |text: &str| self.desk.assets.find(text).map(|known| known.asset);
        let ask = Ask { give: asset(&quote.give)?, want: asset(&quote.want)?, amount };
        let (offer, signature) = match &quote.peer {
            None => {
                let SignedOffer { offer, signature } = self.maker.quote(&ask)?;
                (offer, signature)
            }
            Some(peer) => self.taker.quote(&self.peer_address(peer).await?, &ask).await.map_err(taken)?,
        };
        Ok(QuoteView {
            id: offer.id.to_string(),
            maker: offer.maker,
            give: self.desk.assets.show(offer.give.asset, offer.give.amount),
            want: self.desk.assets.show(offer.want.asset, offer.want.amount),
            valid_until: offer.valid_until,
            salt: hex::encode(offer.salt.as_bytes()),
            signature: hex::encode(signature),
        })
    }

    async fn propose(&self, proposal: NewProposal) -> Result<ProposalView, ServiceError> {
        let ask = AskTake { take: proposal.take, signature: signature(&proposal.signature)? };
        let Proposal { terms, signature } = self.maker.propose(ask).await?;
        Ok(ProposalView { swap: terms.id().to_string(), terms, signature: hex::encode(signature) })
    }

    async fn accept(&self, acceptance: NewAcceptance) -> Result<AcceptanceView, ServiceError> {
        let swap = SwapId::from_bytes(*parse_id(&acceptance.swap)?.as_bytes());
        let ask = AskAccept { swap, signature: signature(&acceptance.signature)? };
        let swap = self.maker.accept(ask, None).await?;
        Ok(AcceptanceView { swap: swap.to_string() })
    }

    async fn start_swap(&self, swap: NewSwap) -> Result<SwapView, ServiceError> {
        let peer = self.peer_address(&swap.peer).await?;
        let offer = OfferId::from_bytes(*parse_id(&swap.offer)?.as_bytes());
        let id = self.taker.take(&peer, offer, swap.funding).await.map_err(taken)?;
        self.swap(&id.to_string()).await
    }

    async fn swaps(&self, query: SwapQuery) -> Result<SwapPage, ServiceError> {
        let filter = match query.state.as_deref() {
            None | Some("all") => SwapFilter::All,
            Some("live") => SwapFilter::Live,
            Some("ended") => SwapFilter::Ended,
            Some(_) => return Err(ServiceError::Invalid("state is live, ended or all".to_owned())),
        };
        let limit = query.limit.unwrap_or(50);
        if !(1..=200).contains(&limit) {
            return Err(ServiceError::Invalid("limit is from 1 to 200".to_owned()));
        }
        let after = query.after.map(|after| after.parse::<u64>()).transpose();
        let after = after.map_err(|_| ServiceError::Invalid("after is the next of an earlier page".to_owned()))?;
        let store = &self.desk.coordinator.store;
        let page = match query.peer {
            None => store.list_swaps(filter, after, limit).await,
            Some(peer) => store.list_swaps_with(peer, filter, after, limit).await,
        };
        let page = page.map_err(stored)?;
        let mut swaps = Vec::new();
        for row in page.items {
            if let Some(record) = store.swap(row.id).await.map_err(stored)? {
                swaps.push(self.swap_view(&record).await?);
            }
        }
        Ok(SwapPage { swaps, next: page.next.map(|next| next.to_string()) })
    }

    async fn swap(&self, id: &str) -> Result<SwapView, ServiceError> {
        let record = self.desk.coordinator.store.swap(SwapId::from_bytes(*parse_id(id)?.as_bytes())).await.map_err(stored)?;
        self.swap_view(&record.ok_or_else(|| stored(StoreError::NoSuch("swap")))?).await
    }

    async fn approve(&self, id: &str, approval: NewApproval) -> Result<SwapView, ServiceError> {
        let swap = SwapId::from_bytes(*parse_id(id)?.as_bytes());
        match self.desk.coordinator.answer_approval(swap, approval.approve).await {
            Ok(_) => self.swap(id).await,
            Err(error @ ApprovalError::NoSuchSwap) => Err(ServiceError::NotFound(error.to_string())),
            Err(error @ ApprovalError::NotWaiting(_)) => Err(ServiceError::Conflict(error.to_string())),
            Err(ApprovalError::Store(error)) => Err(stored(error)),
        }
    }

    async fn payment(&self, id: &str) -> Result<PaymentView, ServiceError> {
        self.payment_of(SwapId::from_bytes(*parse_id(id)?.as_bytes())).await
    }

    async fn draft_payment(&self, id: &str, draft: NewDraft) -> Result<DraftView, ServiceError> {
        self.draft_of(SwapId::from_bytes(*parse_id(id)?.as_bytes()), draft).await
    }

    async fn relay_payment(&self, id: &str, signed: SignedPayment) -> Result<RelayedView, ServiceError> {
        self.relay_of(SwapId::from_bytes(*parse_id(id)?.as_bytes()), signed).await
    }

    async fn receipt(&self, id: &str) -> Result<ReceiptView, ServiceError> {
        self.receipt_of(SwapId::from_bytes(*parse_id(id)?.as_bytes())).await
    }

    async fn statement(&self, query: StatementQuery) -> Result<StatementPage, ServiceError> {
        self.statement_of(query).await
    }

    async fn drain(&self, draining: Draining) -> Result<HealthView, ServiceError> {
        self.desk.draining.store(draining.draining, Ordering::Release);
        self.event("alert", "drain", if draining.draining { "begun" } else { "ended" }).await?;
        self.health().await
    }

    async fn balances(&self) -> Result<Vec<BalanceView>, ServiceError> {
        // A node that can't be asked is told asset by asset.
        let held = self.desk.coordinator.reserves.held().await.ok();
        let views = self.desk.assets.all().iter().map(|known| self.balance_view(known, held.as_ref()));
        futures::future::try_join_all(views).await
    }

    async fn receive_address(&self, ledger: Ledger) -> Result<String, ServiceError> {
        self.connected(ledger)?.receive_address().await.map_err(ported)
    }

    async fn send(&self, send: NewSend) -> Result<SendView, ServiceError> {
        let pay = self.money(&send.pay)?;
        if pay.asset.ledger().is_channel() {
            return Err(ServiceError::Refused(
                "money in channels is paid by a payment, or withdrawn from its channel first".to_owned(),
            ));
        }
        if send.to.is_empty() || send.to.len() > 128 {
            return Err(ServiceError::Invalid("an address has 1 to 128 characters".to_owned()));
        }
        self.connected(pay.asset.ledger())?;
        let mut id = [0; 32];
        getrandom::fill(&mut id).map_err(|_| ServiceError::Internal("no random bytes".to_owned()))?;
        let id = LockId::from_bytes(id);
        let reserves = &self.desk.coordinator.reserves;
        match reserves.pledge_send(id, pay.asset, pay.amount).await {
            Ok(()) => {}
            Err(ReserveError::NotEnough { available, .. }) => {
                let free = self.desk.assets.show(pay.asset, available);
                return Err(ServiceError::Refused(format!(
                    "only {} {} are free beside what running swaps need",
                    free.coins.unwrap_or_else(|| free.amount.to_string()),
                    free.asset
                )));
            }
            Err(ReserveError::Port(error)) => return Err(ported(error)),
            Err(
                error @ (ReserveError::DiskFull { .. }
                | ReserveError::NoRoom(_)
                | ReserveError::Twice
                | ReserveError::StrangerCap),
            ) => {
                return Err(ServiceError::Refused(error.to_string()));
            }
        }
        let row = crate::store::NewSend { id, asset: pay.asset, amount: pay.amount, to: send.to };
        if let Err(error) = self.desk.coordinator.store.insert_send(row).await {
            reserves.sent(id);
            return Err(stored(error));
        }
        // A full channel means that a round is coming anyway.
        let _ = self.sends.try_send(());
        self.sent(&id.to_string()).await
    }

    async fn sent(&self, id: &str) -> Result<SendView, ServiceError> {
        let id = LockId::from_bytes(*parse_id(id)?.as_bytes());
        let row = self.desk.coordinator.store.send(id).await.map_err(stored)?;
        self.send_view(&row.ok_or_else(|| stored(StoreError::NoSuch("payment")))?).await
    }

    async fn peers(&self) -> Result<Vec<PeerView>, ServiceError> {
        /// Strangers that swapped with us and are shown for how that ended.
        const MOST_STRANGERS: u32 = 200;
        let store = &self.desk.coordinator.store;
        let mut rows = store.peers().await.map_err(stored)?;
        let strangers = store.scored_strangers(MOST_STRANGERS).await.map_err(stored)?.into_iter();
        rows.extend(strangers.map(|identity| PeerRow { identity, endpoint: String::new(), alias: None, last_seen: None }));
        self.peer_views(rows).await
    }

    async fn add_peer(&self, peer: NewPeer) -> Result<PeerView, ServiceError> {
        let address: PeerAddress = peer.address.parse().map_err(|error| ServiceError::Invalid(format!("{error}")))?;
        let endpoint = address.endpoint();
        let store = &self.desk.coordinator.store;
        match &peer.alias {
            None => store.saw_peer(address.identity(), endpoint).await.map_err(stored)?,
            Some(alias) => {
                let plain = alias.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
                if !plain || !(1..=32).contains(&alias.len()) || alias.starts_with("0x") {
                    return Err(ServiceError::Invalid(
                        "an alias is 1 to 32 letters, digits, - or _, and does not begin with 0x".to_owned(),
                    ));
                }
                store.name_peer(address.identity(), endpoint, alias.clone()).await.map_err(stored)?;
            }
        }
        let row = store.peer(address.identity()).await.map_err(stored)?;
        if !self.channels.ledgers().is_empty() {
            // Whoever is called tells of channels with us that we may have forgotten.
            let net = self.net.clone();
            tokio::spawn(async move {
                if let Err(error) = net.connect(&address, CALL).await {
                    tracing::debug!(%error, "a peer that was named is not reached");
                }
            });
        }
        let view = self.peer_views(row.into_iter().collect()).await?.pop();
        view.ok_or_else(|| stored(StoreError::NoSuch("peer")))
    }

    async fn health(&self) -> Result<HealthView, ServiceError> {
        let now = clock::now();
        let ledgers: Vec<LedgerHealth> = self
            .desk
            .coordinator
            .ledgers
            .chains()
            .map(|ledger| {
                let trouble = self.desk.coordinator.ledgers.unhealthy(ledger, now);
                let tip = self.desk.coordinator.ledgers.outlook(ledger).tip;
                LedgerHealth {
                    ledger,
                    healthy: trouble.is_none(),
                    height: tip.map(|tip| tip.block.height.get()),
                    tip_time: tip.map(|tip| tip.time),
                    nodes: 1 + u32::from(self.config.has_second_node(ledger)),
                    trouble,
                }
            })
            .collect();
        let (troubles, draining) = (self.troubles(), self.desk.draining.load(Ordering::Acquire));
        let tradable = |known: &&KnownAsset| ledgers.iter().any(|it| it.ledger == known.asset.ledger().chain() && it.healthy);
        Ok(HealthView {
            healthy: troubles.is_empty() && ledgers.iter().all(|ledger| ledger.healthy),
            draining,
            ready: !draining && troubles.is_empty() && self.desk.assets.all().iter().filter(tradable).nth(1).is_some(),
            troubles,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            network: self.config.network.name().to_owned(),
            identity: self.net.identity(),
            peer_address: self.net.local_addr().map(|at| format!("{}@{at}", self.net.identity())),
            ledgers,
            live_swaps: self.desk.coordinator.book.len() as u64,
            now,
        })
    }

    async fn webhooks(&self) -> Result<Vec<WebhookView>, ServiceError> {
        let newest = self.last_event().await?;
        let rows = self.desk.coordinator.store.webhooks().await.map_err(stored)?;
        Ok(rows.into_iter().map(|row| webhook_view(row, newest)).collect())
    }

    async fn create_webhook(&self, hook: NewWebhook) -> Result<WebhookView, ServiceError> {
        Place::parse(&hook.url, self.config.api.webhooks_on_loopback)
            .map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let mut id = [0; 32];
        getrandom::fill(&mut id).map_err(|_| ServiceError::Internal("no random bytes".to_owned()))?;
        let id = Hash32::from_bytes(id);
        let row = crate::store::NewWebhook { id, url: hook.url, kinds: hook.kinds.join(","), secret: hook.secret.into() };
        self.desk.coordinator.store.insert_webhook(row).await.map_err(|error| match error {
            StoreError::Conflict(_) => ServiceError::Conflict(format!("there are {MOST_WEBHOOKS} webhooks already: remove one")),
            other => stored(other),
        })?;
        self.webhook(id).await
    }

    async fn remove_webhook(&self, id: &str) -> Result<WebhookView, ServiceError> {
        let id = parse_id(id)?;
        let view = self.webhook(id).await?;
        self.desk.coordinator.store.remove_webhook(id).await.map_err(stored)?;
        Ok(view)
    }

    async fn replay_webhook(&self, id: &str, after: u64) -> Result<WebhookView, ServiceError> {
        let id = parse_id(id)?;
        self.desk.coordinator.store.set_webhook(id, after).await.map_err(stored)?;
        self.webhook(id).await
    }

    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<EventView>, ServiceError> {
        let page = self.desk.coordinator.store.events_after(seq, limit).await.map_err(stored)?;
        Ok(page.events.into_iter().map(crate::webhook::view).collect())
    }

    async fn event_arrives(&self, seq: u64) {
        let mut newest = self.desk.coordinator.store.watch_events();
        // An error means that the store is closed: whoever listens will be told at the next read.
        let _ = newest.wait_for(|newest| *newest > seq).await;
    }

    async fn last_event(&self) -> Result<u64, ServiceError> {
        Ok(*self.desk.coordinator.store.watch_events().borrow())
    }

    async fn stored_answer(&self, key: &str) -> Result<Option<StoredAnswer>, ServiceError> {
        self.desk.coordinator.store.stored_answer(key.to_owned()).await.map_err(stored)
    }

    async fn store_answer(&self, key: &str, answer: StoredAnswer) -> Result<(), ServiceError> {
        self.desk.coordinator.store.store_answer(key.to_owned(), answer).await.map_err(stored)
    }

    async fn metrics(&self) -> String {
        self.set_gauges().await;
        self.metrics.as_ref().map(|metrics| metrics.render()).unwrap_or_default()
    }
}
