//! `photon channel` and `photon pay`.
use super::*;
use crate::api::fake::channels::channel;
use crate::api::fake::id;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_channel_is_opened_in_whole_coins_listed_and_closed_by_the_beginning_of_its_id() {
    let world = World::new().await;
    assert!(done(&world, &["channel", "list"]).await.out.contains("photon channel open"));
    let opened = done(&world, &["channel", "open", "bob", "1.5ETH", "--window", "2h"]).await.out;
    assert!(opened.starts_with("1.5 ETH go into a channel with bob\nchannel     1010"), "{opened}");
    assert!(opened.contains("window      120 min\n") && opened.ends_with("photon channel show 1010101010\n"), "{opened}");
    let list = done(&world, &["channel", "list"]).await.out;
    assert_eq!(
        list,
        "CHANNEL     WITH  ASSET  CAN SEND  CAN RECEIVE  PENDING  STATE\n\
         1010101010  bob   ETH    1.5       2            1        opening  connected\n"
    );
    let more = done(&world, &["channel", "deposit", "1010", "0.5 eth", "--json"]).await.json();
    assert_eq!((&more["balance"], &more["doing"]), (&"2000000000000000000".into(), &"deposit".into()));
    let other = run(&world, &["channel", "withdraw", "1010", "5USDX"]).await;
    assert!(other.code == 2 && other.err.contains("is for ETH, not for USDX"), "{}", other.err);
    let less = done(&world, &["channel", "withdraw", "ethereum:1010", "0.25ETH"]).await.out;
    assert!(less.starts_with("0.25 ETH come out of the channel once bob has signed\n"), "{less}");
    let closed = done(&world, &["channel", "close", "1010", "--alone-after", "10min"]).await.out;
    assert!(closed.starts_with("closing together: ") && closed.contains("state       closing\n"), "{closed}");
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_channel_in_full_says_whose_the_money_is_and_when_it_settles() {
    let world = World::new().await;
    world.fake.put_channel(channel(0x33, "closed"));
    let text = done(&world, &["channel", "show", "3333"]).await.out;
    assert_eq!(
        text,
        format!(
            "channel     {} on ethereum\n\
             with        bob, 0x{}, connected\n\
             state       closed\n\
             ours        1.7 ETH, of which 1.5 ETH can be sent now\n\
             theirs      2.3 ETH, of which 2 ETH can be received now\n\
             pending     1: 0.2 ETH out, 0 ETH in\n\
             window      60 min\n\
             settled     from in 60 min (2027-01-15 09:00:00 UTC) on, by itself\n\
             unseen      0 ETH of at most 0.5 ETH received while ethereum can't be seen\n",
            id(0x33),
            "bb".repeat(20)
        )
    );
    let early = run(&world, &["channel", "settle", "3333"]).await;
    assert!(early.code == 1 && early.err.contains("window"), "{}", early.err);
    assert!(done(&world, &["channel", "peers"]).await.out.contains("1.5 ETH"));
    assert_eq!(done(&world, &["channel", "fees"]).await.out, "ASSET  EARNED  PAYMENTS\nUSDX   1.25    12\n");
}

#[tokio::test]
async fn one_name_on_two_ledgers_is_asked_about() {
    let world = World::new().await;
    world.fake.put_channel(channel(5, "open"));
    let mut twin = channel(5, "open");
    twin.ledger = photon_chains::Ledger::Smt;
    world.fake.put_channel(twin);
    let both = run(&world, &["channel", "show", "0505"]).await;
    assert!(both.code == 2 && both.err.contains(&format!("smt:{}", id(5))), "{}", both.err);
    assert!(done(&world, &["channel", "show", "smt:0505"]).await.out.contains("on smt\n"));
    assert!(done(&world, &["channel", "show", &format!("ETH:{}", id(5))]).await.out.contains("on ethereum\n"));
}

#[tokio::test]
async fn a_payment_is_asked_about_made_and_made_once_under_its_id() {
    let world = World::new().await;
    let unasked = run(&world, &["pay", "send", "bob", "0.5ETH"]).await;
    assert!(unasked.code == 2 && unasked.err.contains("--yes"), "{}", unasked.err);
    let no = run_typing(&world, "n\n", &["pay", "send", "bob", "0.5ETH"]).await;
    assert_eq!((no.code, no.err.as_str()), (1, "Pay 0.5 ETH to bob? [y/N] photon: not paid\n"));
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 0);
    let name = "0123456789abcdef0123456789abcdef";
    let words = ["pay", "send", "bob", "0.5ETH", "--yes", "--id", name, "--memo", "tea", "--json"];
    let paid = done(&world, &words).await.json();
    assert_eq!((&paid["id"], &paid["pay"]["amount"], &paid["memo"]), (&name.into(), &"500000000000000000".into(), &"tea".into()));
    assert_eq!(done(&world, &words).await.json(), paid);
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 1);
    for _ in 0..2 {
        done(&world, &["pay", "send", "bob", "0.5ETH", "--yes"]).await;
    }
    assert_eq!(world.fake.effects.load(Ordering::SeqCst), 3, "each wish without an id has its own");
    let shown = done(&world, &["pay", "show", "012345"]).await.out;
    assert!(
        shown.contains(&format!("payment     {name}\nsent        0.5 ETH\n")) && shown.contains("note        tea\n"),
        "{shown}"
    );
    let list = done(&world, &["pay", "list", "--sent"]).await.out;
    assert!(list.starts_with("PAYMENT") && list.lines().count() == 4 && list.contains("0123456789  sent"), "{list}");
}

#[tokio::test]
async fn a_payment_that_fails_fails_and_one_that_hangs_is_taken_back() {
    let world = World::new().await;
    let failed = run(&world, &["pay", "send", "bob", "1ETH", "--yes", "--memo", "fail"]).await;
    assert!(
        failed.code == 1 && failed.out.contains("because     no way") && failed.err == "photon: not paid\n",
        "{}",
        failed.out
    );
    let held = done(&world, &["pay", "send", "bob", "1ETH", "--yes", "--memo", "hold", "--hash", &id(9)]).await.out;
    assert!(held.contains("state       held\n") && held.contains("follow it with: photon pay watch "), "{held}");
    let live = done(&world, &["--json", "pay", "list", "--live"]).await.json();
    let hanging = live["payments"][0]["id"].as_str().unwrap().to_owned();
    let taken = done(&world, &["pay", "cancel", &hanging[..12]]).await.out;
    assert!(taken.contains("state       failed\n"), "{taken}");
    let watched = run(&world, &["pay", "watch", &hanging]).await;
    assert!(watched.code == 1 && watched.out.contains("failed"), "{}", watched.out);
}

#[tokio::test]
async fn a_request_is_a_text_and_on_a_terminal_a_picture_beside_it() {
    let world = World::new().await;
    let plain = done(&world, &["pay", "request", "10USDX", "--memo", "two coffees", "--valid", "2h"]).await.out;
    assert!(plain.starts_with(&format!("request     {}\n", id(0x10))) && plain.contains("for         two coffees\n"), "{plain}");
    assert!(plain.ends_with("the payer types: photon pay send photon16request\n") && !plain.contains('█'), "{plain}");
    let seen = run_typing(&world, "\n", &["pay", "request", "10USDX"]).await;
    assert!(seen.code == 0 && seen.out.contains('█') && seen.out.contains("photon17request"), "{}", seen.out);
    let requests = done(&world, &["pay", "requests"]).await.out;
    assert_eq!(requests.lines().count(), 3, "{requests}");
    let paid = done(&world, &["pay", "send", "photon1qrequest", "--yes", "--json"]).await.json();
    assert_eq!(paid["state"], "paid");
    for words in
        [&["pay", "send", "photon1q", "--yes", "--id", "0123456789abcdef0123456789abcdef"][..], &["pay", "send", "bob", "--yes"]]
    {
        assert_eq!(run(&world, words).await.code, 2, "{words:?}");
    }
    let secret = photon_chains::Secret::from_bytes([7; 32]);
    let hash = secret.hash().to_string();
    done(&world, &["pay", "request", "1ETH", "--hash", &hash]).await;
    assert!(done(&world, &["pay", "show", &hash]).await.out.contains("state       open\n"));
    assert!(done(&world, &["pay", "release", &"07".repeat(32)]).await.out.contains("state       paid\n"));
    assert!(done(&world, &["pay", "give-up", &hash[..8]]).await.out.contains("state       given_up\n"));
}

#[tokio::test]
async fn a_way_is_shown_with_its_fee_and_none_with_its_reason() {
    let world = World::new().await;
    let ways = done(&world, &["pay", "routes", "bob", "1ETH"]).await.out;
    assert!(ways.starts_with("FEE") && ways.contains("0.000000000000001 ETH  0xbb"), "{ways}");
    assert!(done(&world, &["pay", "routes", "nobody", "1ETH"]).await.out.starts_with("no way: no open channel"));
}
