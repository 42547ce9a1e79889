//! The compiled contracts, as they are checked in, and what must stand on the chain once they are deployed.

use alloy::primitives::{Address, B256, U256, keccak256};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One of our contracts.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contract {
    Registry,
    NativeHtlc,
    TokenHtlc,
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

/// What the constructors of the HTLC contracts are told, which then is part of their code.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Immutables {
    pub(crate) chain_id: u64,
    pub(crate) registry: Address,
}

/// The code that must stand at SecretRegistry, NativeHtlc and TokenHtlc on that chain. None if an artefact of this program is damaged.
pub fn runtime_codes(chain_id: u64, registry: photon_chains::Address) -> Option<[Vec<u8>; 3]> {
    let immutables = Immutables { chain_id, registry: crate::slot::account(registry) };
    let [registry, native, token] = Contract::ALL.map(|contract| contract.runtime_code(immutables).ok());
    Some([registry?, native?, token?])
}

impl Contract {
    pub(crate) const ALL: [Contract; 3] = [Contract::Registry, Contract::NativeHtlc, Contract::TokenHtlc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Contract::Registry => "SecretRegistry",
            Contract::NativeHtlc => "NativeHtlc",
            Contract::TokenHtlc => "TokenHtlc",
        }
    }

    fn artifact(self) -> Result<Artifact, Damaged> {
        let json = match self {
            Contract::Registry => include_str!("../../../contracts/artifacts/SecretRegistry.json"),
            Contract::NativeHtlc => include_str!("../../../contracts/artifacts/NativeHtlc.json"),
            Contract::TokenHtlc => include_str!("../../../contracts/artifacts/TokenHtlc.json"),
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
        Ok(code)
    }

    /// The bytes that must stand on the chain.
    pub(crate) fn runtime_code(self, immutables: Immutables) -> Result<Vec<u8>, Damaged> {
        let artifact = self.artifact()?;
        let mut code = self.bytes(&artifact.deployed_bytecode)?;
        for (name, places) in artifact.immutable_references {
            let word = match name.as_str() {
                "chainId" => B256::from(U256::from(immutables.chain_id)),
                "registry" => immutables.registry.into_word(),
                _ => return Err(Damaged(self.name())),
            };
            for Place { start, length } in places {
                let place = start.checked_add(length).and_then(|end| code.get_mut(start..end));
                match place {
                    Some(place) if length == 32 => place.copy_from_slice(word.as_slice()),
                    _ => return Err(Damaged(self.name())),
                }
            }
        }
        Ok(code)
    }

    /// keccak256 of the bytes that must stand on the chain.
    pub(crate) fn code_hash(self, immutables: Immutables) -> Result<B256, Damaged> {
        Ok(keccak256(self.runtime_code(immutables)?))
    }

    fn bytes(self, text: &str) -> Result<Vec<u8>, Damaged> {
        hex::decode(text.trim_start_matches("0x")).map_err(|_| Damaged(self.name()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_artefact_can_be_deployed_and_compared() {
        let immutables = Immutables { chain_id: 20_180_430, registry: Address::repeat_byte(7) };
        for contract in Contract::ALL {
            let init = contract.init_code(immutables).unwrap();
            let runtime = contract.runtime_code(immutables).unwrap();
            assert!(init.len() > runtime.len() && runtime.len() > 100, "{contract:?}");
            let other = Immutables { chain_id: 1, ..immutables };
            let same = contract.code_hash(immutables).unwrap() == contract.code_hash(other).unwrap();
            assert_eq!(same, contract == Contract::Registry, "the chain id is part of the code of {contract:?}");
        }
    }
}
