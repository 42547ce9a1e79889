//! Payments over channels, as the API shows them.

use super::AssetAmount;
use photon_chains::{Address, Amount, Ledger, SecretHash, UnixTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most payments of one batch.
pub const MOST_BATCH: usize = 1_024;
/// The most bytes of a note of ours on a payment.
pub const MOST_NOTE_BYTES: usize = 256;

/// A payment to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    /// 32 hex digits of your choice, a fresh random id for each wish: the same id pays once, for ever, however often it is sent. A request
    /// brings an id of its own: left out there.
    #[serde(default)]
    #[schema(example = "00112233445566778899aabbccddeeff")]
    pub id: Option<String>,
    /// Whom: an identity, the alias of a known peer, or a public key (66 hex digits). Or name `request`.
    #[serde(default)]
    pub payee: Option<String>,
    /// The payee's payment request, as it was given. Or name `payee`.
    #[serde(default)]
    pub request: Option<String>,
    /// What arrives. With a request it may be left out, and may be more than was asked for.
    #[serde(default)]
    pub pay: Option<AssetAmount>,
    /// The most that mediators may get on top, smallest units of the same asset; a hundredth of the amount if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "1500")]
    pub most_fee: Option<Amount>,
    /// A note for our own list, at most 256 bytes; it stays here.
    #[serde(default)]
    pub memo: Option<String>,
    /// Pay on the secret of this hash, 64 hex digits, that the payee named: a leg of a swap, say. Not beside `request`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub secret_hash: Option<SecretHash>,
}

/// Many payments to be made, each by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBatch {
    /// 1 to 1024 payments, no id twice.
    pub payments: Vec<NewPayment>,
}

/// What came of one payment of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchEntry {
    /// The payment's id.
    pub id: String,
    /// `pending`, `held`, `paid` or `failed` as for a payment, durably; `refused` if nothing was begun and the same id may be sent again.
    pub state: String,
    /// Why it was refused or failed, and what to do.
    pub reason: Option<String>,
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchView {
    /// One for each payment, in their order.
    pub payments: Vec<BatchEntry>,
}

/// A payment as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentRecord {
    /// Its id, 32 hex digits.
    pub id: String,
    /// `sent` or `received`.
    pub direction: String,
    /// The payee of one that we sent. Who sent one that came is not known: only the neighbour that brought it is.
    #[schema(value_type = Option<String>)]
    pub payee: Option<Address>,
    /// The channel over which it left or came, 64 hex digits.
    pub channel: String,
    /// On which ledger that is.
    #[schema(value_type = String)]
    pub ledger: Ledger,
    /// What arrives, or arrived.
    pub pay: AssetAmount,
    /// What mediators get of ours on top.
    pub fee: Option<AssetAmount>,
    /// `pending` (being made), `held` (locked until its secret is shown), `paid` or `failed`.
    pub state: String,
    /// Why it failed, or what is waited for.
    pub reason: Option<String>,
    /// Its hash, if it hangs on a secret.
    #[schema(value_type = Option<String>)]
    pub secret_hash: Option<SecretHash>,
    /// Our own note.
    pub memo: Option<String>,
    /// When it was begun, or came, unix seconds.
    #[schema(value_type = u64)]
    pub created_at: UnixTime,
    /// When it was paid or failed, unix seconds.
    #[schema(value_type = Option<u64>)]
    pub ended_at: Option<UnixTime>,
}

/// Which payments to list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentQuery {
    /// `sent`, `received` or `all` (the default).
    pub direction: Option<String>,
    /// `live` (pending or held), `paid`, `failed` or `all` (the default).
    pub state: Option<String>,
    /// At most this many, 1 to 200; 50 if not said.
    pub limit: Option<u32>,
    /// Where the last page ended: its `next`.
    pub after: Option<String>,
}

/// A page of payments, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentPage {
    /// The payments.
    pub payments: Vec<PaymentRecord>,
    /// Give this as `after` for the next page; absent on the last.
    pub next: Option<String>,
}

/// A payment to be expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPaymentRequest {
    /// In what: a symbol, or `ethereum:0x…`.
    pub asset: String,
    /// At least so much, smallest units.
    #[schema(value_type = String, example = "150000")]
    pub amount: Amount,
    /// What it is for, at most 128 bytes: the payer sees it.
    #[serde(default)]
    pub memo: Option<String>,
    /// For how many seconds it may be paid: 10 to 2592000 (thirty days).
    pub valid_secs: u64,
    /// Hold the payment on this hash, 64 hex digits, until its secret is given (`release`) or it is given up. If left out, the node makes a
    /// secret and takes the payment as it comes.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub secret_hash: Option<SecretHash>,
}

/// A payment that is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentRequestView {
    /// Its hash, 64 hex digits: how it is named here.
    #[schema(value_type = String)]
    pub secret_hash: SecretHash,
    /// What its payer needs, as text.
    pub request: String,
    /// The same as a QR code, an SVG picture.
    pub qr_svg: String,
    /// What and at least how much.
    pub pay: AssetAmount,
    /// What it is for.
    pub memo: Option<String>,
    /// Until when it may be paid, unix seconds.
    #[schema(value_type = u64)]
    pub valid_until: UnixTime,
    /// `open`, `held` (locked for us: release it or give it up), `paid`, `expired` or `given_up`.
    pub state: String,
    /// What is held or was paid.
    pub came: Option<AssetAmount>,
    /// Held: until when it must be released, unix seconds.
    #[schema(value_type = Option<u64>)]
    pub release_by: Option<UnixTime>,
}

/// The secret of a payment that is held.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRelease {
    /// 64 hex digits: its SHA-256 is the request's hash.
    pub secret: String,
}

impl std::fmt::Debug for NewRelease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewRelease")
    }
}

/// A payment that is only asked about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteQuery {
    /// Whom: an identity, or the alias of a known peer.
    pub payee: String,
    /// In what: a symbol, or `ethereum:0x…`.
    pub asset: String,
    /// How much is to arrive, smallest units.
    #[schema(value_type = String)]
    pub amount: Amount,
}

/// Ways that a payment would be tried on now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteView {
    /// The cheapest first; none if there is none.
    pub ways: Vec<WayView>,
    /// Why there is none, and what to do.
    pub reason: Option<String>,
}

/// One way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WayView {
    /// What mediators get.
    pub fee: AssetAmount,
    /// The mediators, in order; empty where the payee is our neighbour.
    #[schema(value_type = Vec<String>)]
    pub through: Vec<Address>,
}
