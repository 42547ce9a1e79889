//! Payment channels as people and programs see them.

use super::Node;
use super::service::stored;
use crate::channels::{self, Channels, ChannelsError, CloseHow, NewDeposit, StageView};
use crate::clock;
use crate::service::{
    BatchEntry, ChannelAt, ChannelPage, ChannelQuery, ChannelService, ChannelView, Closing, EarnedView, NeighbourView,
    NewChannel, NewClose, NewPayment, NewPaymentRequest, PaymentPage, PaymentQuery, PaymentRecord, PaymentRequestView,
    RouteQuery, RouteView, ServiceError,
};
use crate::store::Store;
use async_trait::async_trait;
use photon_chains::{Address, Amount, Asset, Ledger, Secret, SecretHash, UnixTime};
use photon_channel::{ChannelId, Sight, Standing, Units, Window};
use std::collections::{BTreeMap, HashMap};

/// What the channels' refusal means to a caller.
pub(super) fn refused(error: ChannelsError) -> ServiceError {
    let text = error.to_string();
    match error {
        ChannelsError::NoLedger(_) => ServiceError::NotFound(text),
        ChannelsError::OutOfSight(_) | ChannelsError::Busy | ChannelsError::Stopped => ServiceError::Unavailable(text),
        ChannelsError::Channel(_) | ChannelsError::SamePayment(_) => ServiceError::Conflict(text),
        ChannelsError::NoWay
        | ChannelsError::Kept
        | ChannelsError::NoKey
        | ChannelsError::Order(_)
        | ChannelsError::Refused(_) => ServiceError::Refused(text),
    }
}

/// An asset of channels: the ledger, and the token if it is one.
pub(super) fn asset_of(ledger: Ledger, token: Option<Address>) -> Asset {
    token.map_or(Asset::Native(ledger), |token| Asset::Token(ledger, token))
}

pub(super) fn units(amount: Amount) -> Result<Units, ServiceError> {
    Units::try_from(amount).map_err(|_| ServiceError::Invalid("that is more than any channel can hold".to_owned()))
}

fn name(at: &ChannelAt) -> Result<ChannelId, ServiceError> {
    let bytes = hex::decode(&at.id).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(ChannelId::from_bytes).ok_or_else(|| ServiceError::Invalid("a channel's id is 64 hex digits".to_owned()))
}

/// What a balance that can't be told apart from nothing shows.
fn amount(signed: i128) -> Amount {
    Amount::from_units(u128::try_from(signed).unwrap_or_default())
}

/// A channel's state in one word.
pub(super) fn state(channel: &channels::ChannelView) -> &'static str {
    match (&channel.stage, &channel.standing) {
        (StageView::Opening, _) => "opening",
        (StageView::Closed { .. }, _) => "closed",
        (StageView::Closing, _) | (StageView::Open, Standing::Stopping | Standing::Granted(_)) => "closing",
        (StageView::Open, Standing::Behind | Standing::Parting(_)) => "behind",
        (StageView::Open, Standing::Active) => "open",
    }
}

fn doing(channel: &channels::ChannelView) -> Option<String> {
    match (channel.leaving, channel.stage) {
        (Some((true, ..)), _) => Some("withdraw".to_owned()),
        (Some((false, ..)), _) => Some("the other side withdraws".to_owned()),
        (None, StageView::Closing) => Some("close alone".to_owned()),
        (None, _) => channel.is_filling.then(|| "deposit".to_owned()),
    }
}

/// What is wrong, and what its owner can do.
fn trouble(channel: &channels::ChannelView) -> Option<String> {
    let forgotten = match (&channel.stage, &channel.standing) {
        (StageView::Open, Standing::Behind) => {
            Some("forgotten in part: it is closed together once the other side is there; if it never comes, close it alone")
        }
        (StageView::Open, Standing::Parting(_)) => Some("forgotten in part: both have signed its close"),
        (StageView::Open | StageView::Opening | StageView::Closing | StageView::Closed { .. }, _) => None,
    };
    if let Some(forgotten) = forgotten {
        return Some(forgotten.to_owned());
    }
    let ledger = channel.ledger;
    let more =
        channel.taken_still.map(|still| format!("the other side can't see {ledger}, and takes {still} more units until it does"));
    match channel.sight {
        Sight::Lost => Some(format!("{ledger} can't be seen: paid at once and up to a limit, all else waits")),
        Sight::Live | Sight::Awaited => more,
    }
}

impl Node {
    fn channel_view(&self, channel: &channels::ChannelView, aliases: &HashMap<Address, String>) -> ChannelView {
        let asset = asset_of(channel.ledger, channel.token);
        let known = self.desk.assets.known(asset);
        let (own_pending, peers_pending) = (channel.own_pending, channel.peers_pending);
        let (unseen, unseen_limit) = channel.unseen;
        ChannelView {
            id: hex::encode(channel.id.as_bytes()),
            ledger: channel.ledger,
            peer: channel.peer,
            alias: aliases.get(&channel.peer).cloned(),
            asset: known.map_or_else(|| asset.to_string(), |known| known.symbol.clone()),
            decimals: known.map_or(0, |known| known.decimals),
            state: state(channel).to_owned(),
            connected: channel.is_ready,
            can_send: amount(channel.can_send()),
            can_receive: amount(channel.can_receive()),
            balance: amount(channel.own),
            peer_balance: amount(channel.peers),
            pending_out: own_pending.1.into(),
            pending_in: peers_pending.1.into(),
            pending: u32::try_from(own_pending.0 + peers_pending.0).unwrap_or(u32::MAX),
            window_minutes: channel.window.minutes(),
            opened_block: channel.epoch.map_or(0, |epoch| u64::from(epoch.0)),
            settles_at: match channel.stage {
                StageView::Closed { settles_from } => settles_from,
                StageView::Opening | StageView::Open | StageView::Closing => None,
            },
            in_sight: channel.sight != Sight::Lost,
            unseen: unseen.into(),
            unseen_limit: unseen_limit.into(),
            doing: doing(channel),
            trouble: trouble(channel),
        }
    }

    async fn aliases(&self) -> Result<HashMap<Address, String>, ServiceError> {
        let rows = self.desk.coordinator.store.peers().await.map_err(stored)?;
        Ok(rows.into_iter().filter_map(|row| Some((row.identity, row.alias?))).collect())
    }

    /// The way in which this node would close alone, if nobody says another: enough to be away for as long as its profile promises.
    fn usual_window(&self, ledger: Ledger) -> Result<Window, ServiceError> {
        let policy = self.channels.policy(ledger).map_err(refused)?;
        let minutes = policy
            .reveal_margin_secs
            .div_ceil(60)
            .clamp(u64::from(Window::SHORTEST.minutes()), u64::from(Window::LONGEST.minutes()));
        window(u16::try_from(minutes).unwrap_or(Window::LONGEST.minutes()))
    }

    async fn shown(&self, at: &ChannelAt) -> Result<ChannelView, ServiceError> {
        let found = self.channels.show(at.ledger, name(at)?).await.map_err(refused)?;
        let found = found.ok_or_else(|| ServiceError::NotFound("no such channel".to_owned()))?;
        Ok(self.channel_view(&found, &self.aliases().await?))
    }
}

fn window(minutes: u16) -> Result<Window, ServiceError> {
    Window::from_minutes(minutes).map_err(|error| ServiceError::Invalid(error.to_string()))
}

/// Closes alone what was not closed together in time.
pub(super) async fn fall_back(store: &Store, channels: &Channels, now: UnixTime) -> anyhow::Result<()> {
    for (ledger, id) in store.fallbacks_due(now).await? {
        match channels.show(ledger, id).await {
            Ok(Some(channel)) if matches!(state(&channel), "open" | "closing" | "behind") => {
                if let Err(error) = channels.close(ledger, id, CloseHow::Alone).await {
                    tracing::warn!(channel_id = %id, chain = %ledger, %error, "a channel can't be closed alone yet");
                    continue;
                }
            }
            // Closed, or gone.
            Ok(_) => {}
            Err(_) => continue,
        }
        store.forget_fallback(ledger, id).await?;
    }
    Ok(())
}

#[async_trait]
impl ChannelService for Node {
    async fn channels(&self, query: ChannelQuery) -> Result<ChannelPage, ServiceError> {
        let limit = query.limit.unwrap_or(50) as usize;
        let aliases = self.aliases().await?;
        let all = self.channels.list().await.map_err(refused)?;
        let views = all.iter().map(|channel| self.channel_view(channel, &aliases));
        let wanted = views.filter(|channel| match query.state.as_deref() {
            None | Some("live") => channel.state != "settled",
            Some("settled") => channel.state == "settled",
            Some(_) => true,
        });
        let of_peer = wanted.filter(|channel| query.peer.is_none_or(|peer| peer == channel.peer));
        let sorted: BTreeMap<String, ChannelView> = of_peer.map(|it| (format!("{}:{}", it.ledger, it.id), it)).collect();
        let mut rest = sorted.into_iter().filter(|(key, _)| query.after.as_ref().is_none_or(|after| key > after));
        let page: Vec<(String, ChannelView)> = rest.by_ref().take(limit).collect();
        let next = if rest.next().is_some() { page.last().map(|(key, _)| key.clone()) } else { None };
        Ok(ChannelPage { channels: page.into_iter().map(|(_, channel)| channel).collect(), next })
    }

    async fn channel(&self, at: &ChannelAt) -> Result<ChannelView, ServiceError> {
        self.shown(at).await
    }

    async fn open_channel(&self, new: NewChannel) -> Result<ChannelView, ServiceError> {
        let money = self.channel_money(&new.deposit)?;
        let ledger = money.asset.ledger();
        let window = match new.window_minutes {
            Some(minutes) => window(minutes)?,
            None => self.usual_window(ledger)?,
        };
        let peer = self.peer_address(&new.peer).await?;
        let endpoint = peer.endpoint();
        self.desk.coordinator.store.saw_peer(peer.identity(), endpoint).await.map_err(stored)?;
        let deposit =
            NewDeposit { ledger, token: money.asset.token(), peer: peer.identity(), window, amount: units(money.amount)? };
        let id = self.channels.deposit(deposit).await.map_err(refused)?;
        self.shown(&ChannelAt { ledger, id: hex::encode(id.as_bytes()) }).await
    }

    async fn deposit(&self, at: &ChannelAt, amount: Amount) -> Result<ChannelView, ServiceError> {
        let found = self.channels.show(at.ledger, name(at)?).await.map_err(refused)?;
        let found = found.ok_or_else(|| ServiceError::NotFound("no such channel".to_owned()))?;
        let (ledger, token, peer, window) = (found.ledger, found.token, found.peer, found.window);
        let deposit = NewDeposit { ledger, token, peer, window, amount: units(amount)? };
        self.channels.deposit(deposit).await.map_err(refused)?;
        self.shown(at).await
    }

    async fn withdraw(&self, at: &ChannelAt, amount: Amount) -> Result<ChannelView, ServiceError> {
        self.channels.withdraw(at.ledger, name(at)?, units(amount)?).await.map_err(refused)?;
        self.shown(at).await
    }

    async fn close_channel(&self, at: &ChannelAt, close: NewClose) -> Result<ChannelView, ServiceError> {
        let how = match close.how {
            Closing::Together => CloseHow::Together,
            Closing::Alone => CloseHow::Alone,
        };
        let id = name(at)?;
        if let Some(secs) = close.alone_after_secs {
            // Written down first: a wish that was taken is not forgotten by a crash.
            let from = clock::now().plus_secs(secs);
            self.shown(at).await?;
            self.desk.coordinator.store.fall_back(at.ledger, id, from).await.map_err(stored)?;
        }
        self.channels.close(at.ledger, id, how).await.map_err(refused)?;
        self.shown(at).await
    }

    async fn settle_channel(&self, at: &ChannelAt) -> Result<ChannelView, ServiceError> {
        let channel = self.shown(at).await?;
        match (channel.state.as_str(), channel.settles_at) {
            ("closed", Some(from)) if from <= clock::now() => Ok(channel),
            ("closed", _) => Err(ServiceError::Conflict("its window is not over: it is settled by itself then".to_owned())),
            (state, _) => Err(ServiceError::Conflict(format!("it is {state}: only a closed channel is settled"))),
        }
    }

    async fn neighbours(&self) -> Result<Vec<NeighbourView>, ServiceError> {
        let (aliases, connected) = (self.aliases().await?, self.net.connected());
        let mut all: BTreeMap<Address, Vec<channels::ChannelView>> = BTreeMap::new();
        for channel in self.channels.list().await.map_err(refused)? {
            all.entry(channel.peer).or_default().push(channel);
        }
        let view = |(identity, channels): (Address, Vec<channels::ChannelView>)| {
            let sums = |free: fn(&channels::ChannelView) -> i128| {
                let mut sums: BTreeMap<Asset, i128> = BTreeMap::new();
                for channel in &channels {
                    *sums.entry(asset_of(channel.ledger, channel.token)).or_default() += free(channel).max(0);
                }
                sums.into_iter().map(|(asset, sum)| self.desk.assets.show(asset, amount(sum))).collect()
            };
            NeighbourView {
                alias: aliases.get(&identity).cloned(),
                identity,
                connected: connected.contains(&identity),
                channels: u32::try_from(channels.len()).unwrap_or(u32::MAX),
                can_send: sums(channels::ChannelView::can_send),
                can_receive: sums(channels::ChannelView::can_receive),
            }
        };
        Ok(all.into_iter().map(view).collect())
    }

    async fn fees_earned(&self) -> Result<Vec<EarnedView>, ServiceError> {
        self.earned().await
    }

    async fn pay(&self, payment: NewPayment) -> Result<PaymentRecord, ServiceError> {
        self.pay_one(payment).await
    }

    async fn pay_many(&self, payments: Vec<NewPayment>) -> Result<Vec<BatchEntry>, ServiceError> {
        Ok(futures::future::join_all(payments.into_iter().map(|payment| self.pay_of_many(payment))).await)
    }

    async fn payments(&self, query: PaymentQuery) -> Result<PaymentPage, ServiceError> {
        self.payment_page(query).await
    }

    async fn paid(&self, id: &str) -> Result<PaymentRecord, ServiceError> {
        self.payment_record(super::payments::payment_id(id)?).await
    }

    async fn cancel_payment(&self, id: &str) -> Result<PaymentRecord, ServiceError> {
        self.recall(super::payments::payment_id(id)?).await
    }

    async fn request_payment(&self, request: NewPaymentRequest) -> Result<PaymentRequestView, ServiceError> {
        self.expect(request).await
    }

    async fn payment_requests(&self) -> Result<Vec<PaymentRequestView>, ServiceError> {
        self.request_list().await
    }

    async fn payment_request(&self, hash: SecretHash) -> Result<PaymentRequestView, ServiceError> {
        self.request_view(hash).await
    }

    async fn release(&self, secret: Secret) -> Result<PaymentRequestView, ServiceError> {
        let hash = secret.hash();
        let ledger = self.requested(hash).await?.ledger;
        self.channels.release(ledger, secret).await.map_err(refused)?;
        self.request_view(hash).await
    }

    async fn give_up(&self, hash: SecretHash) -> Result<PaymentRequestView, ServiceError> {
        self.give_up_request(hash).await
    }

    async fn routes(&self, query: RouteQuery) -> Result<RouteView, ServiceError> {
        self.ways(query).await
    }
}
