//! What the file, the environment and flags may say.
#![allow(clippy::unwrap_used)]
use super::*;

fn load(text: &str, env: &[(&str, &str)], sets: &[&str]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Config::load(&path, env, &sets.iter().map(|set| (*set).to_owned()).collect::<Vec<_>>())
}

#[test]
fn an_address_with_many_zeros_is_no_number() {
    let at = |place: u8| format!("0x{:0>40}", format!("{place:02x}"));
    let contracts =
        format!("{GOOD}contracts = {{ registry = \"{}\", native_htlc = \"{}\", token_htlc = \"{}\" }}", at(1), at(2), at(3));
    let set = format!("ethereum.contracts.native_htlc={}", at(0xaa));
    let config = load(&contracts, &[], &[&set]).unwrap();
    assert_eq!(config.ethereum.unwrap().contracts.unwrap().native_htlc.to_string(), at(0xaa));
}

#[test]
fn a_file_without_a_channels_contract_is_read_as_before_and_written_as_it_was() {
    let [one, two] = ["11", "22"].map(|byte| format!("0x{}", byte.repeat(20)));
    let three = format!("contracts = {{ registry = \"{one}\", native_htlc = \"{one}\", token_htlc = \"{one}\" }}");
    let four = three.replace(" }", &format!(", channels = \"{two}\" }}"));
    for (line, channels) in [(three, None), (four, Some(two))] {
        let at = load(&format!("{GOOD}{line}\n"), &[], &[]).unwrap().ethereum.unwrap().contracts.unwrap();
        assert_eq!(at.channels.map(|place| place.to_string()), channels);
        assert_eq!(at.line(), line);
    }
}

const GOOD: &str = "network = \"testnet\"\n[ethereum]\nrpc_url = \"http://127.0.0.1:8545\"\nchain_id = 5\n";

#[test]
fn the_environment_goes_over_the_file_and_flags_over_both() {
    let env = [("PHOTON__ETHEREUM__CHAIN_ID", "6"), ("HOME", "/"), ("PHOTON__PROFILE", "hot")];
    let config = load(GOOD, &env, &["ethereum.chain_id=7"]).unwrap();
    assert_eq!(config.ethereum.unwrap().chain_id, 7);
    assert_eq!(config.profile, ProfileName::Hot);
    assert_eq!(load(GOOD, &env, &[]).unwrap().ethereum.unwrap().chain_id, 6);
}

#[test]
fn unknown_keys_refuse_wherever_they_come_from() {
    assert!(load(&format!("typo = 1\n{GOOD}"), &[], &[]).is_err());
    assert!(load(&format!("{GOOD}chainid = 1\n"), &[], &[]).is_err());
    assert!(load(GOOD, &[("PHOTON__ETHEREUM__CHAINID", "6")], &[]).is_err());
    assert!(load(GOOD, &[], &["api.port=1"]).is_err());
    for bad in ["novalue", "=1", "a..b=1", "network.x=1"] {
        assert!(load(GOOD, &[], &[bad]).is_err(), "{bad}");
    }
}

#[test]
fn mainnet_needs_its_own_word() {
    let text = GOOD.replace("testnet", "mainnet");
    assert!(load(&text, &[], &[]).unwrap_err().to_string().contains("allow_mainnet"));
    assert!(load(&text, &[], &["allow_mainnet=true"]).is_ok());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    for (set, word) in [
        ("profile=regtest", "regtest"),
        ("ethereum.rpc_url=https://x", "http://"),
        ("ethereum.rpc_url=http://me:pass@x", "without user"),
        ("bitcoin.rpc_url=http://127.0.0.1:1", "cookie_file"),
        ("ethereum.second_node.rpc_url=http://127.0.0.1:8545/", "another one"),
        ("ethereum.second_node.rpc_url=127.0.0.1:1", "http://"),
        ("ethereum.second_node.chain_id=5", "second_node"),
    ] {
        let error = load(GOOD, &[], &[set]).unwrap_err().to_string();
        assert!(error.contains(word), "{set}: {error}");
    }
}

#[test]
fn a_second_node_has_an_entry_of_its_own() {
    let first = format!("{GOOD}[bitcoin]\nrpc_url = \"http://127.0.0.1:1\"\ncookie_file = \"/a\"\nwallet = \"w\"\n");
    let second = format!("{first}[bitcoin.second_node]\nrpc_url = \"http://127.0.0.1:2\"\n");
    assert!(load(&second, &[], &[]).unwrap_err().to_string().contains("[bitcoin.second_node] needs either cookie_file"));
    let config = load(&format!("{second}cookie_file = \"/b\"\n"), &[], &[]).unwrap();
    assert!(config.has_second_node(Ledger::Bitcoin) && !config.has_second_node(Ledger::Ethereum));
}

#[test]
fn what_init_writes_can_be_read_once_a_ledger_is_uncommented() {
    for network in [Network::Mainnet, Network::Testnet, Network::Regtest] {
        let text = template(network);
        assert!(load(&text, &[], &["allow_mainnet=true"]).unwrap_err().to_string().contains("no ledger"));
        let open: String = text
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|rest| rest.starts_with(['[', 'r', 'c', 'w'])).unwrap_or(line))
            .filter(|line| !line.starts_with("rpc_user"))
            .map(|line| format!("{line}\n"))
            .collect();
        let config = load(&open, &[], &["allow_mainnet=true"]).unwrap();
        assert_eq!(config.ledgers().len(), 4, "{network:?}");
    }
}
