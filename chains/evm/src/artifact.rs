//! The compiled contracts, as they are checked in, and what must stand on the chain once they are deployed.

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::sol_types::SolValue;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One of our contracts.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contract {
    Registry,
    NativeHtlc,
    TokenHtlc,
    Channels,
}

/// The checked-in artefact is damaged. It is part of this program, so nothing can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the artefact of {0} built into this program is damaged")]
pub(crate) struct Damaged(pub(crate) &'static str);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    bytecode: String,
    deployed_bytecode: String,
    #[serde(default)]
    immutable_references: BTreeMap<String, Vec<Place>>,
}

#[derive(Deserialize)]
struct Place {
    start: usize,
    length: usize,
}

/// What the constructors of the contracts are told, which then is part of their code.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Immutables {
    pub(crate) chain_id: u64,
    pub(crate) registry: Address,
    /// The seconds that one block of a channel's window stands for.
    pub(crate) block_secs: u64,
}

impl Immutables {
    /// The EIP-712 domain of the channels contract at that place: it signs for nobody else.
    fn domain(&self, place: Address) -> B256 {
        let fields = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        let words = (fields, keccak256("Photon Channels"), keccak256("1"), U256::from(self.chain_id), place);
        keccak256(words.abi_encode())
    }
}

/// The code that must stand at SecretRegistry, NativeHtlc and TokenHtlc on that chain, wherever they stand. None if an artefact of
/// this program is damaged.
pub fn runtime_codes(chain_id: u64, registry: photon_chains::Address) -> Option<[Vec<u8>; 3]> {
    let immutables = Immutables { chain_id, registry: crate::slot::account(registry), block_secs: 0 };
    let [registry, native, token] = Contract::OF_SWAPS.map(|contract| contract.runtime_code(immutables, Address::ZERO).ok());
    Some([registry?, native?, token?])
}

impl Contract {
    /// Those that every swap needs.
    pub(crate) const OF_SWAPS: [Contract; 3] = [Contract::Registry, Contract::NativeHtlc, Contract::TokenHtlc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Contract::Registry => "SecretRegistry",
            Contract::NativeHtlc => "NativeHtlc",
            Contract::TokenHtlc => "TokenHtlc",
            Contract::Channels => "Channels",
        }
    }

    fn artifact(self) -> Result<Artifact, Damaged> {
        let json = match self {
            Contract::Registry => include_str!("../../../contracts/artifacts/SecretRegistry.json"),
            Contract::NativeHtlc => include_str!("../../../contracts/artifacts/NativeHtlc.json"),
            Contract::TokenHtlc => include_str!("../../../contracts/artifacts/TokenHtlc.json"),
            Contract::Channels => include_str!("../../../contracts/artifacts/Channels.json"),
        };
        serde_json::from_str(json).map_err(|_| Damaged(self.name()))
    }

    /// The bytes that deploy it.
    pub(crate) fn init_code(self, immutables: Immutables) -> Result<Vec<u8>, Damaged> {
        let mut code = self.bytes(&self.artifact()?.bytecode)?;
        if self != Contract::Registry {
            code.extend(U256::from(immutables.chain_id).to_be_bytes::<32>());
            code.extend(immutables.registry.into_word());
        }
        if self == Contract::Channels {
            code.extend(U256::from(immutables.block_secs).to_be_bytes::<32>());
        }
        Ok(code)
    }

    /// The bytes that must stand at that place.
    pub(crate) fn runtime_code(self, immutables: Immutables, place: Address) -> Result<Vec<u8>, Damaged> {
        let artifact = self.artifact()?;
        let mut code = self.bytes(&artifact.deployed_bytecode)?;
        for (name, places) in artifact.immutable_references {
            let word = match name.as_str() {
                "chainId" => B256::from(U256::from(immutables.chain_id)),
                "registry" => immutables.registry.into_word(),
                "blockSecs" => B256::from(U256::from(immutables.block_secs)),
                "domain" => immutables.domain(place),
                _ => return Err(Damaged(self.name())),
            };
            for Place { start, length } in places {
                let bytes = start.checked_add(length).and_then(|end| code.get_mut(start..end));
                match bytes {
                    Some(bytes) if length == 32 => bytes.copy_from_slice(word.as_slice()),
                    _ => return Err(Damaged(self.name())),
                }
            }
        }
        Ok(code)
    }

    /// keccak256 of the bytes that must stand at that place.
    pub(crate) fn code_hash(self, immutables: Immutables, place: Address) -> Result<B256, Damaged> {
        Ok(keccak256(self.runtime_code(immutables, place)?))
    }

    fn bytes(self, text: &str) -> Result<Vec<u8>, Damaged> {
        hex::decode(text.trim_start_matches("0x")).map_err(|_| Damaged(self.name()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HERE: Address = Address::repeat_byte(9);

    #[test]
    fn every_artefact_can_be_deployed_and_compared() {
        let immutables = Immutables { chain_id: 20_180_430, registry: Address::repeat_byte(7), block_secs: 18 };
        for contract in Contract::OF_SWAPS.into_iter().chain([Contract::Channels]) {
            let init = contract.init_code(immutables).unwrap();
            let runtime = contract.runtime_code(immutables, HERE).unwrap();
            assert!(init.len() > runtime.len() && runtime.len() > 100, "{contract:?}");
            let is_part =
                |other, place| contract.code_hash(immutables, HERE).unwrap() != contract.code_hash(other, place).unwrap();
            let chain = is_part(Immutables { chain_id: 1, ..immutables }, HERE);
            assert_eq!(chain, contract != Contract::Registry, "the chain id is part of the code of {contract:?}");
            let block = is_part(Immutables { block_secs: 15, ..immutables }, HERE);
            let place = is_part(immutables, Address::repeat_byte(8));
            assert_eq!([block, place], [contract == Contract::Channels; 2], "{contract:?}");
        }
    }
}
