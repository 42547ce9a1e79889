//! What fees would eat up is not swapped: an amount must be worth twenty times what a redeem of it costs now. (THREATS C13)

use crate::stage::{Books, Player, both_complete, new_offer, play, shared, take};
use photon::service::{AssetAmount, NewOffer, OfferView};
use photon_chains::{Amount, Ledger};
use photon_regtest::proxy::Fault;
use serde_json::{Value, json};
use std::sync::Arc;

/// The least of an asset that is worth a swap, as the refusal of the smallest unit names it.
async fn least(maker: &Player, asset: &str) -> u128 {
    let refused = offer(maker, asset, 1).await.unwrap_err().to_string();
    named(&refused)
}

/// What a refusal says would be worth a swap.
fn named(refused: &str) -> u128 {
    assert!(refused.contains("not worth a swap"), "{refused}");
    refused.split("at least ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap()
}

/// An offer of so much, for plenty of something else.
async fn offer(maker: &Player, asset: &str, units: u128) -> anyhow::Result<OfferView> {
    let other = if asset == "ETH" { "LTC" } else { "ETH" };
    let want = AssetAmount { asset: asset.to_owned(), amount: Amount::from_units(units), coins: None };
    maker.offer(&NewOffer { want, ..new_offer(other, "BTC") }).await
}

/// A node by whose word fees are a thousand times as high.
fn dear() -> Fault {
    Fault::Lie(Arc::new(|_method, _params, _result: Value| json!({ "feerate": 0.05, "blocks": 2 })))
}

#[test]
fn what_a_redeem_would_eat_up_is_neither_offered_nor_taken() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (mut alice, mut bob) = tokio::join!(scene.party("dust-alice"), scene.party("dust-bob"));
        let (hers, his) = tokio::join!(scene.proxied(&alice, Ledger::Bitcoin), scene.proxied(&bob, Ledger::Bitcoin));
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        let books = Books::open(&[&alice, &bob]).await;
        for asset in ["BTC", "LTC", "SMT", "ETH"] {
            // Prices on chains that others use too move a little between two questions.
            let least = least(&bob, asset).await;
            let said = offer(&bob, asset, least / 2).await.unwrap_err().to_string();
            assert!(said.contains("wait for lower fees"), "{said}");
            offer(&bob, asset, least * 2).await.unwrap();
        }
        // A token is worth the ether that is wanted for it; and to redeem one costs more than to redeem ether.
        let for_token = AssetAmount { amount: Amount::from_units(1), ..new_offer("USDX", "ETH").want };
        let refused = bob.offer(&NewOffer { want: for_token, ..new_offer("USDX", "ETH") }).await.unwrap_err().to_string();
        assert!(named(&refused) > least(&bob, "ETH").await, "{refused}");

        let units = least(&bob, "BTC").await;
        let small = offer(&bob, "BTC", units).await.unwrap();

        hers.set("estimatesmartfee", dear());
        let refused = take(&alice, &bob, &small).await.unwrap_err().to_string();
        assert!(refused.contains("not worth a swap"), "{refused}");
        hers.clear();
        his.set("estimatesmartfee", dear());
        let refused = take(&alice, &bob, &small).await.unwrap_err().to_string();
        assert!(refused.contains("fees are too high for this offer"), "{refused}");
        his.clear();
        assert!(hers.bitten() > 0 && his.bitten() > 0);

        // It is worth it: it pays for its own redeem.
        let swap = take(&alice, &bob, &small).await.unwrap().id;
        both_complete(&alice, &bob, &swap).await;
        let ether = new_offer("ETH", "BTC").give.amount.units();
        books.close(&[&alice, &bob], &[(&*alice, units, "BTC", &*bob), (&*bob, ether, "ETH", &*alice)]).await;
    });
}
