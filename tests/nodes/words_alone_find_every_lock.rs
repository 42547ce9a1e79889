//! The disk is gone, all of it. The words on paper and the nodes are left: `photon rescue` finds every open lock on all four ledgers,
//! takes it back or redeems it with a secret that is public, and reveals nothing.

use crate::stage::{Moment, PATIENCE, Player, Scene, Shell, agree, amount, ended, play, reach, shared, until};
use photon::keys::{self, Passphrase};
use serde_json::Value;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// What is left of a player: a paper with words, and a configuration that anybody can write again.
struct Paper {
    folder: PathBuf,
    words: PathBuf,
    passphrase: PathBuf,
}

/// Kills the daemon and burns its folder.
fn lose_everything(scene: &Scene, player: &mut Player) -> Paper {
    let folder = scene.folder(&format!("{}-again", player.name));
    let copy = |name: &str| std::fs::copy(player.folder.join(name), folder.join(name)).unwrap();
    copy("config.toml");
    copy("passphrase");
    let passphrase = folder.join("passphrase");
    let words = keys::open(&player.folder.join("seed"), &Passphrase::from_file(&passphrase).unwrap()).unwrap();
    let path = folder.join("words");
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    std::io::Write::write_all(&mut &file, words.words().collect::<Vec<_>>().join(" ").as_bytes()).unwrap();
    player.kill().unwrap();
    std::fs::remove_dir_all(&player.folder).unwrap();
    std::fs::create_dir(&player.folder).unwrap();
    Paper { folder, words: path, passphrase }
}

impl Paper {
    async fn rescue(&self, args: &[&str]) -> Value {
        let (words, passphrase) = (self.words.to_str().unwrap(), self.passphrase.to_str().unwrap());
        let all = [&["rescue", "--words-file", words, "--passphrase-file", passphrase], args].concat();
        Shell::new(&self.folder).json(&all).await
    }
}

const ASSETS: [&str; 4] = ["BTC", "LTC", "ETH", "SMT"];

/// What a player holds on each ledger, in smallest units.
async fn holds(scene: &Scene, player: &Player) -> [u128; 4] {
    let (world, account) = (scene.world(), player.identity.to_string());
    [
        u128::from(world.bitcoin.wallet(&player.name).balance_sat().await.unwrap()),
        u128::from(world.litecoin.wallet(&player.name).balance_sat().await.unwrap()),
        world.ethereum.balance_wei(&account).await.unwrap(),
        world.smt.balance_wei(&account).await.unwrap(),
    ]
}

/// `own bitcoin refunded`, for each lock that was found.
fn locks(report: &Value) -> Vec<String> {
    let word = |lock: &Value, key: &str| lock[key].as_str().unwrap().to_owned();
    let line = |lock| format!("{} {} {}", word(lock, "side"), word(lock, "ledger"), word(lock, "state"));
    let mut lines: Vec<String> = report["locks"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

async fn is_in_a_block(party: &Player, swap: &str, leg: usize) {
    until("a funding is in a block", PATIENCE, async || (party.swap(swap).await.ok()?.legs[leg].depth > 0).then_some(())).await;
}

// A4, F7, F10
#[test]
fn an_initiator_gets_back_what_it_locked_on_all_four_ledgers() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, mut bob) = scene.alice_and_bob("words").await;
        let before = holds(&scene, &alice).await;
        let mut swaps = Vec::new();
        for (pay, get) in [("BTC", "ETH"), ("LTC", "SMT"), ("ETH", "LTC"), ("SMT", "BTC")] {
            swaps.push(agree(&alice, &bob, pay, get).await);
        }
        bob.kill().unwrap();
        for swap in &swaps {
            is_in_a_block(&alice, swap, 0).await;
        }
        let paper = lose_everything(&scene, &mut alice);

        let first = paper.rescue(&["--once"]).await;
        let own = |report: &Value| locks(report).into_iter().filter(|line| line.starts_with("own")).collect::<Vec<_>>();
        assert_eq!(own(&first).len(), 4, "every lock is found at the first look: {first}");
        assert_eq!(first["done"], false, "none of them can be taken back yet: {first}");
        let last = paper.rescue(&[]).await;
        assert_eq!(last["done"], true, "{last}");
        let all = ["own bitcoin refunded", "own ethereum refunded", "own litecoin refunded", "own smt refunded"];
        assert_eq!(own(&last), all, "{last}");
        for ((asset, before), now) in ASSETS.into_iter().zip(before).zip(holds(&scene, &alice).await) {
            let fees = amount(asset).units() / 10;
            assert!(now <= before && now + fees > before, "{asset}: {before} -> {now}");
        }
        // Once more, and there is nothing left to do.
        assert_eq!(paper.rescue(&[]).await["done"], true);
    });
}

// A4, F7, F10
#[test]
fn a_participant_redeems_with_the_secret_that_is_public_wherever_it_was_shown() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, mut bob) = scene.alice_and_bob("public").await;
        let pays = async |pay, get| {
            let swap = agree(&alice, &bob, pay, get).await;
            reach(&bob, &swap, Moment::Sent("fund")).await;
            swap
        };
        let swaps: [String; 2] = tokio::join!(pays("BTC", "ETH"), pays("ETH", "BTC")).into();
        let paper = lose_everything(&scene, &mut bob);
        let before = scene.world().bitcoin.wallet(&bob.name).balance_sat().await.unwrap();
        for swap in &swaps {
            assert_eq!(ended(&alice, swap).await, "completed");
        }
        // The node's wallet is gone too, and with it all notes. Ether is found by its events, the secret in a witness on Bitcoin.
        scene.world().bitcoin.create_wallet("public-bob-new").await.unwrap();
        let without = paper.rescue(&["--set", "bitcoin.wallet=public-bob-new"]).await;
        assert_eq!(locks(&without), ["peer ethereum redeemed"], "{without}");
        // The wallet is found again: its note leads to the coins, and the secret is in an event on Ethereum.
        let with = paper.rescue(&[]).await;
        assert_eq!(with["done"], true, "{with}");
        let found = locks(&with);
        assert!(
            found.contains(&"peer bitcoin redeemed".to_owned()) && found.contains(&"own ethereum redeemed".to_owned()),
            "{with}"
        );
        let now = scene.world().bitcoin.wallet(&bob.name).balance_sat().await.unwrap();
        let got = u64::try_from(amount("BTC").units()).unwrap();
        assert!(now > before + got - 50_000, "{before} -> {now}");
    });
}
