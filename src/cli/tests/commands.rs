//! What each command does and says.
use super::*;
use crate::api::fake::{self, id};
use crate::service::{NewOffer, OfferView, SwapPage, SwapView};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn an_offer_is_made_in_whole_coins_listed_and_cancelled_by_the_beginning_of_its_id() {
    let world = World::new().await;
    let made = done(&world, &["offer", "create", "--give", "0.25btc", "--want", "2 ETH", "--valid", "30min"]).await;
    assert!(made.out.starts_with(&format!("offer {}\ngives 0.25 BTC for 2 ETH, ends in 30 min\n", id(0x10))), "{}", made.out);
    let list: Vec<OfferView> = serde_json::from_value(done(&world, &["offer", "list", "--json"]).await.json()).unwrap();
    assert_eq!((list[0].give.amount.units(), list[0].want.amount.units()), (25_000_000, 2_000_000_000_000_000_000));
    let shown = done(&world, &["offer", "list"]).await.out;
    assert_eq!(shown, "OFFER       GIVES     WANTS  STATE  ENDS\n1010101010  0.25 BTC  2 ETH  open   in 30 min\n");
    let cancelled = done(&world, &["offer", "cancel", "1010"]).await.out;
    assert_eq!(cancelled, format!("offer {} is cancelled\n", id(0x10)));
    assert!(done(&world, &["offer", "list", "--peer", "bob"]).await.out.contains("c1c1c1c1c1"));
    assert_eq!(done(&World::new().await, &["offer", "list"]).await.out, "no offers\n");
}

#[tokio::test]
async fn a_swap_is_started_from_the_beginning_of_an_offer_and_shown_in_full() {
    let world = World::new().await;
    let started = done(&world, &["swap", "start", "--peer", "bob", "--offer", "c1c1", "--outside-funding"]).await.out;
    assert!(started.contains(&format!("swap        {}\n", id(0x10))), "{started}");
    assert!(started.contains("to bcrt1qfund") && started.contains("bitcoin:bcrt1qfund?amount=0.1"), "{started}");
    assert!(started.ends_with("follow it with: photon swap watch 1010101010\n"), "{started}");
    let swap: SwapView = serde_json::from_value(done(&world, &["swap", "show", "1010", "--json"]).await.json()).unwrap();
    assert_eq!(swap.offer, id(0xc1));
    let plain = done(&world, &["swap", "start", "--peer", "bob", "--offer", &id(0xc2)]).await.out;
    assert!(!plain.contains("bcrt1qfund"));
    let ambiguous = run(&world, &["swap", "show", "abcd"]).await;
    assert_eq!(ambiguous.code, 1);
}

#[tokio::test]
async fn offers_of_the_network_are_listed_with_their_makers_and_taken_by_their_id() {
    let world = World::new().await;
    world.fake.tell(0xd1, 0xdd);
    let shown = done(&world, &["offer", "list"]).await.out;
    assert!(shown.contains("d1d1d1d1d1") && shown.contains(&format!("0x{}@maker.example:7707", "dd".repeat(20))), "{shown}");
    let both: Vec<OfferView> = serde_json::from_value(done(&world, &["offer", "list", "--json"]).await.json()).unwrap();
    assert_eq!(both.len(), 1);
    let started = done(&world, &["swap", "start", "--offer", "d1d1", "--json"]).await.json();
    assert_eq!(serde_json::from_value::<SwapView>(started).unwrap().offer, id(0xd1));
    let unknown = run(&world, &["swap", "start", "--offer", "eeee"]).await;
    assert!(unknown.code == 1 && unknown.err.contains("offer of the network"), "{}", unknown.err);
}

#[tokio::test]
async fn swaps_are_listed_by_state_and_by_pages() {
    let world = World::new().await;
    for number in 1..=3 {
        world.fake.put_swap(fake::swap(number, (number == 2).then_some("completed")));
    }
    let count = |ran: Ran| serde_json::from_value::<SwapPage>(ran.json()).unwrap().swaps.len();
    assert_eq!(count(done(&world, &["--json", "swap", "list"]).await), 3);
    assert_eq!(count(done(&world, &["--json", "swap", "list", "--all"]).await), 3);
    assert_eq!(count(done(&world, &["--json", "swap", "list", "--live"]).await), 2);
    assert_eq!(count(done(&world, &["--json", "swap", "list", "--ended"]).await), 1);
    let page = done(&world, &["swap", "list", "--limit", "2"]).await.out;
    assert!(page.ends_with("there are more: --after 2\n"), "{page}");
    assert_eq!(count(done(&world, &["--json", "swap", "list", "--limit", "2", "--after", "2"]).await), 1);
    assert_eq!(done(&World::new().await, &["swap", "list"]).await.out, "no swaps\n");
}

#[tokio::test]
async fn the_wallet_shows_asks_and_pays() {
    let world = World::new().await;
    let balances = done(&world, &["balance"]).await.out;
    assert_eq!(
        balances,
        "ASSET  AVAILABLE  INCOMING  LOCKED  RESERVED  FEES PAID\n\
         BTC    1.5        0         0.15    0         0\n\
         ETH    10         0         1       0         0\n\
         USDX   5          0         0.5     0         0\n"
    );
    assert_eq!(done(&world, &["address", "LTC"]).await.out, "litecoinaddress\n");
    let unasked = run(&world, &["send", "0.1BTC", "bcrt1qxyz"]).await;
    assert_eq!(unasked.code, 2);
    assert!(unasked.err.contains("--yes"), "{}", unasked.err);
    let no = run_typing(&world, "\n", &["send", "0.1BTC", "bcrt1qxyz"]).await;
    assert_eq!((no.code, no.err.as_str()), (1, "Send 0.1 BTC to bcrt1qxyz? 1.5 BTC are available. [y/N] photon: not sent\n"));
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 0);
    let yes = run_typing(&world, "yes\n", &["send", "0.1BTC", "bcrt1qxyz"]).await;
    assert!(yes.code == 0 && yes.out.contains("0.1 BTC to bcrt1qxyz") && yes.out.contains("queued"), "{}", yes.out);
    let sent = done(&world, &["send", "2.5 USDX", "0xabc", "--yes", "--json"]).await.json();
    assert_eq!(sent["pay"]["amount"], "2500000");
    let looked = done(&world, &["sent", sent["id"].as_str().unwrap()]).await.out;
    assert!(looked.contains("2.5 USDX to 0xabc"), "{looked}");
}

#[tokio::test]
async fn peers_are_added_and_listed() {
    let world = World::new().await;
    assert!(done(&world, &["peer", "list"]).await.out.contains("photon peer add"));
    let address = format!("0x{}@bob.example:7707", "bb".repeat(20));
    let added = done(&world, &["peer", "add", &address, "--alias", "bob"]).await.out;
    assert_eq!(added, format!("bob is {address}\n"));
    let list = done(&world, &["peer", "list"]).await.out;
    assert!(list.starts_with("ALIAS  IDENTITY") && list.contains("bob    0xbb") && list.contains("bob.example:7707"), "{list}");
    assert!(list.contains("COMPLETED  WALKED  FAILED") && list.contains("12         1       0"), "{list}");
}

#[tokio::test]
async fn health_succeeds_only_when_all_is_well() {
    let world = World::new().await;
    let well = done(&world, &["health"]).await.out;
    assert_eq!(
        well,
        "node        healthy, version 0.1.0, regtest\n\
         identity    0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\
         for peers   none: it does not listen for peers\n\
         live swaps  0\n\
         ready       for new swaps\n\n\
         LEDGER    STATE    NODES         HEIGHT  LAST BLOCK\n\
         bitcoin   healthy  1, no second  100     10 s ago\n\
         ethereum  healthy  1, no second  100     10 s ago\n"
    );
    done(&world, &["offer", "create", "--give", "1BTC", "--want", "1ETH"]).await;
    done(&world, &["offer", "cancel", "1010"]).await;
    let ill = run(&world, &["health"]).await;
    assert!(ill.code == 1 && ill.out.contains("its node does not answer"), "{}", ill.out);
    assert_eq!(ill.err, "photon: not well: ethereum\n");
}

#[tokio::test]
async fn one_key_creates_once_and_without_a_key_each_wish_has_its_own() {
    let world = World::new().await;
    let words = ["offer", "create", "--give", "1BTC", "--want", "1ETH", "--idempotency-key", "mine", "--json"];
    let first = done(&world, &words).await.out;
    assert_eq!(done(&world, &words).await.out, first);
    let other = run(&world, &["offer", "create", "--give", "2BTC", "--want", "1ETH", "--idempotency-key", "mine"]).await;
    assert!(other.code == 1 && other.err.contains("another request"), "{}", other.err);
    for _ in 0..2 {
        done(&world, &words[..6]).await;
    }
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 3);
}

#[test]
fn words_that_mean_nothing_are_refused_before_anything_is_asked() {
    let whole = "a".repeat(65);
    let bad: [&[&str]; 14] = [
        &["offer", "create", "--give", "BTC", "--want", "1ETH"],
        &["offer", "create", "--give", "1BTC"],
        &["offer", "create", "--give", "1BTC", "--want", "1ETH", "--valid", "1"],
        &["offer", "cancel", "xyz"],
        &["offer", "cancel", "abc"],
        &["swap", "show", &whole],
        &["swap", "show"],
        &["swap", "start", "--peer", "bob"],
        &["swap", "list", "--live", "--ended"],
        &["swap", "list", "--limit", "0"],
        &["address", "doge"],
        &["send", "1BTC"],
        &["peer", "add"],
        &["health", "--color", "blue"],
    ];
    for words in bad {
        let error = parse(words).err().unwrap_or_else(|| panic!("{words:?} was taken"));
        assert_eq!(error.exit_code(), 2, "{words:?}");
    }
    <Program as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn the_help_of_a_group_has_examples() {
    for group in ["offer", "swap", "channel", "pay", "peer", "send"] {
        let help = parse(&[group, "--help"]).err().unwrap().to_string();
        assert!(help.contains("Example") && help.contains(&format!("photon {group}")), "{help}");
    }
}

#[tokio::test]
async fn a_command_needs_only_the_folder_of_its_node() {
    let world = World::new().await;
    let config = format!("network = \"regtest\"\n[api]\nlisten = \"{}\"\n", world.address);
    std::fs::write(world.folder.path().join("config.toml"), config).unwrap();
    let args = ClientArgs { datadir: Some(world.folder.path().to_owned()), ..ClientArgs::default() };
    let client = crate::cli::Client::from_args(&args).unwrap();
    assert!(client.health().await.unwrap().healthy);
    let offer: NewOffer =
        serde_json::from_str(r#"{"give":{"asset":"BTC","amount":"1"},"want":{"asset":"ETH","amount":"1"},"valid_secs":60}"#)
            .unwrap();
    assert_eq!(client.create_offer(&offer, "k").await.unwrap().id, id(0x10));
}
