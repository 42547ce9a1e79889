//! Payment channels, as the API shows them, and what a running node can be asked to do with them.

use super::transfers::{
    BatchEntry, NewPayment, NewPaymentRequest, PaymentPage, PaymentQuery, PaymentRecord, PaymentRequestView, RouteQuery,
    RouteView,
};
use super::{AssetAmount, ServiceError};
use async_trait::async_trait;
use photon_chains::{Address, Amount, Ledger, Secret, SecretHash, UnixTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A payment channel as a person sees it. All amounts are smallest units of its asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    /// Its name in its contract, 64 hex digits. With the ledger it names the channel: the same two parties have the same name for
    /// their coin's channel on two ledgers.
    pub id: String,
    /// On which ledger its contract is.
    #[schema(value_type = String)]
    pub ledger: Ledger,
    /// The counterparty.
    #[schema(value_type = String)]
    pub peer: Address,
    /// Our own name for it.
    pub alias: Option<String>,
    /// The asset's symbol.
    pub asset: String,
    /// Digits after the dot.
    pub decimals: u8,
    /// `opening`, `open`, `closing` (both are to sign), `closed` (the window runs), `settled`, or `behind`: our own memory of it is old,
    /// nothing is signed in it any more.
    pub state: String,
    /// True if the counterparty is connected now: without that nothing is paid in either direction.
    pub connected: bool,
    /// So much can be paid now.
    #[schema(value_type = String)]
    pub can_send: Amount,
    /// So much can be received now.
    #[schema(value_type = String)]
    pub can_receive: Amount,
    /// What is ours in it, pending payments of ours included.
    #[schema(value_type = String)]
    pub balance: Amount,
    /// What is the counterparty's in it.
    #[schema(value_type = String)]
    pub peer_balance: Amount,
    /// Pending payments to the counterparty: they are paid, or they come back.
    #[schema(value_type = String)]
    pub pending_out: Amount,
    /// Pending payments from the counterparty.
    #[schema(value_type = String)]
    pub pending_in: Amount,
    /// How many payments are pending, in both directions.
    pub pending: u32,
    /// After a close alone, so many minutes for the other side to answer it.
    pub window_minutes: u16,
    /// The block in which it was opened; 0 while it is being opened.
    pub opened_block: u64,
    /// A closed channel: from when it can be settled, unix seconds. The node does that by itself.
    #[schema(value_type = Option<u64>)]
    pub settles_at: Option<UnixTime>,
    /// False if its ledger can't be seen now. Then neighbours pay each other at once, up to a limit; all else waits.
    pub in_sight: bool,
    /// What neighbours have paid us in this asset, over all channels, since its ledger was seen last.
    #[schema(value_type = String)]
    pub unseen: Amount,
    /// The most of that: `[channels.offline_limit]`.
    #[schema(value_type = String)]
    pub unseen_limit: Amount,
    /// What is under way in it: `deposit`, `withdraw`, `close`, …
    pub doing: Option<String>,
    /// What went wrong last, in plain words, while it is being tried again.
    pub trouble: Option<String>,
}

/// A channel to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// With whom: `0x…@host:port`, or the alias or identity of a known peer.
    pub peer: String,
    /// What we put in, and so which asset it is for.
    pub deposit: AssetAmount,
    /// After a close alone, so many minutes for the other side to answer it: 10 to 43200; if left out, what the node's profile needs.
    #[serde(default)]
    pub window_minutes: Option<u16>,
}

/// An amount to be put into a channel, or to be taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelAmount {
    /// Smallest units of the channel's asset.
    #[schema(value_type = String, example = "150000")]
    pub amount: Amount,
}

/// How a channel is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Closing {
    /// Both sign: one transaction, and each has its money at once.
    #[default]
    Together,
    /// Without the counterparty: each has its money after the window.
    Alone,
}

/// A wish to end a channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClose {
    /// `together` (the default) or `alone`.
    #[serde(default)]
    pub how: Closing,
    /// Together: if it is not signed within so many seconds, it is closed alone; 10 to 604800. If left out, the counterparty is waited for.
    #[serde(default)]
    pub alone_after_secs: Option<u64>,
}

/// Which channels to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelQuery {
    /// `live` (the default), `settled` or `all`.
    pub state: Option<String>,
    /// Only those with this identity.
    #[schema(value_type = Option<String>)]
    pub peer: Option<Address>,
    /// At most this many, 1 to 200; 50 if not said.
    pub limit: Option<u32>,
    /// Where the last page ended: its `next`.
    pub after: Option<String>,
}

/// A page of channels, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelPage {
    /// The channels.
    pub channels: Vec<ChannelView>,
    /// Give this as `after` for the next page; absent on the last.
    pub next: Option<String>,
}

/// Names a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelAt {
    /// On which ledger.
    pub ledger: Ledger,
    /// Its name in its contract, 64 hex digits.
    pub id: String,
}

/// Somebody with whom we have channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NeighbourView {
    /// A name of our own for it.
    pub alias: Option<String>,
    /// Its identity.
    #[schema(value_type = String)]
    pub identity: Address,
    /// True if a connection to it stands now.
    pub connected: bool,
    /// How many channels with it are open.
    pub channels: u32,
    /// What can be paid to it now, by asset.
    pub can_send: Vec<AssetAmount>,
    /// What can be received from it now, by asset.
    pub can_receive: Vec<AssetAmount>,
}

/// What mediating has earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarnedView {
    /// The asset's symbol.
    pub asset: String,
    /// Digits after the dot.
    pub decimals: u8,
    /// Fees in all, smallest units.
    #[schema(value_type = String)]
    pub earned: Amount,
    /// For so many payments of others.
    pub payments: u64,
}

/// What a running node can be asked to do with payment channels. Whatever is accepted is durable before it is answered.
#[async_trait]
pub trait ChannelService: Send + Sync {
    /// Lists channels.
    async fn channels(&self, query: ChannelQuery) -> Result<ChannelPage, ServiceError>;
    /// One channel.
    async fn channel(&self, at: &ChannelAt) -> Result<ChannelView, ServiceError>;
    /// Opens a channel; returns once it is durable that it will be opened.
    async fn open_channel(&self, channel: NewChannel) -> Result<ChannelView, ServiceError>;
    /// Puts more into a channel.
    async fn deposit(&self, at: &ChannelAt, amount: Amount) -> Result<ChannelView, ServiceError>;
    /// Takes money out of a channel that stays open. The counterparty has to sign.
    async fn withdraw(&self, at: &ChannelAt, amount: Amount) -> Result<ChannelView, ServiceError>;
    /// Ends a channel.
    async fn close_channel(&self, at: &ChannelAt, close: NewClose) -> Result<ChannelView, ServiceError>;
    /// Has a closed channel settled now, if its window is over. The node does it by itself as well.
    async fn settle_channel(&self, at: &ChannelAt) -> Result<ChannelView, ServiceError>;
    /// With whom we have channels.
    async fn neighbours(&self) -> Result<Vec<NeighbourView>, ServiceError>;
    /// What mediating has earned, by asset.
    async fn fees_earned(&self) -> Result<Vec<EarnedView>, ServiceError>;
    /// Pays. The same id pays once, for ever; the same id with other words is refused.
    async fn pay(&self, payment: NewPayment) -> Result<PaymentRecord, ServiceError>;
    /// Pays many; each is accepted or refused by itself, in their order.
    async fn pay_many(&self, payments: Vec<NewPayment>) -> Result<Vec<BatchEntry>, ServiceError>;
    /// Lists payments, newest first.
    async fn payments(&self, query: PaymentQuery) -> Result<PaymentPage, ServiceError>;
    /// One payment.
    async fn paid(&self, id: &str) -> Result<PaymentRecord, ServiceError>;
    /// Takes a payment back, if that is still possible.
    async fn cancel_payment(&self, id: &str) -> Result<PaymentRecord, ServiceError>;
    /// Expects a payment, and says what its payer needs.
    async fn request_payment(&self, request: NewPaymentRequest) -> Result<PaymentRequestView, ServiceError>;
    /// Requests, newest first, at most 200.
    async fn payment_requests(&self) -> Result<Vec<PaymentRequestView>, ServiceError>;
    /// One request.
    async fn payment_request(&self, hash: SecretHash) -> Result<PaymentRequestView, ServiceError>;
    /// Takes a payment that is held, by showing its secret.
    async fn release(&self, secret: Secret) -> Result<PaymentRequestView, ServiceError>;
    /// Gives up a request, or a payment that is held: it goes back to its payer.
    async fn give_up(&self, hash: SecretHash) -> Result<PaymentRequestView, ServiceError>;
    /// Whether a payment would find a way now, and at what fee.
    async fn routes(&self, query: RouteQuery) -> Result<RouteView, ServiceError>;
}
