//! What is set up wrongly ends the start, with words that say what to do. Nothing runs half-right.

use crate::stage::{PATIENCE, Player, Scene, agree, both_complete, own, play, shared, until};
use photon::config::ContractAddresses;
use photon::service::HealthView;
use photon_chains::Ledger;
use photon_regtest::{Mining, WorldConfig};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

impl Player {
    /// Starts the node with these settings over its configuration; it must refuse, with all these words.
    async fn refuses(&self, sets: &[&str], words: &[&str]) {
        let file = self.folder.join("passphrase");
        let mut args = vec!["node", "--passphrase-file", file.to_str().unwrap()];
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        let (code, said) = self.shell().no(&args).await;
        assert_eq!(code, 1, "{sets:?}: {said}");
        for word in words {
            assert!(said.to_lowercase().contains(&word.to_lowercase()), "{sets:?} should say {word:?}: {said}");
        }
        assert!(said.lines().any(|line| line.starts_with("photon: ")), "{said}");
    }
}

fn write_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_node_of_another_network_or_without_our_contracts_is_refused() {
    play(async {
        let Some(scene) = shared().await else { return };
        let alice = scene.party("wrong-nodes").await;
        let (world, stage) = (scene.world(), &scene.stage);
        let set = |key: &str, value: &str| format!("{key}={value}");

        let litecoin_cookie = world.litecoin.cookie().display().to_string();
        let confused = [set("bitcoin.rpc_url", world.litecoin.url()), set("bitcoin.cookie_file", &litecoin_cookie)];
        alice.refuses(&[&confused[0], &confused[1]], &["bitcoin", "not on the configured network"]).await;
        alice.refuses(&["litecoin.wallet=nobody"], &["litecoin", "wallet"]).await;
        alice.refuses(&["bitcoin.payout_address=rltc1qdqxa30gw4x5v0u0a4gvnrdt7t2w6u8rcx5hkrz"], &["bitcoin", "payout"]).await;

        alice.refuses(&["ethereum.chain_id=5"], &["ethereum", "its chain id is 1337001, configured is 5"]).await;
        alice.refuses(&[&set("ethereum.rpc_url", world.smt.url())], &["ethereum", "chain id"]).await;
        let nobody = "0x00000000000000000000000000000000000000aa";
        alice
            .refuses(
                &[&set("ethereum.contracts.native_htlc", nobody)],
                &["ethereum", nobody, "NativeHtlc", "deploy the contracts"],
            )
            .await;
        let other = stage.ethereum.token_htlc.to_string();
        alice
            .refuses(
                &[&set("ethereum.contracts.native_htlc", &other)],
                &["ethereum", &other, "NativeHtlc", "correct the address"],
            )
            .await;
        let htlc = stage.ethereum.native_htlc.to_string();
        alice
            .refuses(&[&set("ethereum.contracts.channels", &htlc)], &["ethereum", &htlc, "Channels", "correct the address"])
            .await;
        let registry = stage.token.address.to_string();
        alice.refuses(&[&set("smt.contracts.registry", &registry)], &["smt", &registry, "SecretRegistry"]).await;

        let mut late = scene.party("wrong-network").await;
        let on_testnet = ["network=testnet", "profile=hot", "ethereum.chain_id=11155111", "smt.chain_id=2022"];
        late.refuses(&on_testnet, &["bitcoin", "not on the configured network", "regtest", "testnet"]).await;
        // Every key depends on the network, and so would what a database is sealed with: a refused start has made none.
        assert!(!late.folder.join("photon.db").exists() && !alice.folder.join("photon.db").exists());
        late.start().await.unwrap();
    });
}

#[test]
fn contracts_are_not_put_on_another_network_and_nothing_is_left_behind() {
    play(async {
        let Some(scene) = shared().await else { return };
        let alice = scene.party("wrong-deploy").await;
        let line = ContractAddresses::from(scene.stage.ethereum).line();
        alice.rewrite(&format!("{line}\n"), "");
        let before = std::fs::read(alice.folder.join("config.toml")).unwrap();
        let file = alice.folder.join("passphrase");
        for (set, word) in [("ethereum.chain_id=5", "configured is 5"), ("ethereum.rpc_url=http://127.0.0.1:9", "did not answer")]
        {
            let args = ["deploy", "ethereum", "--passphrase-file", file.to_str().unwrap(), "--set", set];
            let (code, said) = alice.shell().no(&args).await;
            assert!(code == 1 && said.contains(word), "{set}: {said}");
        }
        // What a database is sealed with depends on the network: a refused start has made none, and changed nothing.
        assert!(!alice.folder.join("photon.db").exists());
        assert_eq!(std::fs::read(alice.folder.join("config.toml")).unwrap(), before);
    });
}

#[test]
fn a_token_that_is_not_the_pinned_one_is_refused() {
    play(async {
        let Some(scene) = shared().await else { return };
        let alice = scene.party("wrong-tokens").await;
        let config = alice.folder.join("config.toml");
        let right = std::fs::read_to_string(&config).unwrap();
        let hash = scene.stage.token.code_hash.to_string();
        let line = format!("code_hash = \"{hash}\"\n");
        for (wrong, words) in [
            (right.replace(&line, ""), vec!["USDX", "code_hash", hash.as_str()]),
            (right.replace(&hash, &"5a".repeat(32)), vec!["ethereum", "code"]),
            (right.replace("decimals = 18", "decimals = 6"), vec!["decimals", "18", "6"]),
        ] {
            assert_ne!(wrong, right);
            std::fs::write(&config, wrong).unwrap();
            alice.refuses(&[], &words).await;
        }
    });
}

#[test]
fn a_configuration_with_a_mistake_is_refused_by_name() {
    play(async {
        let Some(scene) = shared().await else { return };
        let alice = scene.party("wrong-words").await;
        alice.refuses(&["bitcoin.walet=mine"], &["walet"]).await;
        alice.refuses(&["spread=1"], &["spread"]).await;
        alice.refuses(&["network=mainnet", "profile=hot"], &["allow_mainnet = true", "real money"]).await;
        alice.refuses(&["network=mainnet", "profile=hot", "allow_mainnet=true"], &["mainnet"]).await;
        alice.refuses(&["profile=hot"], &["profile"]).await;
        alice.refuses(&["ethereum.rpc_url=http://me:secret@127.0.0.1:1"], &["without user or password"]).await;
        let done = alice.shell().run(&["--json", "node", "--set", "nonsense=1"]).await;
        assert_eq!(done.code, Some(1));
        let error: serde_json::Value = serde_json::from_str(done.err.trim()).unwrap();
        assert!(error["error"]["detail"].as_str().unwrap().contains("nonsense"), "{error}");

        let (code, said) = alice.shell().no(&["deploy", "bitcoin"]).await;
        assert!(code == 1 && said.contains("needs no contracts"), "{said}");
        let nowhere = crate::stage::Shell::new(&alice.folder.join("nowhere"));
        let (code, said) = nowhere.no(&["node"]).await;
        assert!(code == 1 && said.contains("photon init"), "{said}");
    });
}

#[test]
fn a_second_process_a_wrong_passphrase_and_open_files_are_refused() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, bob) = tokio::join!(scene.party("wrong-hands"), scene.party("wrong-hands-other"));
        alice.start().await.unwrap();
        alice.refuses(&[], &["in use by another photon process"]).await;
        assert!(alice.get::<HealthView>("/v1/health").await.unwrap().healthy, "the first one goes on");
        bob.refuses(&[&format!("api.listen={}", alice.api)], &["is another node running?"]).await;
        bob.refuses(&[&format!("peer.listen={}", alice.peer)], &["listen"]).await;
        alice.stop().unwrap();

        let (code, said) = alice.shell().no(&["node"]).await;
        assert!(code == 1 && said.contains("--passphrase-file"), "nobody can be asked here: {said}");
        let passphrase = alice.folder.join("passphrase");
        std::fs::write(&passphrase, "this is not the passphrase\n").unwrap();
        alice.refuses(&[], &["wrong passphrase"]).await;
        write_mode(&passphrase, 0o644);
        alice.refuses(&[], &["chmod 600"]).await;

        for file in ["seed", "api.tokens"] {
            write_mode(&bob.folder.join(file), 0o644);
            bob.refuses(&[], &[file, "chmod 600"]).await;
            write_mode(&bob.folder.join(file), 0o600);
        }
        for file in ["photon.db", "photon.db-wal", "photon.db-shm"] {
            let _ = std::fs::remove_file(bob.folder.join(file));
        }
        std::fs::copy(alice.folder.join("photon.db"), bob.folder.join("photon.db")).unwrap();
        bob.refuses(&[], &["belongs to another seed"]).await;
    });
}

/// Also a node that does not let us in may only be starting: the others go on, and health says what is wrong.
#[test]
fn a_node_that_does_not_let_us_in_is_told_and_asked_again() {
    play(async {
        let Some(scene) = shared().await else { return };
        let mut alice = scene.party("wrong-cookie").await;
        let config = alice.folder.join("config.toml");
        let right = std::fs::read_to_string(&config).unwrap();
        let (mine, theirs) = (scene.world().bitcoin.cookie(), scene.folder("wrong-cookie-file").join("cookie"));
        std::fs::write(&theirs, "__cookie__:this-opens-nothing").unwrap();
        std::fs::write(&config, right.replace(mine.to_str().unwrap(), theirs.to_str().unwrap())).unwrap();
        let is_out = |health: &HealthView| health.ledgers.iter().all(|one| one.healthy == (one.ledger != Ledger::Bitcoin));
        alice.start_until(is_out).await.unwrap();
        let done = alice.shell().run(&["health"]).await;
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.out.contains("NOT healthy") && done.out.contains("bitcoin"), "{done:?}");
        assert!(done.err.contains("not well: bitcoin"), "{done:?}");
        for text in [alice.said(), done.out] {
            assert!(!text.contains("this-opens-nothing"), "a credential is shown");
        }
        // As after its restart, with another cookie: no restart of ours is needed.
        std::fs::copy(&mine, &theirs).unwrap();
        until("bitcoin is back", PATIENCE, async || alice.get::<HealthView>("/v1/health").await.ok()?.healthy.then_some(()))
            .await;
    });
}

/// Litecoin's extension blocks are read with and without `-rpcserialversion=1`: nobody has to know the word.
#[test]
fn a_litecoind_as_it_comes_serves_as_well() {
    play(async {
        let every = WorldConfig::every(Mining::Every(Duration::from_secs(1)));
        let config = WorldConfig { litecoind_args: vec!["-rpcserialversion=2".to_owned()], ..every };
        let Some(scene) = own(config).await else { return };
        let (alice, bob) = scene.alice_and_bob("plain-litecoind").await;
        let there = agree(&alice, &bob, "LTC", "BTC").await;
        let back = agree(&alice, &bob, "ETH", "LTC").await;
        both_complete(&alice, &bob, &there).await;
        both_complete(&alice, &bob, &back).await;
        assert_extension_blocks_are_there(&scene).await;
    });
}

async fn assert_extension_blocks_are_there(scene: &Scene) {
    let litecoin = &scene.world().litecoin;
    let tip = litecoin.tip().await.unwrap();
    let block = litecoin.call("getblock", serde_json::json!([tip, 1])).await.unwrap();
    assert!(block.get("mweb").is_some(), "the tip has an extension block: {block}");
}
