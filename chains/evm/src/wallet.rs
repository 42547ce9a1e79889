//! Our account: its key, and transactions as bytes. No input or output.

use crate::fees::Price;
use alloy::consensus::{SignableTransaction, Transaction, TxEip1559, TxEnvelope, TxLegacy};
use alloy::eips::eip2718::{Decodable2718, Encodable2718};
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use photon_chains::LockKey;

/// The key is no key, or could not sign. Says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account's key can't sign")]
pub(crate) struct BadKey;

/// What one transaction does.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Whom it calls; none to deploy a contract.
    pub(crate) to: Option<Address>,
    /// The coin that goes with it.
    pub(crate) value: U256,
    /// The calldata.
    pub(crate) input: Vec<u8>,
    /// The most gas it may use.
    pub(crate) gas: u64,
}

impl Order {
    /// The price per gas at which an account with so many wei can pay for it.
    pub(crate) fn affordable(&self, wei: U256) -> u128 {
        let per_gas = wei.saturating_sub(self.value) / U256::from(self.gas.max(1));
        u128::try_from(per_gas).unwrap_or(u128::MAX)
    }

    /// Pays nothing to ourselves: takes a nonce and does nothing else.
    pub(crate) fn nothing(account: Address) -> Self {
        Self { to: Some(account), value: U256::ZERO, input: Vec::new(), gas: 21_000 }
    }
}

/// A transaction, all of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) nonce: u64,
    pub(crate) order: Order,
    pub(crate) price: Price,
}

impl Draft {
    /// The most its gas may cost.
    pub(crate) fn most_fee(&self) -> U256 {
        U256::from(self.order.gas) * U256::from(self.price.most())
    }

    /// The most it may take from the account.
    pub(crate) fn most_cost(&self) -> U256 {
        self.most_fee().saturating_add(self.order.value)
    }

    /// Reads a signed transaction of ours back.
    pub(crate) fn read(raw: &[u8]) -> Option<Self> {
        let tx = TxEnvelope::decode_2718_exact(raw).ok()?;
        let price = if tx.is_legacy() {
            Price::Legacy { price: tx.gas_price()? }
        } else {
            Price::Eip1559 { cap: tx.max_fee_per_gas(), tip: tx.max_priority_fee_per_gas()? }
        };
        let order = Order { to: tx.to(), value: tx.value(), input: tx.input().to_vec(), gas: tx.gas_limit() };
        Some(Self { nonce: tx.nonce(), order, price })
    }
}

/// A signed transaction.
pub(crate) struct Signed {
    pub(crate) hash: B256,
    pub(crate) raw: Vec<u8>,
}

/// Our account on one chain.
pub(crate) struct Wallet {
    signer: PrivateKeySigner,
    chain_id: u64,
}

impl Wallet {
    pub(crate) fn new(key: &LockKey, chain_id: u64) -> Result<Self, BadKey> {
        let signer = PrivateKeySigner::from_slice(key.expose()).map_err(|_| BadKey)?;
        Ok(Self { signer, chain_id })
    }

    /// The account.
    pub(crate) fn address(&self) -> Address {
        self.signer.address()
    }

    /// Signs, for this chain only (EIP-155).
    pub(crate) fn sign(&self, draft: &Draft) -> Result<Signed, BadKey> {
        let Order { to, value, input, gas } = draft.order.clone();
        let to = to.map_or(TxKind::Create, TxKind::Call);
        let input = Bytes::from(input);
        let (chain_id, nonce) = (self.chain_id, draft.nonce);
        let envelope = match draft.price {
            Price::Eip1559 { cap, tip } => {
                let tx = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit: gas,
                    max_fee_per_gas: cap,
                    max_priority_fee_per_gas: tip,
                    to,
                    value,
                    access_list: Default::default(),
                    input,
                };
                let signature = self.signer.sign_hash_sync(&tx.signature_hash()).map_err(|_| BadKey)?;
                TxEnvelope::from(tx.into_signed(signature))
            }
            Price::Legacy { price } => {
                let tx = TxLegacy { chain_id: Some(chain_id), nonce, gas_price: price, gas_limit: gas, to, value, input };
                let signature = self.signer.sign_hash_sync(&tx.signature_hash()).map_err(|_| BadKey)?;
                TxEnvelope::from(tx.into_signed(signature))
            }
        };
        Ok(Signed { hash: *envelope.tx_hash(), raw: envelope.encoded_2718() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alloy::primitives::{address, hex, keccak256};
    use proptest::prelude::*;

    fn wallet(chain_id: u64) -> Wallet {
        Wallet::new(&LockKey::from_bytes([0x46; 32]), chain_id).unwrap()
    }

    /// The example of EIP-155: key, transaction, hash to sign and signed bytes are in its text.
    #[test]
    fn the_example_of_eip_155_is_signed_as_its_text_says() {
        let wallet = wallet(1);
        assert_eq!(wallet.address(), address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"));
        let draft = Draft {
            nonce: 9,
            price: Price::Legacy { price: 20_000_000_000 },
            order: Order {
                to: Some(Address::repeat_byte(0x35)),
                value: U256::from(10u64.pow(18)),
                input: Vec::new(),
                gas: 21_000,
            },
        };
        let signed = wallet.sign(&draft).unwrap();
        let expected = hex!(
            "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
        );
        assert_eq!(signed.raw, expected);
        assert_eq!(signed.hash, keccak256(expected));
    }

    #[test]
    fn no_key_and_a_key_beyond_the_curve_are_refused() {
        for bytes in [[0; 32], [0xff; 32]] {
            assert!(Wallet::new(&LockKey::from_bytes(bytes), 1).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_signed_transaction_reads_back(nonce: u64, value: u128, gas: u64, price in 1u128..1 << 80, input: Vec<u8>, legacy: bool, create: bool) {
            let price = if legacy { Price::Legacy { price } } else { Price::Eip1559 { cap: price, tip: price / 2 } };
            let to = (!create).then(|| Address::repeat_byte(9));
            let draft = Draft { nonce, price, order: Order { to, value: U256::from(value), input, gas } };
            prop_assert!(Draft::read(&wallet(20_180_430).sign(&draft).unwrap().raw) == Some(draft));
        }

        #[test]
        fn bytes_that_are_no_transaction_are_refused(bytes: Vec<u8>) {
            let _ = Draft::read(&bytes);
        }
    }
}
