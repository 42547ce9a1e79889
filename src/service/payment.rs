//! A payment by hand, as the API shows it.

use super::AssetAmount;
use photon_chains::{Amount, Ledger, TxId, UnixTime};
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
    /// Bitcoin and Litecoin: the lock's output as a transaction without inputs (BIP-174, version 0, base64), for wallets that fund such.
    pub psbt: Option<String>,
    /// Ethereum and SMT: the call to be sent.
    pub call: Option<CallView>,
}

/// Coins out of which a wallet would pay for a swap, to have the transaction drawn up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDraft {
    /// Confirmed native segwit coins of one key each, 1 to 32; so many of them are spent as are needed.
    #[schema(min_items = 1, max_items = 32)]
    pub coins: Vec<CoinName>,
    /// Where what is left goes: an address of that wallet.
    pub change_address: String,
}

/// An unspent output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CoinName {
    /// Its transaction, 64 hex digits.
    #[schema(value_type = String)]
    pub txid: TxId,
    /// Its index there.
    pub vout: u32,
}

/// A payment to be signed. Nobody is bound by it, and it is written down nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DraftView {
    /// The transaction with what its signer must know (BIP-174, version 0, base64).
    pub psbt: String,
    /// What it pays for being mined.
    #[schema(value_type = String, example = "1500")]
    pub fee: Amount,
}

/// A payment whose every input is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedPayment {
    /// The transaction (BIP-174, version 0, base64).
    pub psbt: String,
}

/// A payment that our node has taken and sends on. Whether it is mined, the swap shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayedView {
    /// The transaction's id.
    #[schema(value_type = String)]
    pub txid: TxId,
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
