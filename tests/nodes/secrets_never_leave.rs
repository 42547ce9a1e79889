//! Through whole swaps, with a kill in the middle and every log line there is: no secret, key, word, passphrase or token is ever
//! written where it could be read. The chain alone shows a swap's secret, when it must.

use crate::stage::{Moment, PATIENCE, Player, Scene, agree, both_complete, play, reach, shared, until};
use photon::config::Network;
use photon::datadir::DataDir;
use photon::demo::party::PASSPHRASE;
use photon::keys::{KeyUse, Passphrase, Wallet, open};
use photon::service::SwapView;
use photon::store::Store;
use photon_chains::Ledger;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::Duration;
use zeroize::Zeroizing;

/// All that our code says, and what the libraries say when debugged.
const EVERYTHING: &str = "debug,photon=trace,photon_utxo=trace,photon_evm=trace,photon_swap=trace,photon_chains=trace";

/// Something that must not be found.
struct Needle {
    what: String,
    bytes: Vec<u8>,
    /// Its own place, where it has to stand.
    at_home_in: &'static [&'static str],
}

/// Something that was written or answered.
struct Hay {
    place: String,
    bytes: Vec<u8>,
}

/// Bytes as they are, and in every way that programs write bytes.
fn needles_of(what: &str, bytes: &[u8]) -> Vec<Needle> {
    let listed = format!("{bytes:?}");
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    let base64 = {
        // Only used to look for: a table-free encoder of whole groups.
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks_exact(3) {
            let number = u32::from_be_bytes([0, group[0], group[1], group[2]]);
            for shift in [18, 12, 6, 0] {
                text.push(char::from(LETTERS[(number >> shift & 63) as usize]));
            }
        }
        text
    };
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("raw", bytes.to_vec()),
        ("hex", hex::encode(bytes).into_bytes()),
        ("upper-case hex", hex::encode_upper(bytes).into_bytes()),
        ("reversed hex", hex::encode(reversed).into_bytes()),
        ("a list", listed.trim_matches(['[', ']']).as_bytes().to_vec()),
        ("base64", base64.into_bytes()),
    ];
    forms.into_iter().map(|(form, bytes)| Needle { what: format!("{what}, as {form}"), bytes, at_home_in: &[] }).collect()
}

fn text_needle(what: &str, text: &str, at_home_in: &'static [&'static str]) -> Needle {
    Needle { what: what.to_owned(), bytes: text.as_bytes().to_vec(), at_home_in }
}

fn holds(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

fn assert_clean(needles: &[Needle], hay: &[Hay]) {
    for one in hay {
        for needle in needles {
            let at_home = needle.at_home_in.iter().any(|name| one.place.ends_with(name));
            assert!(at_home || !holds(&one.bytes, &needle.bytes), "{} holds {}", one.place, needle.what);
        }
    }
}

/// Every file of a party, as it is on the disk now.
fn files(player: &Player) -> Vec<Hay> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&player.folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(Hay { place: path.display().to_string(), bytes: std::fs::read(&path).unwrap() });
    }
    found
}

/// What its API says to one who asks for everything.
async fn answers(player: &Player, peer: &Player, ids: &[String]) -> Vec<Hay> {
    let mut paths: Vec<String> =
        ["swaps", "swaps?state=live", "offers", "balances", "peers", "health"].map(|path| format!("/v1/{path}")).into();
    paths.extend(ids.iter().map(|id| format!("/v1/swaps/{id}")));
    paths.push(format!("/v1/peers/{}/offers", peer.address()));
    paths.extend(["/metrics".to_owned(), "/openapi.json".to_owned(), "/v1/sends/none".to_owned()]);
    let mut found = Vec::new();
    for path in paths {
        let answer = player.request(Method::GET, &path).send().await.unwrap();
        let bytes = answer.bytes().await.unwrap().to_vec();
        assert!(!bytes.is_empty());
        found.push(Hay { place: format!("{}{path}", player.name), bytes });
    }
    found.push(Hay { place: format!("{} events", player.name), bytes: events(player).await });
    found
}

/// All events since the beginning: the stream, until it has told of a swap and is silent.
async fn events(player: &Player) -> Vec<u8> {
    let mut answer = player.request(Method::GET, "/v1/events?after=0").send().await.unwrap();
    let mut all = Vec::new();
    let has_begun = |all: &[u8]| holds(all, b"fund_intent");
    let patience = |all: &[u8]| if has_begun(all) { Duration::from_secs(1) } else { PATIENCE };
    while let Ok(Ok(Some(piece))) = tokio::time::timeout(patience(&all), answer.chunk()).await {
        all.extend_from_slice(&piece);
    }
    assert!(has_begun(&all), "the events of a swap are there: {}", String::from_utf8_lossy(&all));
    all
}

fn wallet(player: &Player) -> (Wallet, Vec<String>) {
    let passphrase = Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned())).unwrap();
    let words = open(&player.folder.join("seed"), &passphrase).unwrap();
    (Wallet::new(&words, Network::Regtest).unwrap(), words.words().map(str::to_owned).collect())
}

/// The secret of a swap, out of the transaction that had to show it.
async fn secret_on_chain(scene: &Scene, alice: &Player, swap: &SwapView) -> Vec<u8> {
    let beta = &swap.legs[1];
    let redeem = beta.transactions.iter().find(|tx| tx.purpose == "redeem" && tx.state == "mined").unwrap();
    let world = scene.world();
    let txid = redeem.txid.to_string();
    let text = match beta.ledger {
        Ledger::Ethereum | Ledger::Smt | Ledger::EthereumChannel | Ledger::SmtChannel => {
            let chain = if beta.ledger == Ledger::Smt { &world.smt } else { &world.ethereum };
            let id = format!("0x{}", txid.trim_start_matches("0x"));
            chain.call("eth_getTransactionByHash", json!([id])).await.unwrap()["input"].as_str().unwrap().to_owned()
        }
        Ledger::Bitcoin | Ledger::Litecoin => {
            let chain = if beta.ledger == Ledger::Bitcoin { &world.bitcoin } else { &world.litecoin };
            let seen = chain.wallet(&alice.name).rpc.call("gettransaction", json!([txid])).await.unwrap();
            seen["hex"].as_str().unwrap().to_owned()
        }
    };
    let bytes = hex::decode(text.trim_start_matches("0x")).unwrap();
    let hash = swap.secret_hash.to_string();
    let opens = |window: &&[u8]| hex::encode(Sha256::digest(window)) == hash;
    bytes.windows(32).find(opens).unwrap_or_else(|| panic!("{txid} shows no secret")).to_vec()
}

/// The keys that a party made for its swaps, and the secrets that it would have made as the Initiator.
async fn keys_of_swaps(player: &Player, wallet: &Wallet, ids: &[String]) -> Vec<Needle> {
    let database = DataDir::new(Some(player.folder.clone())).database();
    let store = Store::open(&database, *wallet.storage_key().expose()).unwrap();
    let mut needles = Vec::new();
    for id in ids {
        let salt = store.swap(id.parse().unwrap()).await.unwrap().unwrap().swap.salt;
        let secret = wallet.secret(salt.as_bytes());
        needles.extend(needles_of(&format!("{}'s derived secret", player.name), secret.expose()));
        for ledger in [Ledger::Bitcoin, Ledger::Litecoin] {
            for key_use in [KeyUse::Redeem, KeyUse::Refund] {
                let key = wallet.lock_key(salt.as_bytes(), ledger, key_use);
                needles.extend(needles_of(&format!("{}'s {ledger} key to {key_use:?}", player.name), key.expose()));
            }
        }
    }
    store.close().await.unwrap();
    needles
}

fn standing_needles(player: &Player, wallet: &Wallet, words: &[String]) -> Vec<Needle> {
    let name = &player.name;
    let mut needles = vec![
        text_needle(&format!("{name}'s passphrase"), PASSPHRASE, &["/passphrase"]),
        text_needle(&format!("{name}'s token"), player.token(), &["/api.tokens"]),
    ];
    for three in words.windows(3) {
        for between in [" ", ", ", "\", \"", "\n"] {
            needles.push(text_needle(&format!("{name}'s words"), &three.join(between), &[]));
        }
    }
    needles.extend(needles_of(&format!("{name}'s account key"), wallet.evm_account_key().expose()));
    for (what, key) in [("storage", wallet.storage_key()), ("noise", wallet.noise_static()), ("recovery", wallet.recovery_key())]
    {
        needles.extend(needles_of(&format!("{name}'s {what} key"), key.expose()));
    }
    needles
}

#[test]
fn secrets_never_leave() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, mut bob) = tokio::join!(scene.party("secrets-alice"), scene.party("secrets-bob"));
        (alice.verbosity, bob.verbosity) = (EVERYTHING.to_owned(), EVERYTHING.to_owned());
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        // Counters are told before they first rise: so also by who is started again when all has ended.
        metrics_name_nobody(&alice, &bob, &[]).await;

        let mut hay = Vec::new();
        let mut ids = Vec::new();
        for (pay, get) in [("BTC", "ETH"), ("ETH", "LTC"), ("SMT", "BTC"), ("LTC", "SMT")] {
            ids.push(agree(&alice, &bob, pay, get).await);
        }
        hay.extend(answers(&alice, &bob, &ids).await);
        // The secret is written down, and may be on its way: what does a thief find on the disk?
        reach(&alice, &ids[0], Moment::Fact("reveal_intent")).await;
        alice.kill().unwrap();
        hay.extend(files(&alice));
        alice.start().await.unwrap();
        reach(&bob, &ids[0], Moment::Fact("secret")).await;
        hay.extend(files(&bob));
        for id in &ids {
            both_complete(&alice, &bob, id).await;
        }
        wrong_requests(&alice).await;
        for (player, peer) in [(&alice, &bob), (&bob, &alice)] {
            hay.extend(answers(player, peer, &ids).await);
            metrics_name_nobody(player, peer, &ids).await;
            command_line_is_clean(player).await;
        }
        let mut needles = Vec::new();
        for id in &ids {
            let swap = alice.swap(id).await.unwrap();
            let secret = secret_on_chain(&scene, &alice, &swap).await;
            needles.extend(needles_of(&format!("the secret of {id}"), &secret));
        }
        for chain in [&scene.world().bitcoin, &scene.world().litecoin] {
            let cookie = std::fs::read_to_string(chain.cookie()).unwrap();
            needles.push(text_needle("a node's password", cookie.trim().split_once(':').unwrap().1, &[]));
        }
        alice.stop().unwrap();
        bob.stop().unwrap();
        for player in [&alice, &bob] {
            let (wallet, words) = wallet(player);
            needles.extend(standing_needles(player, &wallet, &words));
            needles.extend(keys_of_swaps(player, &wallet, &ids).await);
            hay.extend(files(player));
        }
        // What is looked through is what it should be: logs name the swaps, databases hold them.
        let all = |name: &str| {
            hay.iter().filter(|one| one.place.ends_with(name)).map(|one| one.bytes.clone()).collect::<Vec<_>>().concat()
        };
        for id in &ids {
            let raw = hex::decode(id).unwrap();
            assert!(holds(&all("/log"), id.as_bytes()), "the logs name {id}");
            assert!(holds(&all("/photon.db"), &raw) || holds(&all("/photon.db"), id.as_bytes()), "the databases hold {id}");
        }
        assert!(hay.iter().any(|one| one.place.ends_with("photon.db-wal")) && needles.len() > 200);
        assert_clean(&needles, &hay);
    });
}

/// What fails is told without repeating what was sent.
async fn wrong_requests(alice: &Player) {
    let nearly = alice.token().replace(|c: char| c.is_ascii_digit(), "x");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/v1/health", "/v1/swaps"] {
        let refused = client.get(format!("http://{}{path}", alice.api)).bearer_auth(&nearly).send().await.unwrap();
        assert_eq!(refused.status().as_u16(), 401);
        assert!(!refused.text().await.unwrap().contains(&nearly));
    }
    assert!(!alice.said().contains(&nearly), "a mistyped token is nearly a token");
}

/// Aggregates only: who can read them learns nothing about anybody.
async fn metrics_name_nobody(player: &Player, peer: &Player, ids: &[String]) {
    let text = until("the metrics are whole", PATIENCE, async || {
        let text = player.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap().to_lowercase();
        (text.contains("photon_swaps_ended_total") && text.contains("photon_ledger_height")).then_some(text)
    })
    .await;
    let (own, other) = (player.identity.to_string().to_lowercase(), peer.identity.to_string().to_lowercase());
    for name in ids.iter().chain([&own, &other]) {
        assert!(!text.contains(name.as_str()), "the metrics name {name}");
    }
    let bare = reqwest::get(format!("http://{}/metrics", player.api)).await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
}

/// Every user of a machine can read the command line and its owner the environment of a process.
async fn command_line_is_clean(player: &Player) {
    let Some(id) = player.process_id() else { panic!("{} runs", player.name) };
    for file in ["cmdline", "environ"] {
        // Only Linux shows them as files.
        let Ok(text) = std::fs::read(format!("/proc/{id}/{file}")) else { return };
        assert!(!holds(&text, PASSPHRASE.as_bytes()) && !holds(&text, player.token().as_bytes()), "{file} of {}", player.name);
    }
}
