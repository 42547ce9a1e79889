//! What is signed, field by field, so that generated clients can read and write it: the same JSON as `photon_swap`'s own types.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The taker's half of a swap: what it signs first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakerHalf {
    /// The offer or quote that is taken, 64 hex digits.
    pub offer: String,
    /// The taker's identity, 0x and 40 hex digits.
    pub taker: String,
    /// Random, 32 hex digits.
    pub salt: String,
    /// SHA-256 of the taker's secret, never used before, 64 hex digits.
    pub secret_hash: String,
    /// Who takes alpha back if nothing comes of it.
    pub alpha_refundee: PartyName,
    /// Who redeems beta: where the taker's money goes.
    pub beta_redeemer: PartyName,
    /// How long the taker may be away, in seconds.
    pub offline_secs: u64,
}

/// Who may redeem or be refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartyName {
    /// On Bitcoin and Litecoin: a compressed public key made for this swap alone, 66 hex digits.
    Key(String),
    /// On Ethereum and SMT: an account, 0x and 40 hex digits.
    Account(String),
}

/// The terms of a swap, as both sign them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreedTerms {
    /// Of this format.
    pub version: u8,
    /// The offer or quote that was taken, 64 hex digits.
    pub offer: String,
    /// The taker's identity: it makes the secret and funds alpha.
    pub initiator: String,
    /// The maker's identity: it funds beta.
    pub participant: String,
    /// The taker's salt, 32 hex digits.
    pub initiator_salt: String,
    /// The maker's salt, 32 hex digits.
    pub participant_salt: String,
    /// What the taker funds.
    pub alpha: AgreedLeg,
    /// What the maker funds.
    pub beta: AgreedLeg,
    /// Until when what may be done.
    pub deadlines: AgreedDeadlines,
    /// The longest time that either may be away, in seconds.
    pub offline_secs: u64,
}

/// One leg of the terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreedLeg {
    /// The lock.
    pub lock: AgreedLock,
    /// The hash of the ledger's first block, 64 hex digits.
    pub genesis: String,
    /// The chain's id, on Ethereum and SMT.
    pub chain_id: Option<u64>,
    /// Digits after the dot of the asset.
    pub decimals: u8,
    /// Confirmations at which this lock is relied on.
    pub confirmations: u32,
}

/// Money that one may take with the secret, and another may take back after a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreedLock {
    /// The asset: a ticker, or for a token `ethereum:0x…` with its contract.
    pub asset: String,
    /// How much, in smallest units.
    #[schema(example = "150000")]
    pub amount: String,
    /// Who may take it with the secret.
    pub redeemer: PartyName,
    /// Who may take it back.
    pub refundee: PartyName,
    /// SHA-256 of the secret, 64 hex digits.
    pub secret_hash: String,
    /// From and until when.
    pub expiry: AgreedExpiry,
    /// How it is made on its ledger.
    pub template: AgreedTemplate,
}

/// When a lock can be taken back, and until when it can be redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreedExpiry {
    /// It can be taken back from this unix second on ...
    pub opens_time: u64,
    /// ... and from this block on; 0 where blocks don't matter.
    pub opens_block: u64,
    /// Redeeming ends at this unix second; absent: only the refund ends it.
    pub closes: Option<u64>,
    /// It may not be funded after this unix second; absent: any time.
    pub lock_by: Option<u64>,
    /// Judged by the secret registry.
    pub linked: bool,
}

/// How a lock is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum AgreedTemplate {
    /// Bitcoin and Litecoin: the 97-byte script, paid to as P2WSH.
    P2wsh,
    /// Ethereum and SMT: a slot of a contract.
    Htlc {
        /// The contract.
        contract: String,
        /// keccak256 of its runtime code, 64 hex digits.
        code_hash: String,
    },
}

/// Until when what may be done, in unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreedDeadlines {
    /// When the terms were drawn up.
    pub agreed_at: u64,
    /// The taker does not fund alpha later.
    pub fund_alpha_by: u64,
    /// The maker does not fund beta later.
    pub fund_beta_by: u64,
    /// The taker does not reveal the secret later.
    pub reveal_by: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use photon_chains::{Address, Party, PublicKey, SecretHash};
    use photon_swap::{OfferId, Salt, Take};

    fn same<T: serde::de::DeserializeOwned + Serialize>(of_the_core: &impl Serialize) {
        let json = serde_json::to_value(of_the_core).unwrap();
        let read: T = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), json);
    }

    #[test]
    fn what_is_documented_is_what_is_signed() {
        same::<AgreedTerms>(&crate::commands::bench::agreed(1, Address::from_bytes([1; 20])).unwrap());
        same::<TakerHalf>(&Take {
            offer: OfferId::from_bytes([1; 32]),
            taker: Address::from_bytes([2; 20]),
            salt: Salt::from_bytes([3; 16]),
            secret_hash: SecretHash::from_bytes([4; 32]),
            alpha_refundee: Party::Key(PublicKey::from_bytes([2; 33])),
            beta_redeemer: Party::Account(Address::from_bytes([3; 20])),
            offline_secs: 900,
        });
    }
}
