//! The chain's node is down. Two neighbours still pay each other, up to what the payee's owner allows, also after a restart; what
//! needs the chain says so; and when it is back all coins on it come out right to the unit.

use crate::stage::{Books, PATIENCE, Player, own, play_alone, until};
use photon::demo::party::Party;
use photon::demo::stage::COIN;
use photon::service::{
    AssetAmount, ChannelAmount, ChannelPage, ChannelView, HealthView, NewChannel, NewClose, NewPayment, PaymentRecord,
};
use photon_chains::{Amount, Ledger};
use photon_regtest::{Mining, WorldConfig};
use std::time::Duration;

/// A thousandth of a coin.
const MILLI: u128 = COIN / 1000;
const OPENED: u128 = 100 * MILLI;
const LIMIT: u128 = 50 * MILLI;

fn ether(milli: u128) -> AssetAmount {
    AssetAmount { asset: "ETH".to_owned(), amount: Amount::from_units(milli * MILLI), coins: None }
}

async fn channel(of: &Party) -> Option<ChannelView> {
    let page: ChannelPage = of.get("/v1/channels").await.ok()?;
    page.channels.into_iter().next()
}

/// Waits until a party sees its channel so.
async fn sees(of: &Party, what: &str, so: impl Fn(&ChannelView) -> bool) -> ChannelView {
    until(&format!("{}: {what}", of.name), PATIENCE, async || channel(of).await.filter(|found| so(found))).await
}

async fn both(alice: &Party, bob: &Party, what: &str, so: impl Fn(&ChannelView) -> bool) -> ChannelView {
    sees(bob, what, &so).await;
    sees(alice, what, &so).await
}

/// Pays, and waits for the end: the state, and the reason.
async fn pay(from: &Party, to: &Party, number: u8, milli: u128) -> (String, String) {
    let id = Some(hex::encode([number; 16]));
    let payment = NewPayment { id, payee: Some(to.identity.to_string()), pay: Some(ether(milli)), ..NewPayment::default() };
    let begun: PaymentRecord = from.post("/v1/payments", &payment).await.unwrap();
    let ended = until("the payment has ended", PATIENCE, async || {
        let record: PaymentRecord = from.get(&format!("/v1/payments/{}", begun.id)).await.ok()?;
        record.ended_at.is_some().then_some(record)
    })
    .await;
    (ended.state, ended.reason.unwrap_or_default())
}

fn is_without_ethereum(health: &HealthView) -> bool {
    health.ledgers.iter().all(|one| one.healthy == (one.ledger != Ledger::Ethereum))
}

async fn open(alice: &Player, bob: &Player) -> String {
    let new = NewChannel { peer: bob.address(), deposit: ether(100), window_minutes: Some(10) };
    let _: ChannelView = alice.post("/v1/channels", &new).await.unwrap();
    let opened = both(alice, bob, "open", |it| it.state == "open" && it.connected && it.in_sight).await;
    format!("/v1/channels/{}/{}", opened.ledger, opened.id)
}

#[test]
fn two_neighbours_pay_each_other_while_the_chain_is_down() {
    play_alone(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_secs(1)))).await else { return };
        let (mut alice, mut bob) = tokio::join!(scene.party("alice"), scene.party("bob"));
        bob.env.push(("PHOTON__CHANNELS__OFFLINE_LIMIT".to_owned(), format!("{{ ETH = \"{LIMIT}\" }}")));
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        let books = Books::open(&[&alice, &bob]).await;
        let at = open(&alice, &bob).await;

        scene.world().ethereum.node().stop().await.unwrap();
        both(&alice, &bob, "out of sight", |it| !it.in_sight).await;
        assert_eq!(pay(&alice, &bob, 1, 30).await.0, "paid");
        let (state, reason) = pay(&alice, &bob, 2, 21).await;
        assert!(state == "failed" && reason.contains("can't see the chain"), "{state}: {reason}");
        let shown = bob.shell().ok(&["channel", "show", &at[at.len() - 64..]]).await;
        assert!(shown.contains("0.03 ETH of at most 0.05 ETH received while ethereum can't be seen"), "{shown}");

        // A restart without the chain: what was counted stays counted.
        bob.kill().unwrap();
        bob.start_until(is_without_ethereum).await.unwrap();
        let counted = both(&alice, &bob, "connected again", |it| it.connected && !it.in_sight).await;
        assert_eq!(counted.can_send.units(), 20 * MILLI, "Alice knows what Bob still takes");
        assert_eq!(sees(&bob, "the same channel", |_| true).await.unseen.units(), 30 * MILLI);
        assert_eq!(pay(&alice, &bob, 3, 20).await.0, "paid");
        assert_eq!(pay(&alice, &bob, 4, 1).await.0, "failed");
        let more = ChannelAmount { amount: Amount::from_units(MILLI) };
        for deed in ["deposit", "withdraw"] {
            let refused = alice.post::<_, ChannelView>(&format!("{at}/{deed}"), &more).await.unwrap_err().to_string();
            assert!(refused.contains("ethereum can't be seen") && refused.contains("ask again"), "{deed}: {refused}");
        }
        let refused = bob.post::<_, ChannelView>(&format!("{at}/close"), &NewClose::default()).await.unwrap_err().to_string();
        assert!(refused.contains("ethereum can't be seen"), "{refused}");

        scene.world().ethereum.node().run().await.unwrap();
        let back = both(&alice, &bob, "in sight, and nothing is counted any more", |it| it.in_sight && it.unseen.is_zero()).await;
        assert_eq!((back.balance.units(), back.peer_balance.units()), (OPENED - LIMIT, LIMIT));
        assert_eq!(pay(&alice, &bob, 5, 10).await.0, "paid");
        let _: ChannelView = alice.post(&format!("{at}/close"), &NewClose::default()).await.unwrap();
        let gave = 60 * MILLI;
        books.close(&[&alice, &bob], &[(&*alice, gave, "ETH", &*bob)]).await;
    });
}
