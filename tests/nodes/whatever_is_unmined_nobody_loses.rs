//! Every transaction of a swap is unmined at every depth that may still be unmined: each funding below the agreed depth, each
//! redeem and refund before it is final, as either leg, on each chain. And the fundings of a double-spender are unmined and
//! replaced. Many swaps share one world, whose time moves on command. (THREATS C1–C5, C27)

use crate::stage::{Books, Clock, Moment, PATIENCE, Player, amount, both_paid, ended, new_offer, own, play, reach, until};
use photon::demo::party::Party;
use photon::service::{Funding, NewSwap, SwapView};
use photon_chains::Ledger;
use photon_regtest::world::{EvmChain, UtxoChain};
use photon_regtest::{Mining, Unmined, World, WorldConfig};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What all parties here rely on, and agree on: deeper than usual, so that there is something between the first block and the
/// last. A lock counts from there, and a spend is final there.
const AGREED_DEPTH: u64 = 4;
/// Each chain is Alpha once, and Beta once.
const RING: [(&str, &str); 4] = [("BTC", "ETH"), ("ETH", "LTC"), ("LTC", "SMT"), ("SMT", "BTC")];
const CHAINS: [Ledger; 4] = [Ledger::Bitcoin, Ledger::Litecoin, Ledger::Ethereum, Ledger::Smt];
/// Blocks are taken away this often in the life of one swap's funding, so that it comes about in the end.
const HITS_IN_A_WAVE: usize = 3;
const MOST_WAVES: usize = 8;
/// So much time passes at once while nothing happens on any chain.
const STRIDE_SECS: u32 = 4;
/// From the last moment to reveal to the first refund it is longer.
const BACK_BEFORE_SECS: u64 = 10;
const LONG: Duration = Duration::from_secs(240);

/// A transaction of a swap: on which chain, as which leg, what for, at which depth.
type Cell = (Ledger, String, String, u64);

/// What is still to be unmined.
fn table() -> BTreeSet<Cell> {
    let of_leg = |chain: Ledger, leg: &'static str| {
        ["fund", "redeem", "refund"]
            .into_iter()
            .flat_map(move |purpose| (1..AGREED_DEPTH).map(move |depth| (chain, leg.to_owned(), purpose.to_owned(), depth)))
    };
    CHAINS.into_iter().flat_map(|chain| ["alpha", "beta"].into_iter().flat_map(move |leg| of_leg(chain, leg))).collect()
}

/// Whoever plays here relies on nothing shallower.
fn relies_deeper(party: &Player) {
    for chain in CHAINS {
        party.rewrite(&format!("[{chain}]\n"), &format!("[{chain}]\nconfirmations = {AGREED_DEPTH}\n"));
    }
}

/// The hashes of a chain's newest transactions, by depth.
async fn newest(world: &World, chain: Ledger) -> BTreeMap<u64, Vec<String>> {
    let mut found = BTreeMap::new();
    for depth in 1..AGREED_DEPTH {
        let hashes: Value = match chain {
            Ledger::Bitcoin | Ledger::Litecoin => {
                let chain = if chain == Ledger::Bitcoin { &world.bitcoin } else { &world.litecoin };
                let hash = chain.block_hash(chain.height().await.unwrap() + 1 - depth).await.unwrap();
                chain.call("getblock", json!([hash, 1])).await.unwrap()["tx"].take()
            }
            Ledger::Ethereum | Ledger::Smt | Ledger::EthereumChannel | Ledger::SmtChannel => {
                let chain = if chain == Ledger::Ethereum { &world.ethereum } else { &world.smt };
                let height = format!("{:#x}", chain.height().await.unwrap() + 1 - depth);
                chain.call("eth_getBlockByNumber", json!([height, false])).await.unwrap()["transactions"].take()
            }
        };
        let hashes = hashes.as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().trim_start_matches("0x").to_owned());
        found.insert(depth, hashes.collect());
    }
    found
}

/// The last blocks of a chain are replaced, and what was in them waits again, or is gone from a pool without memory.
async fn unmine(world: &World, chain: Ledger, depth: u64) {
    match chain {
        Ledger::Bitcoin => world.bitcoin.reorg(depth, Unmined::LeftOut).await.unwrap(),
        Ledger::Litecoin => world.litecoin.reorg(depth, Unmined::LeftOut).await.unwrap(),
        Ledger::Ethereum | Ledger::EthereumChannel => world.ethereum.reorg(depth, Unmined::LeftOut).await.unwrap(),
        Ledger::Smt | Ledger::SmtChannel => world.smt.reorg(depth, Unmined::LeftOut).await.unwrap(),
    };
}

/// What has been sent for any swap: leg and purpose by hash.
async fn sent(parties: &[&Player]) -> BTreeMap<String, (String, String)> {
    let mut sent = BTreeMap::new();
    for party in parties {
        // One that is away has said before what it sent.
        for swap in party.swaps().await.unwrap_or_default() {
            for leg in &swap.legs {
                let mine = leg.transactions.iter();
                sent.extend(mine.map(|tx| {
                    let hash = tx.txid.to_string().trim_start_matches("0x").to_owned();
                    (hash, (leg.leg.clone(), tx.purpose.clone()))
                }));
            }
        }
    }
    sent
}

/// Takes away blocks wherever that unmines something that is still in the table, once a second of the world.
struct Shaker<'a> {
    world: &'a World,
    left: Mutex<BTreeSet<Cell>>,
    hits: Mutex<BTreeMap<(Ledger, String), usize>>,
}

impl Shaker<'_> {
    /// How deep a chain is to be unmined now for something that still has to be.
    fn depth(
        &self,
        chain: Ledger,
        blocks: &BTreeMap<u64, Vec<String>>,
        sent: &BTreeMap<String, (String, String)>,
    ) -> Option<u64> {
        let left = self.left.lock().unwrap();
        let hits = self.hits.lock().unwrap();
        let mut best = None;
        for (depth, hashes) in blocks {
            for (leg, purpose) in hashes.iter().filter_map(|hash| sent.get(hash)) {
                let in_wave = hits.get(&(chain, leg.clone())).copied().unwrap_or(0);
                if left.contains(&(chain, leg.clone(), purpose.clone(), *depth))
                    && (purpose != "fund" || in_wave < HITS_IN_A_WAVE)
                {
                    best = Some(*depth);
                }
            }
        }
        best
    }

    /// Unmines what is to be unmined now. False if nothing that was sent is near the tip of any chain.
    async fn shake(&self, parties: &[&Player]) -> bool {
        let sent = sent(parties).await;
        let is_busy = AtomicBool::new(false);
        let each = CHAINS.map(|chain| {
            let (sent, is_busy) = (&sent, &is_busy);
            async move {
                let blocks = newest(self.world, chain).await;
                is_busy.fetch_or(blocks.values().flatten().any(|hash| sent.contains_key(hash)), Ordering::Relaxed);
                let Some(depth) = self.depth(chain, &blocks, sent) else { return };
                unmine(self.world, chain, depth).await;
                for (depth, hashes) in blocks.range(..=depth) {
                    for (leg, purpose) in hashes.iter().filter_map(|hash| sent.get(hash)) {
                        self.left.lock().unwrap().remove(&(chain, leg.clone(), purpose.clone(), *depth));
                        if purpose == "fund" {
                            *self.hits.lock().unwrap().entry((chain, leg.clone())).or_default() += 1;
                        }
                    }
                }
            }
        });
        futures::future::join_all(each).await;
        is_busy.into_inner()
    }

    fn has_left(&self, purposes: &[&str]) -> bool {
        self.left.lock().unwrap().iter().any(|(_, _, purpose, _)| purposes.contains(&purpose.as_str()))
    }

    fn new_wave(&self) {
        self.hits.lock().unwrap().clear();
    }
}

/// One swap along each edge of the ring; their ids.
async fn wave(taker: &Party, maker: &Party) -> Vec<String> {
    let taken = RING.map(|(pay, get)| async move {
        let offer = maker.offer(&new_offer(get, pay)).await.unwrap();
        taker.take(&NewSwap { peer: maker.address(), offer: offer.id, funding: Funding::Wallet }).await.unwrap().id
    });
    futures::future::join_all(taken).await
}

/// How each swap ended, for both alike.
async fn alike(taker: &Party, maker: &Party, swaps: &[String]) -> Vec<String> {
    let mut outcomes = Vec::new();
    for (n, swap) in swaps.iter().enumerate() {
        let (taken, made) = (ended(taker, swap).await, ended(maker, swap).await);
        match (taken.as_str(), made.as_str()) {
            // Who never paid in has nothing to take back.
            ("completed", "completed") | ("refunded" | "void", "refunded" | "void") => outcomes.push(taken),
            _ => panic!("{:?}, {swap}: the taker says {taken}, the maker {made}", RING[n % RING.len()]),
        }
    }
    outcomes
}

/// Has a party die when it has decided to reveal, before that is durable.
fn dies_before_it_reveals(party: &mut Player) {
    let orders = party.folder.join("crash");
    std::fs::create_dir(&orders).unwrap();
    std::fs::write(orders.join("kill"), "store.before.commit_step(reveal_intent beta/redeem)\t1\n").unwrap();
    party.env.push(("PHOTON_CRASH".to_owned(), orders.to_str().unwrap().to_owned()));
}

async fn until_gone(party: &mut Player) {
    let began = Instant::now();
    while !party.has_ended().unwrap() {
        assert!(began.elapsed() < LONG, "{} is still there", party.name);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Swaps that Carol takes, and whose secret she never shows: she is gone from that moment on.
async fn left_alone(clock: &Clock, carol: &mut Player, bob: &Player) -> Vec<SwapView> {
    let (taker, maker): (&Party, &Party) = (carol, bob);
    let ids = clock.during(wave(taker, maker)).await;
    clock.during(until_gone(carol)).await;
    let views = ids.iter().map(|id| async { bob.swap(id).await.unwrap() });
    futures::future::join_all(views).await
}

/// Waves of swaps that both carry through, while blocks are taken away, until all fundings and redeems of the table were in them.
async fn kept(clock: &Clock, shaker: &Shaker<'_>, alice: &Player, bob: &Player) -> Vec<String> {
    let waves = async {
        let mut all = Vec::new();
        for _ in 0..MOST_WAVES {
            if !shaker.has_left(&["fund", "redeem"]) {
                break;
            }
            shaker.new_wave();
            let swaps = wave(alice, bob).await;
            for swap in &swaps {
                ended(alice, swap).await;
            }
            all.extend(swaps);
        }
        all
    };
    let shaking = async {
        loop {
            clock.step().await;
            shaker.shake(&[alice, bob]).await;
        }
    };
    tokio::select! { () = shaking => unreachable!(), all = waves => all }
}

/// Lets time pass while blocks are taken away; in strides where nothing can happen, for no lock opens soon or just has.
async fn shaken_step(clock: &Clock, shaker: &Shaker<'_>, parties: &[&Player], opens: &[u64]) {
    let is_busy = shaker.shake(parties).await;
    let now = clock.now();
    let is_near = opens.iter().any(|opens| (now.saturating_sub(25)..now + 5).contains(opens));
    clock.stride(if is_busy || is_near { 1 } else { STRIDE_SECS }).await;
}

#[test]
fn every_funding_redeem_and_refund_is_unmined_at_every_depth_on_every_chain() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_millis(500)))).await else { return };
        let (mut alice, mut bob, mut carol) = tokio::join!(scene.party("alice"), scene.party("bob"), scene.party("carol"));
        let clock = Clock::take_over(&scene).await;
        for party in [&mut alice, &mut bob, &mut carol] {
            relies_deeper(party);
            clock.rules(party);
        }
        dies_before_it_reveals(&mut carol);
        tokio::try_join!(alice.start(), bob.start(), carol.start()).unwrap();
        let books = Books::open(&[&alice, &bob, &carol]).await;
        let shaker = Shaker { world: scene.world(), left: Mutex::new(table()), hits: Mutex::default() };

        let lost = left_alone(&clock, &mut carol, &bob).await;
        let opens: Vec<u64> = lost.iter().flat_map(|swap| &swap.legs).map(|leg| leg.refund_from.secs()).collect();
        let kept = kept(&clock, &shaker, &alice, &bob).await;

        // She is back after the last moment to reveal, and before anything opens.
        let back = opens.iter().min().unwrap() - BACK_BEFORE_SECS;
        while clock.now() < back {
            shaken_step(&clock, &shaker, &[&alice, &bob], &opens).await;
        }
        carol.env.retain(|(key, _)| key != "PHOTON_CRASH");
        clock.during(carol.start()).await.unwrap();
        let ids: Vec<String> = lost.iter().map(|swap| swap.id.clone()).collect();
        let taking_back = alike(&carol, &bob, &ids);
        let shaking = async {
            loop {
                shaken_step(&clock, &shaker, &[&alice, &bob, &carol], &opens).await;
            }
        };
        let lost = tokio::select! { () = shaking => unreachable!(), lost = taking_back => lost };
        assert!(lost.iter().all(|outcome| outcome == "refunded"), "{lost:?}");

        let settling = async {
            let outcomes = alike(&alice, &bob, &kept).await;
            let completed = outcomes.iter().zip(RING.iter().cycle()).filter(|(outcome, _)| *outcome == "completed");
            let completed: Vec<_> = completed.map(|(_, pair)| *pair).collect();
            println!("{} of {} completed, {} refunded", completed.len(), kept.len(), lost.len());
            assert!(completed.len() * 2 > kept.len());
            books.close(&[&alice, &bob, &carol], &both_paid(&alice, &bob, completed)).await;
        };
        clock.during(settling).await;
        let left = shaker.left.into_inner().unwrap();
        assert!(left.is_empty(), "never unmined: {left:?}");
    });
}

/// Pays a lock by hand, from the party's wallet, so that it can be taken back while it is unmined.
async fn pay_by_hand(chain: &UtxoChain, party: &Player, to: &str, units: u128) -> String {
    let coins = format!("{}.{:08}", units / 100_000_000, units % 100_000_000);
    let replaceable = json!([to, coins, "", "", false, true]);
    chain.wallet(&party.name).rpc.get("sendtoaddress", replaceable).await.unwrap()
}

/// The coins of an unmined payment go back to their owner.
async fn spend_elsewhere(chain: &UtxoChain, party: &Player, payment: &str) {
    let wallet = chain.wallet(&party.name);
    let payment = chain.call("getrawtransaction", json!([payment, true])).await.unwrap();
    let inputs: Vec<Value> =
        payment["vin"].as_array().unwrap().iter().map(|coin| json!({ "txid": coin["txid"], "vout": coin["vout"] })).collect();
    let paid: f64 = payment["vout"].as_array().unwrap().iter().map(|output| output["value"].as_f64().unwrap()).sum();
    let back = json!([inputs, { wallet.new_address().await.unwrap(): format!("{:.8}", paid - 0.001) }]);
    let unsigned = chain.call("createrawtransaction", back).await.unwrap();
    let signed = wallet.rpc.call("signrawtransactionwithwallet", json!([unsigned])).await.unwrap();
    chain.call("sendrawtransaction", json!([signed["hex"]])).await.unwrap();
}

/// The account's next nonce is used for something else.
async fn use_nonce_elsewhere(chain: &EvmChain, party: &Player) {
    let us = party.identity.to_string();
    chain.call("anvil_impersonateAccount", json!([us])).await.unwrap();
    let price = chain.call("eth_gasPrice", json!([])).await.unwrap();
    let nothing = json!({ "from": us, "to": us, "value": "0x1", "gas": "0x5208", "gasPrice": price });
    chain.call("eth_sendTransaction", json!([nothing])).await.unwrap();
}

/// C1, C2: Mallory funds on every chain, and when that is in blocks, at one depth after the other, those blocks are lost and
/// the coins and the nonces go elsewhere. Whoever waits for the agreed depth pays nothing for it.
#[test]
fn a_funding_that_is_unmined_and_replaced_costs_the_other_party_nothing() {
    play(async {
        let litecoind_args = vec!["-mempoolreplacement=1".to_owned()];
        let config = WorldConfig { litecoind_args, ..WorldConfig::every(Mining::Every(Duration::from_millis(500))) };
        let Some(scene) = own(config).await else { return };
        let mut bob = scene.party("bob").await;
        let (mut first, mut second, mut third) =
            tokio::join!(scene.party("mallory-1"), scene.party("mallory-2"), scene.party("mallory-3"));
        let clock = Clock::take_over(&scene).await;
        for party in [&mut bob, &mut first, &mut second, &mut third] {
            relies_deeper(party);
            clock.rules(party);
        }
        tokio::try_join!(bob.start(), first.start(), second.start(), third.start()).unwrap();
        let books = Books::open(&[&bob]).await;
        let World { bitcoin, litecoin, ethereum, smt, .. } = scene.world();
        let mut swaps = Vec::new();
        for (mallory, depth) in [&mut first, &mut second, &mut third].into_iter().zip(1..AGREED_DEPTH) {
            let mut payments = Vec::new();
            for (pay, get) in RING {
                let by_hand = match pay {
                    "BTC" => Some(bitcoin),
                    "LTC" => Some(litecoin),
                    _ => None,
                };
                let offer = bob.offer(&new_offer(get, pay)).await.unwrap();
                let funding = if by_hand.is_some() { Funding::Outside } else { Funding::Wallet };
                let swap = mallory.take(&NewSwap { peer: bob.address(), offer: offer.id, funding }).await.unwrap();
                match by_hand {
                    Some(chain) => {
                        let to = swap.legs[0].funding_address.clone().unwrap();
                        payments.push((chain, pay_by_hand(chain, mallory, &to, amount(pay).units()).await));
                    }
                    None => reach(mallory, &swap.id, Moment::Sent("fund")).await,
                }
                swaps.push(swap.id);
            }
            // All four wait now for the same second. Nobody sends anything again.
            mallory.kill().unwrap();
            for _ in 0..depth {
                clock.step().await;
            }
            for swap in swaps.iter().rev().take(RING.len()) {
                until("Bob sees alpha so deep, and no deeper", PATIENCE, async || {
                    let alpha = bob.swap(swap).await.unwrap().legs.remove(0);
                    assert!(u64::from(alpha.depth) <= depth, "{alpha:?}");
                    (alpha.status == "pending" && u64::from(alpha.depth) == depth).then_some(())
                })
                .await;
            }
            futures::future::join_all(CHAINS.map(|chain| unmine(scene.world(), chain, depth))).await;
            for (chain, payment) in payments {
                spend_elsewhere(chain, mallory, &payment).await;
            }
            tokio::join!(use_nonce_elsewhere(ethereum, mallory), use_nonce_elsewhere(smt, mallory));
            clock.step().await;
        }
        let seeing = async {
            for swap in &swaps {
                assert_eq!(ended(&bob, swap).await, "void");
                let facts: Vec<String> = bob.swap(swap).await.unwrap().facts.into_iter().map(|fact| fact.fact).collect();
                assert!(!facts.iter().any(|fact| fact == "fund_intent"), "{facts:?}");
            }
            books.close(&[&bob], &[]).await;
        };
        clock.during(seeing).await;
        // Her daemon, which knows nothing of it, loses nothing either.
        clock.during(third.start()).await.unwrap();
        let seeing = async {
            for (swap, (pay, _)) in swaps.iter().rev().take(RING.len()).zip(RING.iter().rev()) {
                if matches!(*pay, "ETH" | "SMT") {
                    assert_eq!(ended(&third, swap).await, "void", "{pay}");
                }
            }
        };
        clock.during(seeing).await;
    });
}
