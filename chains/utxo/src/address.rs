//! Addresses at the edge: text in, scripts inside. Bech32 and bech32m (BIP-173, BIP-350) and base58check.

use crate::params::{CHAINS, Params};
use bitcoin::bech32::{Hrp, segwit};
use bitcoin::hashes::Hash;
use bitcoin::{PubkeyHash, ScriptBuf, ScriptHash, WitnessProgram, WitnessVersion, base58};

/// The longest text that is read at all (BIP-173's own bound).
const MAX_LEN: usize = 90;

/// Why a text is no address of this chain's network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A typing error, or no address at all.
    #[error("this is no address: its checksum or its form is wrong")]
    Malformed,
    /// An address, but another chain's or network's.
    #[error("this is an address of {found}, not of {wanted}")]
    OtherNetwork {
        /// What it is.
        found: String,
        /// What was wanted.
        wanted: String,
    },
    /// It names no script.
    #[error("{kind} addresses can't be paid or used here: give an address that starts with {hrp}1")]
    Unscripted {
        /// What such addresses are called.
        kind: &'static str,
        /// The prefix to use.
        hrp: &'static str,
    },
}

/// The script that an address of this network pays to. Everything else is refused, saying what it is.
pub fn decode(params: &Params, text: &str) -> Result<ScriptBuf, AddressError> {
    let lower = text.to_ascii_lowercase();
    let prefix = lower.rsplit_once('1').map_or("", |(prefix, _)| prefix);
    for chain in CHAINS {
        if let Some((_, kind)) = chain.unscripted.iter().find(|(hrp, _)| *hrp == prefix) {
            return Err(AddressError::Unscripted { kind, hrp: params.net.hrp });
        }
    }
    if text.len() > MAX_LEN {
        return Err(AddressError::Malformed);
    }
    if let Ok((hrp, version, program)) = segwit::decode(text) {
        return from_segwit(params, &hrp.to_lowercase(), version.to_u8(), &program);
    }
    match base58::decode_check(text) {
        Ok(bytes) => from_base58(params, &bytes),
        Err(_) => Err(AddressError::Malformed),
    }
}

/// The address of a segwit output script on this network. None for any other script.
pub fn encode(params: &Params, script: &ScriptBuf) -> Option<String> {
    let version = script.witness_version()?;
    let program = script.as_bytes().get(2..)?;
    let hrp = Hrp::parse(params.net.hrp).ok()?;
    segwit::encode(hrp, version.to_fe(), program).ok()
}

fn from_segwit(params: &Params, hrp: &str, version: u8, program: &[u8]) -> Result<ScriptBuf, AddressError> {
    if hrp != params.net.hrp {
        return Err(other_network(params, |net| net.hrp == hrp));
    }
    let version = WitnessVersion::try_from(version).map_err(|_| AddressError::Malformed)?;
    let program = WitnessProgram::new(version, program).map_err(|_| AddressError::Malformed)?;
    Ok(ScriptBuf::new_witness_program(&program))
}

fn from_base58(params: &Params, bytes: &[u8]) -> Result<ScriptBuf, AddressError> {
    let (version, hash) = bytes.split_first().ok_or(AddressError::Malformed)?;
    let hash: [u8; 20] = hash.try_into().map_err(|_| AddressError::Malformed)?;
    if *version == params.net.p2pkh {
        Ok(ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array(hash)))
    } else if params.net.p2sh.contains(version) {
        Ok(ScriptBuf::new_p2sh(&ScriptHash::from_byte_array(hash)))
    } else {
        Err(other_network(params, |net| net.p2pkh == *version || net.p2sh.contains(version)))
    }
}

fn other_network(params: &Params, fits: impl Fn(&crate::params::NetworkParams) -> bool) -> AddressError {
    let name = |ledger: &dyn std::fmt::Display, network: &dyn std::fmt::Display| format!("{ledger} {network}");
    let owner =
        CHAINS.into_iter().flat_map(|chain| chain.networks.iter().map(move |net| (chain.ledger, net))).find(|(_, net)| fits(net));
    AddressError::OtherNetwork {
        found: owner.map_or_else(|| "another coin".to_owned(), |(ledger, net)| name(&ledger, &net.network)),
        wanted: name(&params.chain.ledger, &params.net.network),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::params::Network;
    use bitcoin::WScriptHash;
    use photon_chains::Ledger;
    use proptest::prelude::*;

    fn params(ledger: Ledger, network: Network) -> Params {
        Params::of(ledger, network).unwrap()
    }

    fn all() -> Vec<Params> {
        let networks = [Network::Mainnet, Network::Testnet, Network::Regtest];
        networks.into_iter().flat_map(|net| [params(Ledger::Bitcoin, net), params(Ledger::Litecoin, net)]).collect()
    }

    #[test]
    fn known_addresses_give_their_scripts() {
        let btc = params(Ledger::Bitcoin, Network::Mainnet);
        let ltc = params(Ledger::Litecoin, Network::Mainnet);
        let key_hash = "751e76e8199196d454941c45d1b3a323f1433bd6";
        for (params, text, script) in [
            (btc, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", format!("0014{key_hash}")),
            (
                btc,
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
                "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".to_owned(),
            ),
            (btc, "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", format!("76a914{key_hash}88ac")),
            (ltc, "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", format!("0014{key_hash}")),
            (ltc, "LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ", format!("76a914{key_hash}88ac")),
        ] {
            assert_eq!(decode(&params, text).unwrap().to_hex_string(), script, "{text}");
        }
    }

    #[test]
    fn mweb_addresses_are_refused_by_name() {
        let ltc = params(Ledger::Litecoin, Network::Mainnet);
        let text = format!("ltcmweb1qq{}", "q".repeat(100));
        assert_eq!(decode(&ltc, &text), Err(AddressError::Unscripted { kind: "MWEB", hrp: "ltc" }));
        assert!(decode(&ltc, &text).unwrap_err().to_string().contains("MWEB"));
    }

    #[test]
    fn another_chains_address_is_refused_and_named() {
        let ltc = params(Ledger::Litecoin, Network::Mainnet);
        for text in [
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
            "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
        ] {
            let refusal = decode(&ltc, text).unwrap_err().to_string();
            assert!(refusal.contains("bitcoin mainnet") && refusal.contains("litecoin mainnet"), "{refusal}");
        }
        for text in ["", "1", "bc1", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "0x00", "ltc1é", &"1".repeat(5000)] {
            assert_eq!(decode(&ltc, text), Err(AddressError::Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_script_address_reads_back_on_its_own_network_only(hash: [u8; 32]) {
            let script = ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array(hash));
            for own in all() {
                let text = encode(&own, &script).unwrap();
                for other in all() {
                    let read = decode(&other, &text);
                    let same = other.net.hrp == own.net.hrp;
                    prop_assert_eq!(read.ok(), same.then(|| script.clone()));
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            for params in all() {
                let _ = decode(&params, &text);
            }
        }
    }
}
