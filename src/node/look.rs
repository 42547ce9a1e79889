//! What answers are made of: offers, peers, payments, balances, webhooks.

use super::Node;
use super::service::stored;
use super::views::{is_send, transaction};
use crate::assets::KnownAsset;
use crate::clock;
use crate::negotiation::most_live;
use crate::peer::PeerAddress;
use crate::reserve::Needs;
use crate::service::{
    AssetAmount, BalanceView, OfferPair, OfferView, PeerView, ScoreView, SendView, Service, ServiceError, WebhookView,
};
use crate::store::{NewEvent, OfferRow, OfferState, PeerRow, SendRow, StoreError, WebhookRow};
use photon_chains::{Amount, Asset, Hash32, Ledger, LockStatus, Port};
use photon_swap::{Money, Offer};
use std::sync::Arc;

impl Node {
    pub(super) fn money(&self, wanted: &AssetAmount) -> Result<Money, ServiceError> {
        let asset = self.desk.assets.find(&wanted.asset)?.asset;
        if wanted.amount.is_zero() {
            return Err(ServiceError::Invalid("an amount of zero can't be traded or paid".to_owned()));
        }
        Ok(Money { asset, amount: wanted.amount })
    }

    /// The same to be paid over channels, whether it is named like what is on chain or like what is in them.
    pub(super) fn channel_money(&self, wanted: &AssetAmount) -> Result<Money, ServiceError> {
        let Money { asset, amount } = self.money(wanted)?;
        Ok(Money { asset: asset.on_chain(), amount })
    }

    pub(super) fn offer_view(&self, offer: &Offer, state: &str) -> OfferView {
        OfferView {
            id: offer.id.to_string(),
            maker: offer.maker,
            give: self.desk.assets.show(offer.give.asset, offer.give.amount),
            want: self.desk.assets.show(offer.want.asset, offer.want.amount),
            valid_until: offer.valid_until,
            state: state.to_owned(),
            peer: None,
        }
    }

    /// Whether an offer is of the assets that are asked for.
    pub(super) fn wanted(&self, pair: &OfferPair) -> Result<impl Fn(&Offer) -> bool, ServiceError> {
        let find = |name: &Option<String>| name.as_deref().map(|name| self.desk.assets.find(name)).transpose();
        let of = |known: Option<&KnownAsset>| known.map(|known| known.asset);
        let (give, want) = (of(find(&pair.give)?), of(find(&pair.want)?));
        let fits = |asked: Option<Asset>, asset: Asset| asked.is_none_or(|asked| asked == asset);
        Ok(move |offer: &Offer| fits(give, offer.give.asset) && fits(want, offer.want.asset))
    }

    pub(super) fn stored_offer(&self, row: &OfferRow) -> Result<(Offer, OfferState), ServiceError> {
        let offer: Offer =
            serde_json::from_str(&row.body).map_err(|_| ServiceError::Internal("a stored offer can't be read".to_owned()))?;
        let late = row.state == OfferState::Open && row.valid_until < clock::now();
        Ok((offer, if late { OfferState::Expired } else { row.state }))
    }

    /// A peer by address, alias or identity.
    pub(super) async fn peer_address(&self, text: &str) -> Result<PeerAddress, ServiceError> {
        if text.contains('@') {
            return text.parse().map_err(|error| ServiceError::Invalid(format!("{error}")));
        }
        let store = &self.desk.coordinator.store;
        let known = match text.parse() {
            Ok(identity) => store.peer(identity).await,
            Err(_) => store.peer_named(text.to_owned()).await,
        };
        let unknown = || ServiceError::NotFound(format!("no peer {text:.64} is known: add it, or write it as 0x...@host:port"));
        let known = known.map_err(stored)?;
        // A maker that was only heard of.
        let heard = || self.gossip.as_ref()?.address_of(text.parse().ok()?);
        if known.is_none()
            && let Some(heard) = heard()
        {
            return Ok(heard);
        }
        let row = known.ok_or_else(unknown)?;
        let text = format!("{}@{}", row.identity, row.endpoint);
        text.parse().map_err(|_| ServiceError::Internal("a stored peer can't be read".to_owned()))
    }

    /// Peers, with how swaps with them ended.
    pub(super) async fn peer_views(&self, rows: Vec<PeerRow>) -> Result<Vec<PeerView>, ServiceError> {
        let connected = self.net.connected();
        let scores = self.desk.coordinator.store.scores(rows.iter().map(|row| row.identity).collect()).await.map_err(stored)?;
        let each = self.desk.coordinator.reserves.caps().each;
        let view = |row: PeerRow| {
            let score = scores.get(&row.identity).copied().unwrap_or_default();
            let most_live = row.alias.is_none().then(|| most_live(score, each) as u64);
            PeerView {
                alias: row.alias,
                connected: connected.contains(&row.identity),
                identity: row.identity,
                endpoint: row.endpoint,
                score: ScoreView { completed: score.completed, walked: score.walked, failed: score.failed, most_live },
            }
        };
        Ok(rows.into_iter().map(view).collect())
    }

    pub(super) fn connected(&self, ledger: Ledger) -> Result<&Arc<dyn Port>, ServiceError> {
        let ledgers = &self.desk.coordinator.ledgers;
        if !ledgers.is_configured(ledger) {
            return Err(ServiceError::NotFound(format!("{ledger} is not configured here")));
        }
        ledgers.port(ledger).ok_or_else(|| ServiceError::Unavailable(format!("{ledger}'s node is not connected yet")))
    }

    pub(super) async fn event(&self, kind: &str, subject: &str, state: &str) -> Result<(), ServiceError> {
        let body = serde_json::json!({ "id": subject, "state": state }).to_string();
        let event = NewEvent { kind: kind.to_owned(), swap: None, body };
        self.desk.coordinator.store.append_event(event).await.map_err(stored).map(|_| ())
    }

    pub(super) async fn send_view(&self, row: &SendRow) -> Result<SendView, ServiceError> {
        let store = &self.desk.coordinator.store;
        let transactions = store.transactions_of(row.send.id).await.map_err(stored)?;
        let newest = transactions.iter().rfind(|row| is_send(row)).map(transaction);
        Ok(SendView {
            id: row.send.id.to_string(),
            pay: self.desk.assets.show(row.send.asset, row.send.amount),
            to: row.send.to.clone(),
            state: row.state.word().to_owned(),
            txid: newest.map(|newest| newest.txid),
            trouble: row.reason.clone(),
        })
    }

    pub(super) async fn balance_view(&self, known: &KnownAsset, held: Option<&Needs>) -> Result<BalanceView, ServiceError> {
        let (asset, ledger) = (known.asset, known.asset.ledger());
        let mut view = BalanceView {
            asset: known.symbol.clone(),
            ledger,
            decimals: known.decimals,
            available: Amount::ZERO,
            incoming: Amount::ZERO,
            locked: self.locked(asset),
            reserved: held.and_then(|held| held.get(&asset).copied()).unwrap_or_default(),
            fees_paid: Amount::ZERO,
            trouble: None,
        };
        if asset == Asset::Native(ledger) {
            view.fees_paid = self.desk.coordinator.store.fees_paid(ledger).await.map_err(stored)?;
        }
        let Some(port) = self.desk.coordinator.ledgers.port(ledger) else {
            view.trouble = Some(format!("{ledger} is not connected"));
            return Ok(view);
        };
        match port.balance(asset).await {
            Ok(balance) => (view.available, view.incoming) = (balance.available, balance.incoming),
            Err(error) => view.trouble = Some(error.to_string()),
        }
        Ok(view)
    }

    pub(super) async fn webhook(&self, id: Hash32) -> Result<WebhookView, ServiceError> {
        let newest = self.last_event().await?;
        let found = self.desk.coordinator.store.webhook(id).await.map_err(stored)?;
        found.map(|(row, _)| webhook_view(row, newest)).ok_or_else(|| stored(StoreError::NoSuch("webhook")))
    }

    /// What stands in locks that we funded.
    pub(super) fn locked(&self, asset: Asset) -> Amount {
        self.desk.coordinator.book.with(|swaps| {
            let own = swaps.values().map(|live| live.swap.terms.own_leg(live.swap.role).lock);
            let standing = own.filter(|lock| lock.asset == asset).filter(|lock| {
                let seen = self.desk.coordinator.ledgers.sighting(asset.ledger(), lock.id());
                seen.is_some_and(|seen| {
                    matches!(seen.status, LockStatus::Pending { .. } | LockStatus::Funded { .. }) && seen.spend.is_none()
                })
            });
            standing.fold(Amount::ZERO, |sum, lock| sum.checked_add(lock.amount).unwrap_or(Amount::MAX))
        })
    }
}

pub(super) fn webhook_view(row: WebhookRow, newest: u64) -> WebhookView {
    WebhookView {
        id: row.id.to_string(),
        url: row.url,
        kinds: row.kinds.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
        delivered: row.delivered,
        behind: newest.saturating_sub(row.delivered),
        failures: row.failures,
        trouble: row.trouble,
        created_at: row.created_at,
    }
}
