//! The disk takes the database while money is in a channel. The seed, the chain and the counterparty bring it back; and where the
//! counterparty is away for ever, the backup does; or, with no backup either, the chain's past. All coins on chain are right to the unit.

use crate::stage::{PATIENCE, PURSE, Player, own, play, until};
use photon::demo::stage::{COIN, Purse, TOKEN};
use photon::service::{AssetAmount, ChannelPage, ChannelView, NewChannel, NewPayment, PaymentRecord};
use photon_chains::Amount;
use photon_regtest::{Mining, WorldConfig};
use reqwest::Method;
use std::time::Duration;

/// The shortest there is, and as many blocks as the contract reckons for it, and some.
const WINDOW_MINUTES: u16 = 10;
const WINDOW_BLOCKS: u64 = 45;

fn money(coins: u128) -> AssetAmount {
    AssetAmount { asset: TOKEN.to_owned(), amount: Amount::from_units(coins * COIN), coins: None }
}

/// Tokens are never a fee.
async fn holds(player: &Player) -> u128 {
    let all = player.balances().await.unwrap();
    all.into_iter().find(|balance| balance.asset == TOKEN).unwrap().available.units() / COIN
}

async fn channel(of: &Player) -> Option<ChannelView> {
    let page: ChannelPage = of.get("/v1/channels?state=live&limit=200").await.ok()?;
    page.channels.into_iter().next()
}

async fn open(from: &Player, with: &Player, coins: u128) {
    let new = NewChannel { peer: with.address(), deposit: money(coins), window_minutes: Some(WINDOW_MINUTES) };
    let _: ChannelView = from.post("/v1/channels", &new).await.unwrap();
    for of in [from, with] {
        until("the channel is open", PATIENCE, async || channel(of).await.filter(|it| it.state == "open" && it.connected)).await;
    }
}

async fn pay(from: &Player, to: &Player, coins: u128) {
    let id = format!("{:032x}", coins);
    let order = NewPayment {
        id: Some(id.clone()),
        payee: Some(to.identity.to_string()),
        pay: Some(money(coins)),
        ..NewPayment::default()
    };
    let _: PaymentRecord = from.post("/v1/payments", &order).await.unwrap();
    until("the payment is made", PATIENCE, async || {
        let payment: PaymentRecord = from.get(&format!("/v1/payments/{id}")).await.ok()?;
        (payment.state == "paid").then_some(())
    })
    .await;
}

/// Killed, and nothing of its database is left.
fn loses_its_database(player: &mut Player) {
    player.kill().unwrap();
    for name in ["photon.db", "photon.db-wal", "photon.db-shm", "photon.db.recovery"] {
        let _ = std::fs::remove_file(player.folder.join(name));
    }
}

/// Waits until all that is now in a channel is in the backup.
async fn is_kept(player: &Player) {
    const UNTIL: &str = "photon_channels_backup_timestamp_seconds ";
    let now = photon::clock::now().secs();
    until("the backup is kept up", PATIENCE, async || {
        let text = player.request(Method::GET, "/metrics").send().await.ok()?.text().await.ok()?;
        let kept: f64 = text.lines().find_map(|line| line.strip_prefix(UNTIL))?.parse().ok()?;
        (kept > now as f64).then_some(())
    })
    .await;
}

#[test]
fn a_channel_comes_back_from_the_counterparty_or_from_the_backup() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_secs(1)))).await else { return };
        let purse = Purse { token_units: 1_000 * COIN, ..PURSE };
        let (mut alice, mut bob) = tokio::join!(scene.party_with("alice", purse), scene.party_with("bob", purse));
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        let had = (holds(&alice).await, holds(&bob).await);

        // With the counterparty: both sign the end, of what she has forgotten.
        open(&alice, &bob, 100).await;
        pay(&alice, &bob, 30).await;
        pay(&bob, &alice, 5).await;
        loses_its_database(&mut alice);
        alice.start().await.unwrap();
        alice.shell().ok(&["peer", "add", &bob.address()]).await;
        until("both have what is theirs", PATIENCE, async || {
            ((holds(&alice).await, holds(&bob).await) == (had.0 - 25, had.1 + 25)).then_some(())
        })
        .await;
        assert!(alice.said().contains("that this database has forgotten"), "its owner is told");

        // With the backup, and a counterparty that is away for ever.
        let backup = scene.folder("another-disk").join("channels.backup");
        alice.kill().unwrap();
        alice.env.push(("PHOTON__CHANNELS__BACKUP".to_owned(), backup.to_str().unwrap().to_owned()));
        alice.start().await.unwrap();
        until("the first channel is over", PATIENCE, async || {
            (channel(&alice).await.is_none() && channel(&bob).await.is_none()).then_some(())
        })
        .await;
        open(&alice, &bob, 60).await;
        open(&bob, &alice, 40).await;
        until("both have put something in", PATIENCE, async || {
            channel(&alice).await.filter(|it| it.can_receive == money(40).amount)
        })
        .await;
        pay(&alice, &bob, 20).await;
        pay(&bob, &alice, 7).await;
        until("she has the 7", PATIENCE, async || channel(&alice).await.filter(|it| it.balance == money(47).amount)).await;
        is_kept(&alice).await;
        bob.kill().unwrap();
        loses_its_database(&mut alice);
        alice.start().await.unwrap();
        let found = until("she knows the channel", PATIENCE, async || channel(&alice).await).await;
        assert_eq!((found.state.as_str(), found.balance, found.peer_balance), ("behind", money(47).amount, money(53).amount));
        let shown = alice.shell().ok(&["channel", "list"]).await;
        assert!(shown.contains("if it never comes, close it alone"), "{shown}");
        alice.shell().ok(&["channel", "close", &found.id, "--alone"]).await;
        until("the close is mined", PATIENCE, async || channel(&alice).await.filter(|it| it.settles_at.is_some())).await;
        let chain = &scene.world().ethereum;
        chain.increase_time(u64::from(WINDOW_MINUTES) * 60).await.unwrap();
        chain.mine(WINDOW_BLOCKS).await.unwrap();
        // The backup proves the 7 that he paid. The 20 that she paid only he could show.
        until("she has what can be proven", PATIENCE, async || (holds(&alice).await == had.0 - 25 + 7).then_some(())).await;

        // With neither: the chain's past tells with whom she had a channel, and what she put in is hers.
        alice.kill().unwrap();
        alice.env.retain(|(name, _)| name != "PHOTON__CHANNELS__BACKUP");
        let mut carol = scene.party_with("carol", purse).await;
        tokio::try_join!(alice.start(), carol.start()).unwrap();
        open(&alice, &carol, 15).await;
        carol.kill().unwrap();
        loses_its_database(&mut alice);
        alice.start().await.unwrap();
        let found = until("she has found it", PATIENCE, async || channel(&alice).await).await;
        assert_eq!((found.state.as_str(), found.balance, found.peer), ("behind", money(15).amount, carol.identity));
        alice.shell().ok(&["channel", "close", &found.id, "--alone"]).await;
        until("the close is mined", PATIENCE, async || channel(&alice).await.filter(|it| it.settles_at.is_some())).await;
        chain.increase_time(u64::from(WINDOW_MINUTES) * 60).await.unwrap();
        chain.mine(WINDOW_BLOCKS).await.unwrap();
        until("she has all of it", PATIENCE, async || (holds(&alice).await == had.0 - 25 + 7).then_some(())).await;
    });
}
