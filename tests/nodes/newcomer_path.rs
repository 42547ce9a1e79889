//! From nothing to a finished swap, as the README tells it: every step through the real program.

use crate::stage::{PATIENCE, Scene, Shell, play, shared, until};
use photon::api::AddressView;
use photon::demo::stage::COIN;
use photon::service::{BalanceView, HealthView, OfferView, PeerView, SendView, SwapPage, SwapView};
use photon_regtest::process::Process;
use photon_regtest::world::{EvmChain, UtxoChain};
use serde_json::Value;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// One who has just unpacked the program.
struct Newcomer {
    name: &'static str,
    shell: Shell,
    folder: PathBuf,
    passphrase_file: String,
    identity: String,
    words: String,
}

impl Newcomer {
    async fn init(scene: &Scene, name: &'static str) -> Self {
        let home = scene.folder(name);
        let folder = home.join("photon");
        let passphrase_file = written(&home.join("passphrase"), "a passphrase that nobody knows\n");
        let shell = Shell::new(&folder);
        let made: Value = shell.json(&["init", "--network", "regtest", "--passphrase-file", &passphrase_file]).await;
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Self { name, shell, folder, passphrase_file, identity: text("identity"), words: text("words") }
    }

    fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// What a person does with an editor: ports of one's own, and the nodes at the end. No contracts yet.
    fn edit_config(&self, scene: &Scene) {
        let mut text = std::fs::read_to_string(self.config()).unwrap();
        for port in ["7707", "7708"] {
            let free = photon_regtest::ports::free().unwrap();
            text = text.replace(&format!("listen = \"127.0.0.1:{port}\""), &format!("listen = \"127.0.0.1:{free}\""));
        }
        let world = scene.world();
        let utxo = |chain: &UtxoChain| {
            let (url, cookie) = (chain.url(), chain.cookie());
            format!("rpc_url = \"{url}\"\ncookie_file = \"{}\"\nwallet = \"{}\"\n", cookie.display(), self.name)
        };
        let evm = |chain: &EvmChain| format!("rpc_url = \"{}\"\nchain_id = {}\n", chain.url(), chain.chain_id());
        text += &format!("\n[bitcoin]\n{}[litecoin]\n{}", utxo(&world.bitcoin), utxo(&world.litecoin));
        text += &format!("[ethereum]\n{}[smt]\n{}", evm(&world.ethereum), evm(&world.smt));
        std::fs::write(self.config(), text).unwrap();
    }

    async fn run_node(&self) -> Process {
        let process = self.shell.node(&["--passphrase-file", &self.passphrase_file]);
        until("the node is healthy", PATIENCE, async || (self.shell.run(&["health"]).await.code == Some(0)).then_some(())).await;
        process
    }

    async fn balance(&self, asset: &str) -> BalanceView {
        let all: Vec<BalanceView> = self.shell.json(&["balance"]).await;
        all.into_iter().find(|balance| balance.asset == asset).unwrap()
    }
}

fn written(path: &Path, text: &str) -> String {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    path.display().to_string()
}

fn lines_of_contracts(config: &str) -> Vec<String> {
    config.lines().filter(|line| line.starts_with("contracts = ")).map(str::to_owned).collect()
}

#[test]
fn from_nothing_to_a_finished_swap() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, bob) = tokio::join!(Newcomer::init(&scene, "newcomer-alice"), Newcomer::init(&scene, "newcomer-bob"));
        assert_ne!(alice.identity, bob.identity);
        assert_ne!(alice.words, bob.words);
        nothing_is_overwritten_or_left_open(&alice).await;

        for newcomer in [&alice, &bob] {
            newcomer.edit_config(&scene);
            let world = scene.world();
            world.bitcoin.create_wallet(newcomer.name).await.unwrap();
            world.litecoin.create_wallet(newcomer.name).await.unwrap();
            world.ethereum.faucet(&newcomer.identity, 5 * COIN).await.unwrap();
            world.smt.faucet(&newcomer.identity, 500 * COIN).await.unwrap();
        }
        before_the_contracts_the_node_says_what_is_missing(&alice).await;
        let contracts = deploy(&alice).await;
        bob_copies_them(&bob, &contracts);

        let (_alice_node, _bob_node) = tokio::join!(alice.run_node(), bob.run_node());
        get_money(&scene, &alice).await;
        let id = swap_bitcoin_for_ether(&alice, &bob).await;
        look_back(&alice, &bob, &id).await;
        send(&scene, &alice).await;
    });
}

async fn nothing_is_overwritten_or_left_open(alice: &Newcomer) {
    let file = |name: &str| alice.folder.join(name);
    let before: Vec<Vec<u8>> = ["seed", "config.toml", "api.tokens"].map(|name| std::fs::read(file(name)).unwrap()).into();
    let (code, said) = alice.shell.no(&["init", "--network", "regtest", "--passphrase-file", &alice.passphrase_file]).await;
    assert!(code == 1 && said.contains("holds a seed already") && said.contains("nothing was changed"), "{said}");
    let after: Vec<Vec<u8>> = ["seed", "config.toml", "api.tokens"].map(|name| std::fs::read(file(name)).unwrap()).into();
    assert_eq!(before, after);
    for name in ["seed", "api.tokens"] {
        assert_eq!(std::fs::metadata(file(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(&alice.folder).unwrap().permissions().mode() & 0o777, 0o700);
}

async fn before_the_contracts_the_node_says_what_is_missing(alice: &Newcomer) {
    let (code, said) = alice.shell.no(&["node", "--passphrase-file", &alice.passphrase_file]).await;
    assert!(code == 1 && said.contains("photon deploy ethereum"), "{said}");
    let (code, said) = alice.shell.no(&["health"]).await;
    assert!(code == 3 && said.contains("photon node"), "{said}");
}

async fn deploy(alice: &Newcomer) -> Vec<String> {
    let before = std::fs::read_to_string(alice.config()).unwrap();
    let file = alice.passphrase_file.as_str();
    let said = alice.shell.ok(&["deploy", "ethereum", "--passphrase-file", file]).await;
    assert!(said.contains("registry") && said.contains("Your partners need the same addresses"), "{said}");
    let at: Value = alice.shell.json(&["deploy", "smt", "--passphrase-file", file]).await;
    let after = std::fs::read_to_string(alice.config()).unwrap();
    let contracts = lines_of_contracts(&after);
    assert_eq!(contracts.len(), 2, "{after}");
    assert!(contracts[1].contains(at["native_htlc"].as_str().unwrap()), "{contracts:?}");
    // Nothing else in the file has changed.
    let rest: Vec<&str> = after.lines().filter(|line| !line.starts_with("contracts = ")).collect();
    assert_eq!(rest, before.lines().collect::<Vec<_>>());
    // A file that is older than the channels names three: the fourth is added, and it is the one that was deployed.
    // (The same account's first contracts stand at the same places on both chains: SMT's line is the last.)
    let named = format!(", channels = \"{}\"", at["channels"].as_str().unwrap());
    let (head, tail) = after.rsplit_once(&named).unwrap();
    let old = format!("{head}{tail}");
    std::fs::write(alice.config(), &old).unwrap();
    let again: Value = alice.shell.json(&["deploy", "smt", "--passphrase-file", file]).await;
    assert_eq!(again, at);
    assert!(old != after && std::fs::read_to_string(alice.config()).unwrap() == after);
    let (code, said) = alice.shell.no(&["deploy", "smt", "--passphrase-file", file]).await;
    assert!(code == 1 && said.contains("names its contracts already"), "{said}");
    contracts
}

fn bob_copies_them(bob: &Newcomer, contracts: &[String]) {
    let mut text = std::fs::read_to_string(bob.config()).unwrap();
    for (section, line) in ["[ethereum]", "[smt]"].into_iter().zip(contracts) {
        text = text.replace(&format!("\n{section}\n"), &format!("\n{section}\n{line}\n"));
    }
    assert_eq!(lines_of_contracts(&text), contracts);
    std::fs::write(bob.config(), text).unwrap();
}

async fn get_money(scene: &Scene, alice: &Newcomer) {
    let address = alice.shell.ok(&["address", "bitcoin"]).await;
    let same: AddressView = alice.shell.json(&["address", "ETH"]).await;
    assert_eq!(same.address.to_lowercase(), alice.identity.to_lowercase());
    scene.world().bitcoin.faucet(address.trim(), 50_000_000).await.unwrap();
    until("the coins are there", PATIENCE, async || (alice.balance("BTC").await.available.units() == 50_000_000).then_some(()))
        .await;
    let table = alice.shell.ok(&["balance"]).await;
    assert!(table.contains("AVAILABLE") && table.contains("0.5") && table.contains("LTC"), "{table}");
}

async fn swap_bitcoin_for_ether(alice: &Newcomer, bob: &Newcomer) -> String {
    let health: HealthView = bob.shell.json(&["health"]).await;
    assert!(health.healthy && health.ledgers.len() == 4, "{health:?}");
    let text = bob.shell.ok(&["health"]).await;
    assert!(text.contains(&bob.identity) && text.contains("litecoin"), "{text}");

    let known: PeerView = alice.shell.json(&["peer", "add", &health.peer_address.unwrap(), "--alias", "bob"]).await;
    assert_eq!(known.alias.as_deref(), Some("bob"));
    let said = bob.shell.ok(&["offer", "create", "--give", "1.5ETH", "--want", "0.1 BTC"]).await;
    assert!(said.contains("photon swap start"), "{said}");
    let own: Vec<OfferView> = bob.shell.json(&["offer", "list"]).await;
    let seen: Vec<OfferView> = alice.shell.json(&["offer", "list", "--peer", "bob"]).await;
    assert_eq!((seen.len(), &seen), (1, &own));
    assert_eq!(seen[0].want.amount.units(), 10_000_000);
    assert!(alice.shell.ok(&["offer", "list", "--peer", "bob"]).await.contains("1.5 ETH"));

    let swap: SwapView = alice.shell.json(&["swap", "start", "--peer", "bob", "--offer", &seen[0].id[..8]]).await;
    let watched = alice.shell.ok(&["--json", "swap", "watch", &swap.id[..10]]).await;
    let states: Vec<SwapView> = watched.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(states.len() > 2, "{watched}");
    assert!(states.iter().all(|state| state.id == swap.id));
    assert_eq!(states.last().unwrap().outcome.as_deref(), Some("completed"));
    swap.id
}

async fn look_back(alice: &Newcomer, bob: &Newcomer, id: &str) {
    until("bob is done too", PATIENCE, async || {
        let page: SwapPage = bob.shell.json(&["swap", "list", "--ended"]).await;
        page.swaps.iter().any(|swap| swap.id == id && swap.outcome.as_deref() == Some("completed")).then_some(())
    })
    .await;
    let shown = alice.shell.ok(&["swap", "show", &id[..8]]).await;
    assert!(shown.contains("completed") && shown.contains("0.1 BTC → 1.5 ETH") && shown.contains("redeem"), "{shown}");
    assert_eq!(alice.shell.ok(&["swap", "watch"]).await.trim(), "no swap is running");
    let nothing: Vec<Value> = alice.shell.json(&["swap", "watch"]).await;
    assert!(nothing.is_empty());
    let peers: Vec<PeerView> = alice.shell.json(&["peer", "list"]).await;
    assert_eq!(peers.iter().filter(|peer| peer.alias.as_deref() == Some("bob")).count(), 1);
    until("bob has the bitcoin", PATIENCE, async || {
        let held = bob.balance("BTC").await;
        let redeemed = 10_000_000 - held.fees_paid.units();
        (held.available.units() == redeemed && !held.fees_paid.is_zero()).then_some(())
    })
    .await;
    let ether = alice.balance("ETH").await;
    until("alice has the ether", PATIENCE, async || {
        let held = alice.balance("ETH").await;
        (held.available.units() + held.fees_paid.units() == 5 * COIN + 3 * COIN / 2).then_some(())
    })
    .await;
    assert_eq!(ether.trouble, None);
}

async fn send(scene: &Scene, alice: &Newcomer) {
    let to = scene.world().bitcoin.miner_wallet().new_address().await.unwrap();
    let (code, said) = alice.shell.no(&["send", "0.01BTC", &to]).await;
    assert!(code == 2 && said.contains("--yes"), "a script is never asked: {said}");
    let sent: SendView = alice.shell.json(&["send", "0.01BTC", &to, "--yes"]).await;
    until("it has arrived", PATIENCE, async || {
        let sent: SendView = alice.shell.json(&["sent", &sent.id]).await;
        (sent.state == "done").then_some(())
    })
    .await;
    assert_eq!(scene.world().bitcoin.address_balance_sat(&to).await.unwrap(), 1_000_000);
}

#[test]
fn the_words_give_the_same_node_again_and_are_shown_once() {
    play(async {
        let Some(scene) = shared().await else { return };
        let alice = Newcomer::init(&scene, "newcomer-words").await;
        assert_eq!(alice.words.split(' ').count(), 24);
        let home = scene.folder("newcomer-words-again");
        let restored = Shell::new(&home.join("photon"));
        let file = written(&home.join("passphrase"), "quite another passphrase\n");
        let init = ["init", "--network", "regtest", "--restore", "--passphrase-file", &file];
        let done = restored.run_with(&[&["--json"], &init[..]].concat(), &format!("{}\n", alice.words)).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        let made: Value = serde_json::from_str(&done.out).unwrap();
        assert_eq!(made["identity"].as_str(), Some(alice.identity.as_str()));
        assert!(made.get("words").is_none(), "restored words are not shown again");
        for text in [&done.out, &done.err] {
            assert!(!text.contains(&alice.words));
        }

        let folder = scene.folder("newcomer-words-wrong");
        let wrong = Shell::new(&folder.join("photon"));
        let a_word_too_many = alice.words.replacen(' ', " zebra ", 1);
        let done = wrong.run_with(&init, &a_word_too_many).await;
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(!done.err.contains(alice.words.split(' ').next_back().unwrap()), "an error shows no word: {}", done.err);
        assert!(!folder.join("photon").exists(), "nothing is made of wrong words");

        // For people: numbered words, once.
        let home = scene.folder("newcomer-words-seen");
        let seen = Shell::new(&home.join("photon"));
        let said = seen.ok(&["init", "--network", "regtest", "--passphrase-file", &file]).await;
        assert!(said.contains("24 words are your money") && said.contains(" 1 ") && said.contains("24 "), "{said}");
    });
}
