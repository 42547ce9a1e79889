//! What a running node can be asked to do: the one surface behind the HTTP API, and through it the command line.
//!
//! Everything here is already parsed and bounded; amounts are decimal strings of the asset's smallest unit in JSON.

mod channels;
mod market;
mod payment;
mod peers;
mod records;
mod terms;
mod transfers;
mod webhooks;

pub use channels::{
    ChannelAmount, ChannelAt, ChannelPage, ChannelQuery, ChannelService, ChannelView, Closing, EarnedView, NeighbourView,
    NewChannel, NewClose,
};
pub use market::{AcceptanceView, NewAcceptance, NewProposal, NewQuote, PairView, ProposalView, QuoteView};
pub use payment::{CallView, CoinName, DraftView, NewDraft, PaymentView, RelayedView, SignedPayment};
pub use peers::{NewPeer, PeerView, ScoreView};
pub use records::{ReceiptView, StatementLine, StatementPage, StatementQuery};
pub use terms::{AgreedDeadlines, AgreedExpiry, AgreedLeg, AgreedLock, AgreedTemplate, AgreedTerms, PartyName, TakerHalf};
pub use transfers::{
    BatchEntry, BatchView, MOST_BATCH, MOST_NOTE_BYTES, NewBatch, NewPayment, NewPaymentRequest, NewRelease, PaymentPage,
    PaymentQuery, PaymentRecord, PaymentRequestView, RouteQuery, RouteView, WayView,
};
pub use webhooks::{NewWebhook, ReplayFrom, WebhookView};

use async_trait::async_trait;
use photon_chains::{Address, Amount, Ledger, SecretHash, TxId, UnixTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An offer of ours, or of a peer: so much of one asset for so much of another, taken whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferView {
    /// The offer's id, 64 hex digits.
    pub id: String,
    /// The maker's identity.
    #[schema(value_type = String)]
    pub maker: Address,
    /// What the maker gives.
    pub give: AssetAmount,
    /// What the maker wants for it.
    pub want: AssetAmount,
    /// Until when it may be taken, unix seconds.
    #[schema(value_type = u64)]
    pub valid_until: UnixTime,
    /// `open`, `taken`, `cancelled` or `expired`.
    pub state: String,
    /// Where its maker answers, `0x…@host:port`: whom to name when it is taken. Only with offers that other nodes told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
}

/// Which offers are asked for: all, or those in which the maker gives one asset, wants one, or both. Assets by symbol or full name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfferPair {
    /// What the maker gives.
    pub give: Option<String>,
    /// What the maker wants for it.
    pub want: Option<String>,
}

/// An amount of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssetAmount {
    /// `BTC`, `LTC`, `ETH`, `SMT`, a configured token's symbol, or `ethereum:0x…`; in channels `ETH@channel` and so on.
    pub asset: String,
    /// In smallest units, as a decimal string.
    #[schema(value_type = String, example = "150000")]
    pub amount: Amount,
    /// The same in whole coins, for people. Ignored in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coins: Option<String>,
}

/// A new offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOffer {
    /// What we give.
    pub give: AssetAmount,
    /// What we want for it.
    pub want: AssetAmount,
    /// For how many seconds it may be taken: 10 to 604800.
    pub valid_secs: u64,
}

/// A wish to take a peer's offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSwap {
    /// The maker, `0x…@host:port`, or the alias or identity of a known peer.
    pub peer: String,
    /// The offer, 64 hex digits.
    pub offer: String,
    /// Who funds our leg: `wallet` (the default), or `outside` to pay the shown address by hand (Bitcoin and Litecoin).
    #[serde(default)]
    pub funding: Funding,
}

/// Who funds our leg of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Funding {
    /// The node's wallet, or our account.
    #[default]
    Wallet,
    /// Any wallet that pays the shown address.
    Outside,
}

/// One leg of a swap as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LegView {
    /// `alpha` (funded first, expires last) or `beta`.
    pub leg: String,
    /// Its ledger.
    #[schema(value_type = String)]
    pub ledger: Ledger,
    /// What is locked.
    pub asset_amount: AssetAmount,
    /// True if we fund it; false if we redeem it.
    pub ours: bool,
    /// `unknown`, `absent`, `pending`, `funded`, `redeemed` or `refunded`: the ledger's word.
    pub status: String,
    /// Confirmations of what `status` says, and how many we rely on.
    pub depth: u32,
    /// Confirmations that we rely on.
    pub depth_wanted: u32,
    /// From when it can be refunded, unix seconds.
    #[schema(value_type = u64)]
    pub refund_from: UnixTime,
    /// Where to pay to fund it by hand, if we fund it and it is not funded.
    pub funding_address: Option<String>,
    /// The same as a payment link (BIP-21).
    pub funding_uri: Option<String>,
    /// What was sent for it, oldest first.
    pub transactions: Vec<TransactionView>,
}

/// A transaction of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionView {
    /// `fund`, `cancel`, `redeem`, `refund` or `send`.
    pub purpose: String,
    /// Its id.
    #[schema(value_type = String)]
    pub txid: TxId,
    /// `sent`, `mined`, `reverted` or `replaced`.
    pub state: String,
    /// What it paid, in the ledger's native smallest unit (the most it may pay while it is only sent).
    #[schema(value_type = String)]
    pub fee: Amount,
}

/// A swap as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SwapView {
    /// The swap's id: the hash of its terms.
    pub id: String,
    /// The offer it came from.
    pub offer: String,
    /// `initiator` or `participant`.
    pub role: String,
    /// The other party.
    #[schema(value_type = String)]
    pub peer: Address,
    /// What it is doing now, in one word, computed from the facts.
    pub phase: String,
    /// `completed`, `refunded`, `void` or `lost` once it has ended.
    pub outcome: Option<String>,
    /// SHA-256 of its secret.
    #[schema(value_type = String)]
    pub secret_hash: SecretHash,
    /// When both had signed, unix seconds.
    #[schema(value_type = u64)]
    pub agreed_at: UnixTime,
    /// When it ended, unix seconds.
    #[schema(value_type = Option<u64>)]
    pub ended_at: Option<UnixTime>,
    /// The next moment at which something must have happened, and what.
    pub deadline: Option<DeadlineView>,
    /// Both legs, alpha first.
    pub legs: Vec<LegView>,
    /// Our own durable facts with their times: `fund_intent`, `reveal_intent`, …
    pub facts: Vec<FactView>,
    /// What went wrong last, in plain words, while it is being tried again.
    pub trouble: Option<String>,
    /// Where our own lock is asked about first: `asked`, `granted` or `denied`.
    pub approval: Option<String>,
}

/// A deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadlineView {
    /// What must have happened by then, or may happen from then on.
    pub what: String,
    /// Unix seconds.
    #[schema(value_type = u64)]
    pub at: UnixTime,
}

/// A durable fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactView {
    /// Which.
    pub fact: String,
    /// When it was written, unix seconds.
    #[schema(value_type = u64)]
    pub at: UnixTime,
}

/// Which swaps to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwapQuery {
    /// `live`, `ended` or `all` (the default).
    pub state: Option<String>,
    /// At most this many, 1 to 200; 50 if not said.
    pub limit: Option<u32>,
    /// Where the last page ended: its `next`.
    pub after: Option<String>,
    /// Only those with this identity.
    #[schema(value_type = Option<String>)]
    pub peer: Option<Address>,
}

/// An answer to a swap that asks before our own lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApproval {
    /// True: our side may be locked. False: it never is.
    pub approve: bool,
}

/// A wish to begin nothing new, or to begin again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draining {
    /// True: nothing new is begun, what runs goes on. False: as usual.
    pub draining: bool,
}

/// A page of swaps, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SwapPage {
    /// The swaps.
    pub swaps: Vec<SwapView>,
    /// Give this as `after` for the next page; absent on the last.
    pub next: Option<String>,
}

/// What we hold of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceView {
    /// The asset's symbol.
    pub asset: String,
    /// Its ledger.
    #[schema(value_type = String)]
    pub ledger: Ledger,
    /// Digits after the dot.
    pub decimals: u8,
    /// Free to spend, smallest units.
    #[schema(value_type = String)]
    pub available: Amount,
    /// On its way in, not confirmed.
    #[schema(value_type = String)]
    pub incoming: Amount,
    /// Standing in locks of ours on the ledger.
    #[schema(value_type = String)]
    pub locked: Amount,
    /// Held back for the fees of swaps that are running.
    #[schema(value_type = String)]
    pub reserved: Amount,
    /// Fees paid so far by transactions that are final (native assets).
    #[schema(value_type = String)]
    pub fees_paid: Amount,
    /// Why the node could not be asked, if it could not.
    pub trouble: Option<String>,
}

/// A wallet payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSend {
    /// What and how much.
    pub pay: AssetAmount,
    /// To which address of that ledger.
    pub to: String,
}

/// A wallet payment that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendView {
    /// Its id, 64 hex digits.
    pub id: String,
    /// What and how much.
    pub pay: AssetAmount,
    /// To whom.
    pub to: String,
    /// `queued`, `sent`, `mined`, `done` or `refused`.
    pub state: String,
    /// Its newest transaction.
    #[schema(value_type = Option<String>)]
    pub txid: Option<TxId>,
    /// Why it was refused or is waiting.
    pub trouble: Option<String>,
}

/// How one ledger is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerHealth {
    /// Which.
    #[schema(value_type = String)]
    pub ledger: Ledger,
    /// True if new risk may be taken on it.
    pub healthy: bool,
    /// Its best block's height, if it was seen.
    pub height: Option<u64>,
    /// That block's time.
    #[schema(value_type = Option<u64>)]
    pub tip_time: Option<UnixTime>,
    /// At how many nodes it is asked: with only one, everything is believed from that one.
    pub nodes: u32,
    /// What is wrong.
    pub trouble: Option<String>,
}

/// How the node is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// True if every ledger is healthy, the store works, fees are held and the disk has room.
    pub healthy: bool,
    /// True if a new swap may be begun between at least two assets. A node that is not well may still be ready for some.
    pub ready: bool,
    /// True if nothing new is begun because we were asked to drain.
    pub draining: bool,
    /// What is wrong, beside what stands at each ledger.
    pub troubles: Vec<String>,
    /// This program's version.
    pub version: String,
    /// `mainnet`, `testnet` or `regtest`.
    pub network: String,
    /// Our identity.
    #[schema(value_type = String)]
    pub identity: Address,
    /// Where peers reach us, `0x…@host:port`, if we listen.
    pub peer_address: Option<String>,
    /// Each configured ledger.
    pub ledgers: Vec<LedgerHealth>,
    /// Swaps that have not ended.
    pub live_swaps: u64,
    /// Unix time of this answer by this machine's clock.
    #[schema(value_type = u64)]
    pub now: UnixTime,
}

/// An event of the node's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its number, growing; resume with `Last-Event-ID`.
    pub seq: u64,
    /// `swap`, `offer`, `send`, `channel`, `payment`, `alert`, `approval`.
    pub kind: String,
    /// When, unix seconds.
    #[schema(value_type = u64)]
    pub at: UnixTime,
    /// What it is about: a swap's, offer's or payment's id, or a ledger's name.
    pub subject: String,
    /// What happened; never holds a secret.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

/// Why something was not done. After any of these nothing is half-done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The request can't be right; says what to change.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It can't be done in the present state: already taken, cancelled, ended.
    #[error("{0}")]
    Conflict(String),
    /// The peer, the wallet or our own rules say no; says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// A node or peer could not be asked now; try again.
    #[error("{0}")]
    Unavailable(String),
    /// Our own fault or a failing disk; the log has more.
    #[error("internal error: {0}")]
    Internal(String),
}

/// A running node. Every method that creates something is safe to repeat under one idempotency key, which the API keeps.
#[async_trait]
pub trait Service: ChannelService + Send + Sync {
    /// Publishes an offer.
    async fn create_offer(&self, offer: NewOffer) -> Result<OfferView, ServiceError>;
    /// Our own offers of these assets, newest first, of the newest 200.
    async fn offers(&self, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError>;
    /// Open offers of others, of these assets, that connected nodes told of, newest first.
    async fn heard_offers(&self, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError>;
    /// Takes an open offer back.
    async fn cancel_offer(&self, id: &str) -> Result<OfferView, ServiceError>;
    /// A peer's open offers of these assets.
    async fn peer_offers(&self, peer: &str, pair: &OfferPair) -> Result<Vec<OfferView>, ServiceError>;
    /// The pairs that we quote.
    async fn pairs(&self) -> Result<Vec<PairView>, ServiceError>;
    /// A fresh quote, of ours or of a peer.
    async fn quote(&self, quote: NewQuote) -> Result<QuoteView, ServiceError>;
    /// Terms for a taker that holds keys of its own.
    async fn propose(&self, proposal: NewProposal) -> Result<ProposalView, ServiceError>;
    /// Agrees with it; returns once that is durable. Safe to repeat.
    async fn accept(&self, acceptance: NewAcceptance) -> Result<AcceptanceView, ServiceError>;
    /// Takes a peer's offer; returns once both signatures are durable here.
    async fn start_swap(&self, swap: NewSwap) -> Result<SwapView, ServiceError>;
    /// Lists swaps.
    async fn swaps(&self, query: SwapQuery) -> Result<SwapPage, ServiceError>;
    /// One swap.
    async fn swap(&self, id: &str) -> Result<SwapView, ServiceError>;
    /// Answers a swap that asks before our own lock.
    async fn approve(&self, id: &str, approval: NewApproval) -> Result<SwapView, ServiceError>;
    /// What any wallet may pay, so that a swap begins.
    async fn payment(&self, id: &str) -> Result<PaymentView, ServiceError>;
    /// The same as a transaction out of somebody's coins, to be signed.
    async fn draft_payment(&self, id: &str, draft: NewDraft) -> Result<DraftView, ServiceError>;
    /// Hands over a signed one.
    async fn relay_payment(&self, id: &str, signed: SignedPayment) -> Result<RelayedView, ServiceError>;
    /// A signed receipt for a swap that has ended.
    async fn receipt(&self, id: &str) -> Result<ReceiptView, ServiceError>;
    /// Swaps that ended, for the books.
    async fn statement(&self, query: StatementQuery) -> Result<StatementPage, ServiceError>;
    /// Begins nothing new, or begins again.
    async fn drain(&self, draining: Draining) -> Result<HealthView, ServiceError>;
    /// What we hold, of every configured asset.
    async fn balances(&self) -> Result<Vec<BalanceView>, ServiceError>;
    /// An address to be paid at.
    async fn receive_address(&self, ledger: Ledger) -> Result<String, ServiceError>;
    /// Pays from the wallet.
    async fn send(&self, send: NewSend) -> Result<SendView, ServiceError>;
    /// One wallet payment.
    async fn sent(&self, id: &str) -> Result<SendView, ServiceError>;
    /// Peers we know.
    async fn peers(&self) -> Result<Vec<PeerView>, ServiceError>;
    /// Remembers a peer.
    async fn add_peer(&self, peer: NewPeer) -> Result<PeerView, ServiceError>;
    /// How the node is doing.
    async fn health(&self) -> Result<HealthView, ServiceError>;
    /// Where events are posted to.
    async fn webhooks(&self) -> Result<Vec<WebhookView>, ServiceError>;
    /// Has events posted.
    async fn create_webhook(&self, hook: NewWebhook) -> Result<WebhookView, ServiceError>;
    /// Forgets a webhook.
    async fn remove_webhook(&self, id: &str) -> Result<WebhookView, ServiceError>;
    /// Has everything after that event posted again.
    async fn replay_webhook(&self, id: &str, after: u64) -> Result<WebhookView, ServiceError>;
    /// Events after that number, at most `limit`, oldest first.
    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<EventView>, ServiceError>;
    /// The newest event's number, zero if there is none. This default walks the log: a store knows it at once.
    async fn last_event(&self) -> Result<u64, ServiceError> {
        let mut seq = 0;
        while let Some(event) = self.events_after(seq, 1000).await?.last().filter(|event| event.seq > seq) {
            seq = event.seq;
        }
        Ok(seq)
    }
    /// Returns when there may be an event after that number.
    async fn event_arrives(&self, seq: u64);
    /// The answer stored under an idempotency key: (hash of the request, status, body).
    async fn stored_answer(&self, key: &str) -> Result<Option<StoredAnswer>, ServiceError>;
    /// Stores the answer to a request under its idempotency key.
    async fn store_answer(&self, key: &str, answer: StoredAnswer) -> Result<(), ServiceError>;
    /// Prometheus text.
    async fn metrics(&self) -> String;
}

/// An answer kept for a repeated request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// SHA-256 of method, path and body: the same key with another request is refused.
    pub request_hash: [u8; 32],
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: String,
}
