//! Mallory makes offers, and draws up terms that are better for her than what was offered. Alice's node recomputes every figure
//! and refuses each lie by its name; nothing is locked, and nothing is left half-done.

use crate::stage::mallory::{Mallory, fresh_wallet, party, random, signed, take_message};
use crate::stage::{Books, Player, ended, new_offer, play, shared};
use async_trait::async_trait;
use photon::keys::{KeyUse, Wallet};
use photon::peer::{Handler, PeerReply, PeerRequest};
use photon::service::{Funding, NewSwap};
use photon_chains::{Address, Asset, Ledger, UnixTime};
use photon_swap::{Consent, Offer, Role, Salt, Take, Terms};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What is put in the place of a field of the terms.
#[derive(Clone, Debug)]
enum Put {
    /// Another value.
    Value(Value),
    /// A time, so many seconds later, or earlier.
    Later(i64),
}

#[derive(Clone, Debug)]
enum Lie {
    /// None: what an honest maker would say.
    None,
    /// Another value at this place of the terms.
    Terms(&'static str, Put),
    /// Two places at once.
    Both([(&'static str, Put); 2]),
    /// Right terms, signed by somebody else.
    Signer,
    /// Right terms, signed as if they were accepted, not proposed.
    Step,
    /// An answer that is no proposal.
    Garbage,
    /// Right terms, and then the acceptance is denied.
    Denied,
    /// Right terms, and then the acceptance is never answered.
    Silent,
}

/// A maker who gets right terms out of Bob for the same trade, and bends them.
struct LyingMaker {
    wallet: Arc<Wallet>,
    scout: Mallory,
    bob: Player,
    trades: Mutex<Vec<Offer>>,
    lie: Mutex<Lie>,
}

impl LyingMaker {
    /// Terms as Bob would sign them, with Mallory in his place.
    async fn honest_terms(&self, take: &Take) -> Terms {
        let offer = *self.trades.lock().unwrap().iter().find(|offer| offer.id == take.offer).unwrap();
        let theirs = self.scout.offers(&self.bob).await;
        let same = theirs.iter().find(|theirs| (theirs.give, theirs.want) == (offer.give, offer.want)).unwrap();
        let asked = self.scout.take(same);
        let answer = self.scout.ask(&self.bob, "take", take_message(&self.scout.wallet, &asked)).await.unwrap();
        let mut terms: Terms = serde_json::from_value(answer["terms"].clone()).unwrap();
        let salt = random();
        (terms.offer, terms.initiator, terms.initiator_salt) = (offer.id, take.taker, take.salt);
        (terms.participant, terms.participant_salt) = (self.wallet.identity_address(), Salt::from_bytes(salt));
        (terms.alpha.lock.secret_hash, terms.beta.lock.secret_hash) = (take.secret_hash, take.secret_hash);
        (terms.alpha.lock.refundee, terms.beta.lock.redeemer) = (take.alpha_refundee, take.beta_redeemer);
        terms.alpha.lock.redeemer = party(&self.wallet, &salt, offer.want.asset, KeyUse::Redeem);
        terms.beta.lock.refundee = party(&self.wallet, &salt, offer.give.asset, KeyUse::Refund);
        terms
    }

    async fn propose(&self, take: &Take) -> PeerReply {
        let honest = self.honest_terms(take).await;
        let lie = self.lie.lock().unwrap().clone();
        let (mut signer, mut step) = (self.wallet.clone(), Consent::Propose);
        let mut shown = serde_json::to_value(honest).unwrap();
        match lie {
            Lie::None | Lie::Denied | Lie::Silent => {}
            Lie::Terms(place, put) => bend(&mut shown, place, put),
            Lie::Both(bends) => bends.into_iter().for_each(|(place, put)| bend(&mut shown, place, put)),
            Lie::Signer => signer = self.scout.wallet.clone(),
            Lie::Step => step = Consent::Accept,
            Lie::Garbage => return PeerReply::Answer(json!({ "terms": "as agreed", "signature": "00" })),
        }
        let terms: Terms = serde_json::from_value(shown.clone()).unwrap();
        let signature = signed(&signer, terms.digest(step, Role::Participant));
        PeerReply::Answer(json!({ "terms": shown, "signature": signature }))
    }
}

fn bend(terms: &mut Value, place: &str, put: Put) {
    let field = terms.pointer_mut(place).unwrap_or_else(|| panic!("the terms have no {place}"));
    let bent = match put {
        Put::Value(value) => value,
        Put::Later(secs) => json!(field.as_i64().unwrap() + secs),
    };
    assert_ne!(*field, bent, "{place} is no lie");
    *field = bent;
}

#[async_trait]
impl Handler for LyingMaker {
    fn knows(&self, kind: &str) -> bool {
        ["offers", "take", "accept"].contains(&kind)
    }

    async fn handle(&self, _from: Address, request: PeerRequest) -> PeerReply {
        match request.kind.as_str() {
            "offers" => {
                let trades = self.trades.lock().unwrap().clone();
                let offers =
                    trades.iter().map(|offer| json!({ "offer": offer, "signature": signed(&self.wallet, offer.digest()) }));
                PeerReply::Answer(json!({ "offers": offers.collect::<Vec<_>>() }))
            }
            "take" => self.propose(&serde_json::from_value(request.body["take"].clone()).unwrap()).await,
            _ => match *self.lie.lock().unwrap() {
                Lie::Denied => PeerReply::Declined("I have changed my mind".to_owned()),
                Lie::Silent => PeerReply::Failed,
                _ => PeerReply::Answer(json!({ "swap": request.body["swap"] })),
            },
        }
    }
}

/// Alice, whose node is real, before Mallory, whose words are not.
struct Trap {
    alice: Player,
    mallory: Mallory,
    maker: Arc<LyingMaker>,
}

impl Trap {
    /// Alice takes an offer of Mallory's who lies like this.
    async fn spring(&self, offer: &Offer, lie: Lie, funding: Funding) -> anyhow::Result<photon::service::SwapView> {
        *self.maker.lie.lock().unwrap() = lie;
        self.alice.take(&NewSwap { peer: self.mallory.address(), offer: offer.id.to_string(), funding }).await
    }
}

/// BTC for ETH: alpha is a script, beta a contract.
fn lies_about_bitcoin_for_ether() -> Vec<(Lie, &'static str)> {
    let is = |place, value: Value| Lie::Terms(place, Put::Value(value));
    let later = |place, secs| Lie::Terms(place, Put::Later(secs));
    let nobody = format!("0x{}", "11".repeat(20));
    let key = format!("02{}", "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    vec![
        (is("/beta/lock/amount", json!("299999999999999999")), "beta locks another asset or amount"),
        (is("/beta/lock/amount", json!("300000000000000001")), "beta locks another asset or amount"),
        (is("/alpha/lock/amount", json!("1000001")), "alpha locks another asset or amount"),
        (
            is("/beta/lock/asset", json!(Asset::Token(Ledger::Ethereum, nobody.parse().unwrap()))),
            "beta locks another asset or amount",
        ),
        (is("/alpha/lock/asset", json!(Asset::Native(Ledger::Litecoin))), "alpha locks another asset or amount"),
        (is("/beta/lock/redeemer", json!({ "account": nobody })), "beta does not name our own key or account"),
        (is("/alpha/lock/refundee", json!({ "key": key })), "alpha does not name our own key or account"),
        (is("/beta/lock/secret_hash", json!("22".repeat(32))), "hash"),
        (
            Lie::Both(["/alpha/lock/secret_hash", "/beta/lock/secret_hash"].map(|at| (at, Put::Value(json!("22".repeat(32)))))),
            "locked by another hash than ours",
        ),
        (is("/initiator", json!(nobody)), "name other parties"),
        (is("/participant", json!(nobody)), "name other parties"),
        (is("/initiator_salt", json!("33".repeat(16))), "name other parties"),
        (is("/offer", json!("44".repeat(32))), "belongs to another offer"),
        (is("/beta/chain_id", json!(1)), "beta lies on another network"),
        (is("/alpha/genesis", json!("55".repeat(32))), "alpha lies on another network"),
        (is("/beta/lock/template/htlc/contract", json!(nobody)), "beta uses another script or contract"),
        (is("/beta/lock/template/htlc/code_hash", json!("66".repeat(32))), "beta uses another script or contract"),
        (is("/beta/confirmations", json!(1)), "beta counts other confirmations or decimals"),
        (is("/alpha/decimals", json!(7)), "alpha names confirmations or decimals that can't be"),
        (is("/offline_secs", json!(1)), "seconds offline and our profile needs 5"),
        (is("/version", json!(2)), "version"),
        // A beta that closes sooner leaves Alice no time to redeem it.
        (
            Lie::Both(["/beta/lock/expiry/opens_time", "/beta/lock/expiry/closes"].map(|at| (at, Put::Later(-3)))),
            "the time to redeem beta leaves",
        ),
        (later("/beta/lock/expiry/closes", -3), "beta must close when its refund opens"),
        (is("/beta/lock/expiry/closes", Value::Null), "beta must close when its refund opens"),
        (is("/beta/lock/expiry/linked", json!(true)), "judged by the secret registry"),
        (later("/alpha/lock/expiry/opens_time", -3), "the time to redeem alpha leaves"),
        (later("/alpha/lock/expiry/opens_time", 90 * 24 * 3600), "money would be locked for"),
        (later("/deadlines/reveal_by", 3), "the time to redeem beta leaves"),
        (later("/deadlines/reveal_by", -3), "for beta to confirm and the secret to be revealed leaves"),
        (later("/deadlines/fund_alpha_by", -8), "the time to fund alpha leaves"),
        (later("/deadlines/agreed_at", -3600), "the terms are dated"),
        (later("/deadlines/agreed_at", 5), "the terms are dated"),
        (Lie::Signer, "the maker's signature does not fit"),
        (Lie::Step, "the maker's signature does not fit"),
        (Lie::Garbage, "can't be read"),
        (Lie::Denied, "I have changed my mind"),
    ]
}

/// ETH for BTC: alpha is a contract, beta a script.
fn lies_about_ether_for_bitcoin() -> Vec<(Lie, &'static str)> {
    let is = |place, value: Value| Lie::Terms(place, Put::Value(value));
    let later = |place, secs| Lie::Terms(place, Put::Later(secs));
    let nobody = format!("0x{}", "11".repeat(20));
    let key = format!("02{}", "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    vec![
        (later("/alpha/lock/expiry/opens_block", 100_000), "alpha's refund waits for block"),
        (is("/alpha/lock/expiry/closes", json!(1_000_000_000)), "alpha must not close before its refund"),
        (is("/alpha/lock/refundee", json!({ "account": nobody })), "alpha does not name our own key or account"),
        (is("/beta/lock/redeemer", json!({ "key": key })), "beta does not name our own key or account"),
        (later("/beta/lock/expiry/opens_time", -3), "the time to redeem beta leaves"),
        (is("/beta/lock/expiry/opens_time", json!(499_999_999)), "the lock of beta mixes parts"),
        (is("/beta/lock/expiry/opens_block", json!(1)), "the lock of beta mixes parts"),
        (is("/beta/genesis", json!("55".repeat(32))), "beta lies on another network"),
        (is("/alpha/lock/template/htlc/contract", json!(nobody)), "alpha uses another script or contract"),
    ]
}

#[test]
fn lying_makers_are_refused() {
    play(async {
        let Some(scene) = shared().await else { return };
        let (alice, bob) = scene.alice_and_bob("lying-makers").await;
        let books = Books::open(&[&alice, &bob]).await;
        let trades = [("ETH", "BTC"), ("BTC", "ETH")];
        for (give, want) in trades {
            bob.offer(&new_offer(give, want)).await.unwrap();
        }
        let scout = Mallory::new().await;
        let wallet = fresh_wallet();
        let valid_until = UnixTime::from_secs(u64::MAX / 4);
        let bobs = scout.offers(&bob).await;
        let mine = |theirs: &Offer| {
            Offer::new(wallet.identity_address(), theirs.give, theirs.want, valid_until, Salt::from_bytes(random()))
        };
        let offers: Vec<Offer> = bobs.iter().map(mine).collect();
        let of = |ledger: &str| *offers.iter().find(|offer| offer.want.asset.ledger().name() == ledger).unwrap();
        let (bitcoin_for_ether, ether_for_bitcoin) = (of("bitcoin"), of("ethereum"));
        let maker = Arc::new(LyingMaker {
            wallet: wallet.clone(),
            scout,
            bob,
            trades: Mutex::new(offers.clone()),
            lie: Mutex::new(Lie::None),
        });
        let mallory = Mallory::listening(wallet, maker.clone()).await;
        let trap = Trap { alice, mallory, maker };

        for (offer, lies) in
            [(bitcoin_for_ether, lies_about_bitcoin_for_ether()), (ether_for_bitcoin, lies_about_ether_for_bitcoin())]
        {
            for (lie, reason) in lies {
                let refused = trap.spring(&offer, lie.clone(), Funding::Wallet).await;
                let Err(refused) = refused else { panic!("{lie:?} was believed") };
                let refused = refused.to_string();
                assert!(refused.contains("409") && refused.contains(reason), "{lie:?}: {refused}");
            }
        }
        // Those that were refused before our signature left are no swaps; the one that was denied after it never moves money.
        let known = trap.alice.swaps().await.unwrap();
        assert!(known.len() <= 1 && known.iter().all(|swap| swap.facts.is_empty()), "{known:?}");

        // An answer that never comes is waited for as long as alpha could be funded, and then there is no swap.
        let silent = trap.spring(&bitcoin_for_ether, Lie::Silent, Funding::Wallet).await.unwrap_err().to_string();
        assert!(silent.contains("503") && silent.contains("nothing was locked"), "{silent}");
        for swap in trap.alice.swaps().await.unwrap() {
            assert_eq!(ended(&trap.alice, &swap.id).await, "void", "{swap:?}");
            assert!(trap.alice.swap(&swap.id).await.unwrap().legs.iter().all(|leg| leg.transactions.is_empty()));
        }
        // Without a lie she is believed: it was the lies that were refused.
        let swap = trap.spring(&bitcoin_for_ether, Lie::None, Funding::Outside).await.unwrap();
        assert_eq!(swap.role, "initiator");
        assert!(trap.maker.bob.swaps().await.unwrap().is_empty());
        books.close(&[&trap.alice, &trap.maker.bob], &[]).await;
    });
}
