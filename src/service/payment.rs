//! A payment by hand, as the API shows it.

use super::AssetAmount;
use photon_chains::{Amount, Ledger, UnixTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What any wallet may pay, so that a swap begins: exactly so much, once, in time. The money goes from there into the lock and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentView {
    /// The swap's id.
    pub swap: String,
    /// On which ledger.
    #[schema(value_type = String)]
    pub ledger: Ledger,
    /// What and how much.
    pub pay: AssetAmount,
    /// What is not sent by then must not be sent any more, unix seconds.
    #[schema(value_type = u64)]
    pub pay_until: UnixTime,
    /// From when it can be taken back if nothing comes of it, unix seconds.
    #[schema(value_type = u64)]
    pub refund_from: UnixTime,
    /// Bitcoin and Litecoin: the lock's address.
    pub address: Option<String>,
    /// As a link: BIP-21 on Bitcoin and Litecoin, EIP-681 on Ethereum and SMT.
    pub uri: String,
    /// The link as a QR code, an SVG picture.
    pub qr_svg: String,
    /// Ethereum and SMT: the call to be sent.
    pub call: Option<CallView>,
}

/// A call of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallView {
    /// The chain's id.
    pub chain_id: u64,
    /// Only this account may send it: it is the one that the lock goes back to.
    pub from: String,
    /// The contract.
    pub to: String,
    /// Coins that go with it, in wei.
    #[schema(value_type = String, example = "150000")]
    pub value: Amount,
    /// The call that funds the lock, in hex.
    pub calldata: String,
    /// The call that takes it back after `refund_from`, whoever sends it, in hex.
    pub refund_calldata: String,
    /// For a token: the token, to which the next call must be sent and be mined before.
    pub approve_to: Option<String>,
    /// For a token: an allowance of exactly the amount, in hex.
    pub approve_calldata: Option<String>,
}
