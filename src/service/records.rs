//! Receipts and statements, as the API shows them.

use super::AssetAmount;
use photon_chains::{Address, UnixTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A signed receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptView {
    /// The receipt, as JSON text: exactly these bytes are signed. It holds `swap`, `offer`, `role`, `peer`, `terms` (both signatures beside
    /// them), `outcome`, `ended_at`, `gave`, `got`, `transactions`, `identity` and `issued_at`.
    pub receipt: String,
    /// Who signed: this node's identity.
    #[schema(value_type = String)]
    pub signer: Address,
    /// Recoverable secp256k1 signature over SHA-256 of `photon receipt 1`, a line break, and the receipt; 130 hex digits.
    pub signature: String,
}

/// Which part of the books.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementQuery {
    /// Ended at or after, unix seconds.
    pub from: Option<u64>,
    /// Ended before, unix seconds.
    pub until: Option<u64>,
    /// At most so many, 1 to 500; 100 if not said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<u64>,
    /// `json` or `csv`.
    pub format: Option<String>,
}

/// A swap that has ended, as a line in the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementLine {
    /// When it ended, unix seconds.
    #[schema(value_type = u64)]
    pub ended_at: UnixTime,
    /// The swap's id.
    pub swap: String,
    /// The other party.
    #[schema(value_type = String)]
    pub peer: Address,
    /// `initiator` or `participant`.
    pub role: String,
    /// `completed`, `refunded`, `void`, `lost` or `took_both`.
    pub outcome: String,
    /// What left us: nothing unless we were redeemed from.
    pub gave: AssetAmount,
    /// What came to us: nothing unless we redeemed.
    pub got: AssetAmount,
    /// What our transactions for it paid, by ledger's coin.
    pub fees: Vec<AssetAmount>,
}

/// A page of the books, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementPage {
    /// The lines.
    pub lines: Vec<StatementLine>,
    /// Give this as `after` for the next page; absent on the last.
    pub next: Option<u64>,
}
