//! A leg that is paid by hand, from any wallet: the right amount makes the swap, a wrong one is never counted and comes back.

use crate::stage::{Books, PATIENCE, PURSE, Player, Scene, amount, ended, new_offer, play, shared, until};
use photon::demo::stage::Purse;
use photon::service::{Funding, LegView, NewSwap, SwapView};
use photon_regtest::world::UtxoChain;

/// No coin in Alice's wallets: only somebody else can pay.
const NO_COINS: Purse = Purse { coins: 0, ..PURSE };

async fn cast(scene: &Scene, story: &str) -> (Player, Player) {
    let (alice, bob) = (format!("{story}-alice"), format!("{story}-bob"));
    let (mut alice, mut bob) = tokio::join!(scene.party_with(&alice, NO_COINS), scene.party(&bob));
    tokio::try_join!(alice.start(), bob.start()).unwrap();
    (alice, bob)
}

async fn agree_outside(alice: &Player, bob: &Player, pay: &str, get: &str) -> SwapView {
    let offer = bob.offer(&new_offer(get, pay)).await.unwrap();
    let take = NewSwap { peer: bob.address(), offer: offer.id, funding: Funding::Outside };
    let swap = alice.take(&take).await.unwrap();
    assert!(swap.legs[0].ours && swap.legs[0].funding_address.is_some(), "the address is shown at once: {swap:?}");
    assert_eq!(swap.legs[1].funding_address, None);
    swap
}

fn place(leg: &LegView) -> &str {
    leg.funding_address.as_deref().unwrap()
}

async fn alpha(party: &Player, id: &str) -> LegView {
    party.swap(id).await.unwrap().legs.remove(0)
}

#[test]
fn a_payment_of_exactly_the_amount_makes_the_swap() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, bob) = cast(&scene, "outside").await;
        let books = Books::open(&[&alice, &bob]).await;
        let world = scene.world();
        let (bitcoin, litecoin) = tokio::join!(
            paid_by_hand(&alice, &bob, &world.bitcoin, ("bitcoin", "BTC", "0.01"), "ETH"),
            paid_by_hand(&alice, &bob, &world.litecoin, ("litecoin", "LTC", "0.5"), "SMT"),
        );
        for id in [bitcoin, litecoin] {
            assert_eq!((ended(&alice, &id).await, ended(&bob, &id).await), ("completed".into(), "completed".into()));
            assert_eq!(alpha(&alice, &id).await.funding_address, None, "nobody is asked to pay again");
        }
        // Alice gets what Bob gave. Bob gets what a stranger paid for Alice.
        let (ether, smt) = (amount("ETH").units(), amount("SMT").units());
        books.close(&[&alice], &[(&bob, ether, "ETH", &alice), (&bob, smt, "SMT", &alice)]).await;
        let got = |asset| (amount(asset).units(), asset);
        books.close_with(&bob, &[(ether, "ETH"), (smt, "SMT")], &[got("BTC"), got("LTC")]).await;

        // The EVM has no address to pay to: refused before anything is signed.
        let offer = bob.offer(&new_offer("BTC", "ETH")).await.unwrap();
        let take = NewSwap { peer: bob.address(), offer: offer.id, funding: Funding::Outside };
        let refused = alice.take(&take).await.unwrap_err().to_string();
        assert!(refused.contains("409") && refused.contains("only our own account"), "{refused}");
        assert_eq!(alice.swaps().await.unwrap().len(), 2);
    });
}

/// Alice's leg is paid by the link that a person would open.
async fn paid_by_hand(alice: &Player, bob: &Player, chain: &UtxoChain, of: (&str, &str, &str), get: &str) -> String {
    let (scheme, asset, coins) = of;
    let swap = agree_outside(alice, bob, asset, get).await;
    let leg = &swap.legs[0];
    assert_eq!(leg.funding_uri.as_deref().unwrap(), format!("{scheme}:{}?amount={coins}", place(leg)));
    let shown = alice.shell().ok(&["swap", "show", &swap.id]).await;
    assert!(shown.contains(place(leg)) && shown.contains(leg.funding_uri.as_deref().unwrap()), "{shown}");
    let sat = u64::try_from(leg.asset_amount.amount.units()).unwrap();
    chain.faucet(place(leg), sat).await.unwrap();
    swap.id
}

#[test]
fn a_wrong_amount_is_not_counted_and_comes_back_and_none_costs_nothing() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, bob) = cast(&scene, "outside-wrong").await;
        let books = Books::open(&[&alice, &bob]).await;
        let bitcoin = &scene.world().bitcoin;

        let short = agree_outside(&alice, &bob, "BTC", "SMT").await;
        bitcoin.faucet(place(&short.legs[0]), 400_000).await.unwrap();
        let unpaid = agree_outside(&alice, &bob, "LTC", "ETH").await;
        // Paid short by mistake, then rightly: the swap goes its way, and the mistake comes back.
        let mended = agree_outside(&alice, &bob, "BTC", "ETH").await;
        bitcoin.faucet(place(&mended.legs[0]), 250_000).await.unwrap();
        bitcoin.faucet(place(&mended.legs[0]), 1_000_000).await.unwrap();

        assert_eq!(ended(&bob, &mended.id).await, "completed");
        assert_eq!(ended(&bob, &short.id).await, "void", "Bob never funds against a wrong amount");
        assert_eq!(bob.swap(&short.id).await.unwrap().legs[1].transactions, []);
        let alice_has = until("Alice redeemed", PATIENCE, async || {
            let swap = alice.swap(&mended.id).await.ok()?;
            (swap.legs[1].status == "redeemed").then_some(swap)
        })
        .await;
        assert_eq!(alice_has.legs[0].status, "redeemed", "by Bob, and only the agreed amount");

        assert_eq!(ended(&alice, &mended.id).await, "completed");
        assert_ne!(ended(&alice, &short.id).await, "completed");
        assert_eq!((ended(&alice, &unpaid.id).await, ended(&bob, &unpaid.id).await), ("void".into(), "void".into()));
        // Both mistakes came back into her wallet, less the fees of taking them.
        let ether = amount("ETH").units();
        books.close_with(&alice, &[], &[(ether, "ETH"), (650_000, "BTC")]).await;
        books.close_with(&bob, &[(ether, "ETH")], &[(1_000_000, "BTC")]).await;
        for swap in [&short, &mended] {
            assert_eq!(bitcoin.address_balance_sat(place(&swap.legs[0])).await.unwrap(), 0);
        }
    });
}
