//! EIP-712: how the signed messages are hashed.

use crate::lock::{MOST_LOCKS, most_locks_in};
use crate::units::Units;
use photon_chains::Address;
use serde::{Deserialize, Serialize};
use sha3::{Digest, Keccak256};

/// keccak256, the EVM's hash.
pub fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// Values one after another, each in 32 bytes, as the ABI and EIP-712 encode fixed-size values.
#[derive(Default)]
pub struct Abi(Vec<u8>);

impl Abi {
    /// Nothing yet.
    pub fn new() -> Self {
        Self(Vec::with_capacity(9 * 32))
    }

    /// `bytes32`.
    #[must_use]
    pub fn word(mut self, word: &[u8; 32]) -> Self {
        self.0.extend(word);
        self
    }

    /// `address`.
    #[must_use]
    pub fn address(mut self, address: &Address) -> Self {
        self.0.extend([0; 12]);
        self.0.extend(address.as_bytes());
        self
    }

    /// An unsigned integer.
    #[must_use]
    pub fn u128(mut self, value: u128) -> Self {
        self.0.extend([0; 16]);
        self.0.extend(value.to_be_bytes());
        self
    }

    /// An unsigned integer.
    #[must_use]
    pub fn u64(self, value: u64) -> Self {
        self.u128(u128::from(value))
    }

    /// `uint96`.
    #[must_use]
    pub fn units(self, value: Units) -> Self {
        self.u128(value.get())
    }

    /// A signed integer, in two's complement.
    #[must_use]
    pub fn i128(mut self, value: i128) -> Self {
        self.0.extend(if value < 0 { [0xff; 16] } else { [0; 16] });
        self.0.extend(value.to_be_bytes());
        self
    }

    /// `bool`.
    #[must_use]
    pub fn bool(self, value: bool) -> Self {
        self.u64(u64::from(value))
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// What is hashed, and signed by an account or more.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest32(pub [u8; 32]);

/// Where a signed message counts: on one chain, in one contract. And how much one call there can say.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Domain {
    chain_id: u64,
    contract: Address,
    separator: [u8; 32],
    most_locks: usize,
}

impl Domain {
    /// Name and version that the contract gives itself.
    pub const NAME: &'static str = "Photon Channels";
    /// See [`Domain::NAME`].
    pub const VERSION: &'static str = "1";

    /// Of a contract on a chain.
    pub fn new(chain_id: u64, contract: Address) -> Self {
        let kind = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        let encoded = Abi::new()
            .word(&kind)
            .word(&keccak(Self::NAME.as_bytes()))
            .word(&keccak(Self::VERSION.as_bytes()))
            .u64(chain_id)
            .address(&contract)
            .finish();
        Self { chain_id, contract, separator: keccak(&encoded), most_locks: MOST_LOCKS }
    }

    /// Where a chain's nodes take transactions of so many bytes at most.
    #[must_use]
    pub const fn with_transactions_of(mut self, bytes: usize) -> Self {
        self.most_locks = most_locks_in(bytes);
        self
    }

    /// The most locks that may be pending in one direction of a channel there.
    pub const fn most_locks(&self) -> usize {
        self.most_locks
    }

    /// The chain's number (EIP-155).
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The contract.
    pub const fn contract(&self) -> Address {
        self.contract
    }

    /// The domain separator.
    pub const fn separator(&self) -> &[u8; 32] {
        &self.separator
    }

    /// What is signed for a struct of that hash.
    pub fn digest(&self, struct_hash: &[u8; 32]) -> Digest32 {
        let mut bytes = [0; 66];
        let (prefix, rest) = bytes.split_at_mut(2);
        prefix.copy_from_slice(&[0x19, 0x01]);
        let (separator, hash) = rest.split_at_mut(32);
        separator.copy_from_slice(&self.separator);
        hash.copy_from_slice(struct_hash);
        Digest32(keccak(&bytes))
    }
}
