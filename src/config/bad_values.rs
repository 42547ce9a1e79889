//! Every key of the configuration: a value of a wrong type, out of range, of another network, or too long refuses to start and
//! names the key. The keys are those that the reader itself knows: a new one without its row fails.
// B8, H7

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use std::collections::BTreeSet;

/// Asks a type which fields it has, and gives it none.
struct Ask<'f>(&'f mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Ask<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only asked"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only asked"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &[&str] = &[];
    let _ = T::deserialize(Ask(&mut fields));
    assert!(!fields.is_empty(), "this type has no fields");
    fields
}

/// A file in which every section stands.
const WHOLE: &str = r#"
network = "testnet"
[bitcoin]
rpc_url = "http://127.0.0.1:48332"
cookie_file = "/b/.cookie"
wallet = "w"
second_node = { rpc_url = "http://127.0.0.1:48342", cookie_file = "/b2/.cookie" }
[litecoin]
rpc_url = "http://127.0.0.1:19332"
rpc_user = "u"
rpc_password_file = "/l/password"
wallet = "w"
[ethereum]
rpc_url = "http://127.0.0.1:8545"
chain_id = 11155111
contracts = { registry = "0x1111111111111111111111111111111111111111", native_htlc = "0x2222222222222222222222222222222222222222", token_htlc = "0x3333333333333333333333333333333333333333" }
second_node = { rpc_url = "http://127.0.0.1:8555" }
[[ethereum.tokens]]
symbol = "USDX"
address = "0x4444444444444444444444444444444444444444"
decimals = 6
[smt]
rpc_url = "http://127.0.0.1:8546"
chain_id = 3
[[market]]
give = "ETH"
want = "BTC"
price = "0.05"
min = "0.1"
max = "5"
"#;

fn load(sets: &[String]) -> Result<Config, ConfigError> {
    Config::read(WHOLE, Path::new("config.toml"), std::iter::empty(), sets)
}

/// A key, what it must refuse, and the word that what is said must hold.
type Row = (&'static str, &'static [&'static str], &'static str);

const NO_URL: &[&str] = &["7", "true", "", "127.0.0.1:1", "https://127.0.0.1", "http://", "http://me:pass@127.0.0.1", "ws://h:1"];
const NO_TEXT: &[&str] = &["7", "true", "[]", "{}"];
const NO_ADDRESS: &[&str] = &["", "7", "true", "0x12", "bc1qxyz", "0x111111111111111111111111111111111111111", "0xg"];
const NO_DEPTH: &[&str] = &["", "-1", "0", "1001", "1.5", "many", "true"];
const NO_SOCKET: &[&str] = &["", "7", "true", "localhost", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:-1"];

const ROWS: &[Row] = &[
    ("network", &["", "mainnet", "Testnet", "signet", "7", "true", "[]"], "network"),
    ("allow_mainnet", &["yes", "1", "", "[]"], "allow_mainnet"),
    ("profile", &["", "fast", "Hot", "7", "regtest"], "profile"),
    ("min_free_mb", &["", "-1", "1.5", "much", "true", "99999999999999999999"], "min_free_mb"),
    ("failures_per_peer", &["", "-1", "0", "1000001", "1.5", "some", "true"], "failures_per_peer"),
    ("peer.listen", NO_SOCKET, "listen"),
    ("peer.gossip", &["yes", "1", "", "[]"], "gossip"),
    ("peer.lan", &["yes", "1", "", "[]", "true"], "lan"),
    ("peer.announce", &["", "7", "true", "node.example", "node.example:0", "a b:1", "0x12@node.example:1"], "announce"),
    ("api.listen", NO_SOCKET, "listen"),
    ("api.allowed_hosts", &["x", "7", "[1]", "{}"], "allowed_hosts"),
    ("api.webhooks_on_loopback", &["yes", "1", "", "[]"], "webhooks_on_loopback"),
    ("api.requests_per_second", &["", "-1", "1.5", "many", "true", "99999999999"], "requests_per_second"),
    ("ask_before_lock", &["yes", "1", "", "[]"], "ask_before_lock"),
    ("bitcoin.rpc_url", NO_URL, "rpc_url"),
    ("bitcoin.cookie_file", NO_TEXT, "cookie_file"),
    ("bitcoin.rpc_user", &["7", "[]", "somebody"], "rpc_user"),
    ("bitcoin.rpc_password_file", &["7", "[]", "/only/this"], "rpc_password_file"),
    ("bitcoin.wallet", NO_TEXT, "wallet"),
    ("bitcoin.confirmations", NO_DEPTH, "confirmations"),
    ("bitcoin.payout_address", NO_TEXT, "payout_address"),
    ("bitcoin.second_node", &["7", "x", "[]", "{}"], "second_node"),
    ("bitcoin.second_node.rpc_url", NO_URL, "rpc_url"),
    ("bitcoin.second_node.cookie_file", &["7", "[]"], "cookie_file"),
    ("bitcoin.second_node.rpc_user", &["7", "[]", "somebody"], "rpc_user"),
    ("bitcoin.second_node.rpc_password_file", &["7", "[]", "/only/this"], "rpc_password_file"),
    ("litecoin.second_node", &["7", "x", "[]", "{}"], "second_node"),
    ("litecoin.second_node.rpc_url", NO_URL, "second_node"),
    ("litecoin.second_node.cookie_file", &["7", "[]", "/x"], "second_node"),
    ("litecoin.second_node.rpc_user", &["7", "[]", "somebody"], "second_node"),
    ("litecoin.second_node.rpc_password_file", &["7", "[]", "/x"], "second_node"),
    ("litecoin.rpc_url", NO_URL, "rpc_url"),
    ("litecoin.cookie_file", &["7", "[]", "/a/second/way"], "cookie_file"),
    ("litecoin.rpc_user", NO_TEXT, "rpc_user"),
    ("litecoin.rpc_password_file", NO_TEXT, "rpc_password_file"),
    ("litecoin.wallet", NO_TEXT, "wallet"),
    ("litecoin.confirmations", NO_DEPTH, "confirmations"),
    ("litecoin.payout_address", NO_TEXT, "payout_address"),
    ("ethereum.rpc_url", NO_URL, "rpc_url"),
    ("ethereum.confirmations", NO_DEPTH, "confirmations"),
    ("ethereum.chain_id", &["", "-1", "1.5", "one", "true", "99999999999999999999"], "chain_id"),
    ("ethereum.contracts", &["7", "x", "[]"], "contracts"),
    ("ethereum.contracts.registry", NO_ADDRESS, "registry"),
    ("ethereum.contracts.native_htlc", NO_ADDRESS, "native_htlc"),
    ("ethereum.contracts.token_htlc", NO_ADDRESS, "token_htlc"),
    ("ethereum.contracts.channels", NO_ADDRESS, "channels"),
    ("ethereum.tokens", &["7", "x", "{}"], "tokens"),
    ("ethereum.second_node", &["7", "x", "[]", "{}"], "second_node"),
    ("ethereum.second_node.rpc_url", NO_URL, "rpc_url"),
    ("smt.second_node", &["7", "x", "[]", "{}"], "second_node"),
    ("smt.second_node.rpc_url", NO_URL, "rpc_url"),
    ("smt.rpc_url", NO_URL, "rpc_url"),
    ("smt.confirmations", NO_DEPTH, "confirmations"),
    ("smt.chain_id", &["", "-1", "1.5", "one", "true", "99999999999999999999"], "chain_id"),
    ("smt.contracts", &["7", "x", "[]"], "contracts"),
    ("smt.contracts.registry", &["0x12"], "contracts"),
    ("smt.contracts.native_htlc", &["0x12"], "contracts"),
    ("smt.contracts.token_htlc", &["0x12"], "contracts"),
    ("smt.contracts.channels", &["0x12"], "contracts"),
    ("smt.tokens", &["7", "x", "{}"], "tokens"),
    ("market", &["7", "x", "{}", "[7]"], "market"),
    ("maker.stranger_swaps", &["", "-1", "1.5", "few", "true"], "stranger_swaps"),
    ("maker.strangers_unpaid", &["", "-1", "1.5", "few", "true"], "strangers_unpaid"),
    ("channels.fee_base", &["", "-1", "1.5", "few", "true"], "fee_base"),
    ("channels.fee_ppm", &["", "-1", "1.5", "1000001", "true"], "fee_ppm"),
    ("channels.most_locks", &["", "0", "-1", "481", "70000"], "most_locks"),
    ("channels.most_pending", &["1.5", "-1", "79228162514264337593543950336", "true"], "most_pending"),
    ("channels.reach", &["", "-1", "21", "few", "true"], "reach"),
    ("channels.from_strangers", &["", "-1", "1.5", "few", "true"], "from_strangers"),
    ("channels.announce", &["", "1", "\"yes\""], "announce"),
    (
        "channels.offline_limit",
        &[
            "7",
            "true",
            "[]",
            "{ BTC = \"1\" }",
            "{ XYZ = \"1\" }",
            "{ ETH = \"\" }",
            "{ ETH = \"-1\" }",
            "{ ETH = \"0.1\" }",
            "{ ETH = \"79228162514264337593543950336\" }",
        ],
        "offline_limit",
    ),
    ("channels.backup", &["", "7", "true", "[]"], "backup"),
];

/// Keys of a token, which stands in a list and is changed in the text.
const TOKEN_ROWS: &[(&str, &[&str])] = &[
    ("symbol", &["\"\"", "7", "\"BTC\"", "\"ETH\"", "\"<b>\"", "\"A B\"", "\"ABCDEFGHIJKLM\"", "\"É\""]),
    ("address", &["\"\"", "7", "\"0x12\"", "\"bc1qxyz\""]),
    ("decimals", &["-1", "31", "256", "1.5", "\"6\""]),
    ("code_hash", &["\"\"", "7", "\"0x12\""]),
];

/// Keys of a market, likewise.
const MARKET_ROWS: &[(&str, &[&str])] = &[
    ("give", &["7", "\"BTC\"", "[]"]),
    ("want", &["7", "\"ETH\"", "[]"]),
    ("price", &["0.05", "\"\"", "\"-1\"", "\"0\"", "\"1e3\"", "\"five\""]),
    ("price_file", &["7", "\"/also/this\""]),
    ("price_url", &["7", "\"https://also.example/\"", "\"http://far.example/\""]),
    ("price_pointer", &["7"]),
    ("price_ca_file", &["7", "\"/no/url/to/go/with\""]),
    ("price_min", &["0.01", "\"\"", "\"0\""]),
    ("price_max", &["0.1", "\"\"", "\"-1\""]),
    ("max_age_secs", &["0", "-1", "86401", "\"30\""]),
    ("min", &["0.1", "7", "[]"]),
    ("max", &["5", "true"]),
    ("fee_bps", &["-1", "5001", "\"10\""]),
    ("margin_bps", &["-1", "5001", "1.5"]),
    ("volatility_percent", &["-1", "1001", "\"80\""]),
    ("ttl_secs", &["0", "61", "-1", "\"20\""]),
];

#[test]
fn a_bad_value_of_any_key_of_a_market_refuses_to_start() {
    let (head, market) = WHOLE.split_once("[[market]]").unwrap();
    for (key, bad) in MARKET_ROWS {
        for value in *bad {
            let kept = market.lines().filter(|line| !line.starts_with(&format!("{key} =")));
            let text = format!("{head}[[market]]\n{}\n{key} = {value}\n", kept.collect::<Vec<_>>().join("\n"));
            let read = Config::read(&text, Path::new("config.toml"), std::iter::empty(), &[]);
            assert!(read.is_err(), "{key} = {value}");
        }
    }
    let known: BTreeSet<&str> = fields::<MarketConfig>().iter().copied().collect();
    assert_eq!(known, MARKET_ROWS.iter().map(|(key, _)| *key).collect());
}

#[test]
fn every_key_has_its_row() {
    let mut keys = BTreeSet::new();
    let mut add = |section: &str, names: &[&str]| keys.extend(names.iter().map(|name| format!("{section}{name}")));
    let sections = ["peer", "api", "maker", "channels", "bitcoin", "litecoin", "ethereum", "smt"];
    let top: Vec<&str> = fields::<Config>().iter().filter(|name| !sections.contains(*name)).copied().collect();
    assert_eq!(top.len() + sections.len(), fields::<Config>().len());
    add("", &top);
    add("peer.", fields::<PeerConfig>());
    add("api.", fields::<ApiConfig>());
    add("maker.", fields::<MakerConfig>());
    add("channels.", fields::<ChannelsConfig>());
    add("bitcoin.", fields::<UtxoLedger>());
    add("litecoin.", fields::<UtxoLedger>());
    add("bitcoin.second_node.", fields::<SecondUtxoNode>());
    add("litecoin.second_node.", fields::<SecondUtxoNode>());
    for ledger in ["ethereum.", "smt."] {
        add(ledger, fields::<EvmLedger>());
        add(&format!("{ledger}contracts."), fields::<ContractAddresses>());
        add(&format!("{ledger}second_node."), fields::<SecondEvmNode>());
    }
    let tested: BTreeSet<String> = ROWS.iter().map(|(key, ..)| (*key).to_owned()).collect();
    assert_eq!(keys, tested);
    let token: BTreeSet<&str> = fields::<TokenConfig>().iter().copied().collect();
    assert_eq!(token, TOKEN_ROWS.iter().map(|(key, _)| *key).collect());
}

#[test]
fn a_bad_value_of_any_key_refuses_to_start_and_names_the_key() {
    load(&[]).unwrap();
    for (key, bad, word) in ROWS {
        for value in *bad {
            let error = load(&[format!("{key}={value}")]).map(|_| ()).expect_err(&format!("{key}={value}")).to_string();
            assert!(error.contains(word) && error.len() > 20, "{key}={value}: {error}");
        }
    }
}

#[test]
fn a_bad_token_refuses_to_start_and_names_the_key() {
    for (key, bad) in TOKEN_ROWS {
        for value in *bad {
            let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
            let header = lines.iter().position(|line| line == "[[ethereum.tokens]]").unwrap();
            let old = (header + 1..header + 4).find(|at| lines[*at].starts_with(&format!("{key} =")));
            let new = format!("{key} = {value}");
            match old {
                Some(at) => lines[at] = new,
                None => lines.insert(header + 1, new),
            }
            let text = lines.join("\n");
            let error = Config::read(&text, Path::new("config.toml"), std::iter::empty(), &[]).map(|_| ());
            let error = error.expect_err(&format!("{key} = {value}")).to_string();
            assert!(error.contains(key), "{key} = {value}: {error}");
        }
    }
}

#[test]
fn every_key_that_must_be_there_is_missed_by_its_name() {
    for line in WHOLE.lines().filter(|line| line.contains('=')) {
        let text = WHOLE.replacen(line, "", 1);
        if let Err(error) = Config::read(&text, Path::new("config.toml"), std::iter::empty(), &[]) {
            let key = line.split('=').next().unwrap().trim();
            assert!(error.to_string().contains(key), "without {line}: {error}");
        } else {
            assert!(line.starts_with("contracts") || line.starts_with("second_node"), "it starts without {line}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_configuration_or_is_refused(text in ".{0,200}", set in ".{0,40}") {
        let path = Path::new("config.toml");
        let _ = Config::read(&text, path, std::iter::empty(), &[]);
        let _ = Config::read(WHOLE, path, std::iter::once((format!("PHOTON__{text}"), set.clone())), &[]);
        let _ = Config::read(WHOLE, path, std::iter::empty(), &[set]);
    }
}
