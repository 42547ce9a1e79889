//! A leg that is paid by hand, from any wallet: the right amount makes the swap, a wrong one is never counted and comes back.

use crate::stage::{Books, PATIENCE, PURSE, Player, Scene, amount, ended, new_offer, play, shared, until};
use photon::demo::stage::Purse;
use photon::service::{DraftView, Funding, LegView, NewSwap, PaymentView, RelayedView, SwapView};
use photon_regtest::world::{UtxoChain, UtxoWallet};
use serde_json::{Value, json};

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

#[test]
fn an_outside_wallet_signs_what_was_drawn_up_for_it_or_funds_the_template() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, bob) = cast(&scene, "outside-psbt").await;
        let books = Books::open(&[&alice, &bob]).await;
        let world = scene.world();
        let (drawn_up, funded, on_litecoin) = tokio::join!(
            paid_by_draft(&alice, &bob, &world.bitcoin, "BTC", "ETH"),
            paid_by_template(&alice, &bob, &world.bitcoin, "BTC", "ETH"),
            paid_by_draft(&alice, &bob, &world.litecoin, "LTC", "SMT"),
        );
        for id in [drawn_up, funded, on_litecoin] {
            assert_eq!((ended(&alice, &id).await, ended(&bob, &id).await), ("completed".into(), "completed".into()));
        }
        let given = [(2 * amount("ETH").units(), "ETH"), (amount("SMT").units(), "SMT")];
        books.close_with(&alice, &[], &given).await;
        let got = [(2 * amount("BTC").units(), "BTC"), (amount("LTC").units(), "LTC")];
        books.close_with(&bob, &given, &got).await;
    });
}

/// A wallet that is nobody's, with coins for a swap or two.
async fn outside_wallet(chain: &UtxoChain, name: &str, pay: &str) -> UtxoWallet {
    let wallet = chain.create_wallet(name).await.unwrap();
    chain.faucet_split(&wallet, 3 * u64::try_from(amount(pay).units()).unwrap(), 2).await.unwrap();
    wallet
}

async fn hand_in(alice: &Player, path: &str, psbt: &str) -> anyhow::Result<RelayedView> {
    alice.post(path, &json!({ "psbt": psbt })).await
}

async fn sign(wallet: &UtxoWallet, psbt: &str) -> String {
    let signed: Value = wallet.rpc.call("walletprocesspsbt", json!([psbt])).await.unwrap();
    signed["psbt"].as_str().unwrap().to_owned()
}

/// Alice's leg is paid out of named coins, by a transaction that her node draws up and their wallet signs.
async fn paid_by_draft(alice: &Player, bob: &Player, chain: &UtxoChain, pay: &str, get: &str) -> String {
    let wallet = outside_wallet(chain, &format!("draft-{pay}"), pay).await;
    let swap = agree_outside(alice, bob, pay, get).await;
    let path = format!("/v1/swaps/{}/payment", swap.id);
    let change = wallet.new_address().await.unwrap();
    let draft = async |coins: Value| -> anyhow::Result<DraftView> {
        alice.post(&format!("{path}/psbt"), &json!({ "coins": coins, "change_address": change })).await
    };
    let unspent: Value = wallet.rpc.call("listunspent", json!([])).await.unwrap();
    let named = |coin: &Value| json!({ "txid": coin["txid"], "vout": coin["vout"] });
    let coins: Vec<Value> = unspent.as_array().unwrap().iter().map(named).collect();
    let nowhere = draft(json!([{ "txid": "11".repeat(32), "vout": 0 }])).await.unwrap_err().to_string();
    assert!(nowhere.contains("409") && nowhere.contains("no confirmed coin"), "{nowhere}");

    let DraftView { psbt, fee } = draft(json!(coins)).await.unwrap();
    let shown: Value = chain.call("decodepsbt", json!([psbt])).await.unwrap();
    assert_eq!(shown["tx"]["vin"].as_array().unwrap().len(), 1, "one of the coins is enough");
    assert!(
        fee.units() > 0 && shown["fee"].as_f64().is_some_and(|coins| (coins * 1e8).round() as u128 == fee.units()),
        "{shown}"
    );
    let unsigned = hand_in(alice, &path, &psbt).await.unwrap_err().to_string();
    assert!(unsigned.contains("409") && unsigned.contains("not every input"), "{unsigned}");
    let signed = sign(&wallet, &psbt).await;
    let sent = hand_in(alice, &path, &signed).await.unwrap();
    // Handed in again it is the same, or there is nothing to be paid any more.
    match hand_in(alice, &path, &signed).await {
        Ok(again) => assert_eq!(again, sent),
        Err(error) => assert!(error.to_string().contains("nothing is to be paid"), "{error}"),
    }
    swap.id
}

/// Alice's leg is paid by a wallet that chooses the coins for the template itself.
async fn paid_by_template(alice: &Player, bob: &Player, chain: &UtxoChain, pay: &str, get: &str) -> String {
    let wallet = outside_wallet(chain, &format!("template-{pay}"), pay).await;
    let swap = agree_outside(alice, bob, pay, get).await;
    let path = format!("/v1/swaps/{}/payment", swap.id);
    let payment: PaymentView = alice.get(&path).await.unwrap();
    assert_eq!(payment.address, swap.legs[0].funding_address);
    assert!(payment.qr_svg.contains("<svg") && payment.call.is_none(), "{payment:?}");
    let template: Value = chain.call("decodepsbt", json!([payment.psbt.unwrap()])).await.unwrap();
    let (tx, outputs) = (&template["tx"], template["tx"]["vout"].as_array().unwrap());
    assert!(tx["vin"].as_array().unwrap().is_empty() && outputs.len() == 1, "{template}");
    assert_eq!(outputs[0]["scriptPubKey"]["address"].as_str(), payment.address.as_deref());
    assert!(template["outputs"][0]["witness_script"].is_object(), "a signer sees what it pays into: {template}");
    let fund = async |coins: f64| {
        let to = json!([{ outputs[0]["scriptPubKey"]["address"].as_str().unwrap(): format!("{coins:.8}") }]);
        let funded: Value = wallet.rpc.call("walletcreatefundedpsbt", json!([[], to])).await.unwrap();
        sign(&wallet, funded["psbt"].as_str().unwrap()).await
    };
    let coins = outputs[0]["value"].as_f64().unwrap();
    let short = hand_in(alice, &path, &fund(coins - 0.000_001).await).await.unwrap_err().to_string();
    assert!(short.contains("409") && short.contains("exactly the amount"), "{short}");
    hand_in(alice, &path, &fund(coins).await).await.unwrap();
    swap.id
}
