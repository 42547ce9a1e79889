//! What payment channels need of ledgers with contracts: names, calls, and a node that does not always tell the truth.

use crate::bench::{Bench, ChainBench, Who};
use crate::evm::{EvmBench, call_from, ethereum, mallory, silent_erc20, smt, smt_erc20};
use crate::stage::{fresh_id, fresh_secret};
use photon_chains::{
    Address, Amount, BlockHeight, Called, ContractCall, ContractPort, Hash32, IntentKey, Ledger, Port, PortError, Progress,
    Purpose, Secret, Settlement, SignedTx, UnixTime,
};
use photon_regtest::proxy::{Fault, FaultProxy};
use serde_json::{Value, json};
use std::sync::Arc;

const GWEI: u64 = 1_000_000_000;
const DEPOSIT: u128 = 1_000_000;
/// The shortest window that the contract takes.
const WINDOW_MINUTES: u128 = 10;

/// A story on each chain.
macro_rules! on_each {
    ($bench:ident in $($of:path),+ => $story:expr) => {
        for bench in [$($of().await),+] {
            let Some($bench) = bench else { return };
            $story.await;
        }
    };
}

/// Alice, with her adapter as channels see it.
struct Room<'a> {
    bench: &'a EvmBench,
    port: Arc<dyn Port>,
    contracts: Arc<dyn ContractPort>,
    since: BlockHeight,
}

impl<'a> Room<'a> {
    async fn new(bench: &'a EvmBench) -> Self {
        Self::of(bench, bench.connect(Who::Alice).await).await
    }

    async fn of(bench: &'a EvmBench, port: Arc<dyn Port>) -> Self {
        let since = port.poll().await.unwrap().block.height;
        let contracts = port.clone().contracts().unwrap();
        Self { bench, port, contracts, since }
    }

    fn channels(&self) -> Address {
        self.contracts.channels().unwrap()
    }

    /// The key of our channel with that peer.
    async fn key(&self, token: Option<Address>, peer: Address) -> Hash32 {
        let us = self.contracts.account();
        let (a, b) = if us.as_bytes() < peer.as_bytes() { (us, peer) } else { (peer, us) };
        let words = format!("0x{}{}{}", asset(token), word(a), word(b));
        let hash = self.bench.chain.call("web3_sha3", json!([words])).await.unwrap();
        hash.as_str().unwrap().trim_start_matches("0x").parse().unwrap()
    }

    fn deposit(&self, peer: Address) -> ContractCall {
        let input = format!("e2bbb158{}{:024x}{}", asset(None), 0, hex::encode(peer.as_bytes()));
        ContractCall { value: Amount::from_units(DEPOSIT), ..self.call(self.channels(), &input) }
    }

    fn register(&self, secret: &Secret) -> ContractCall {
        self.call(self.contracts.registry(), &format!("12ad8bfc{}", hex::encode(secret.expose())))
    }

    fn call(&self, to: Address, input: &str) -> ContractCall {
        ContractCall {
            intent: IntentKey::new(Purpose::Call, fresh_id()),
            to,
            value: Amount::ZERO,
            input: hex::decode(input).unwrap(),
            by: None,
            at_stake: None,
            secret_until: None,
            allowance: None,
        }
    }

    /// What a channel holds, as its slot says.
    async fn total(&self, key: Hash32) -> u128 {
        let ask = hex::decode(format!("7a7ebd7b{key}")).unwrap();
        let slot = self.contracts.views(&[(self.channels(), ask)], None).await.unwrap().remove(0).unwrap();
        slot[20..].iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
    }

    fn rows(&self, call: &ContractCall) -> Vec<(SignedTx, Option<Settlement>)> {
        self.bench.journal(Who::Alice).rows(call.intent)
    }

    async fn send(&self, call: &ContractCall) {
        let sent = self.contracts.call(call).await;
        assert!(matches!(sent, Ok(Called::Under(Progress::Sent { .. }))), "{sent:?}");
    }

    /// Asks, looks and mines until the call is over; a score of blocks is enough for everything here.
    async fn finish(&self, call: &ContractCall) -> Called {
        for _ in 0..20 {
            self.port.poll().await.unwrap();
            match self.contracts.call(call).await {
                Ok(over @ (Called::Under(Progress::Done) | Called::Reverted(_))) => return over,
                Ok(_) | Err(PortError::Unreachable { .. }) => self.bench.mine(1).await,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("{call:?} is not over after twenty blocks");
    }
}

fn word(address: Address) -> String {
    format!("{:0>64}", hex::encode(address.as_bytes()))
}

fn asset(token: Option<Address>) -> String {
    format!("{WINDOW_MINUTES:024x}{}", token.map_or("0".repeat(40), |token| hex::encode(token.as_bytes())))
}

/// Somebody we never met.
fn stranger() -> Address {
    Address::from_bytes(fresh_id().as_bytes()[5..25].try_into().unwrap())
}

/// A name as tokens give it to who is paid.
fn payee(address: Address) -> Hash32 {
    word(address).parse().unwrap()
}

fn hash_of(secret: &Secret) -> Hash32 {
    Hash32::from_bytes(*secret.hash().as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_told_and_taken_back_with_its_block_and_comes_again() {
    on_each!(bench in ethereum, smt => async {
        let room = Room::new(&bench).await;
        let peer = stranger();
        let key = room.key(None, peer).await;
        room.contracts.watch_name(room.channels(), key, room.since);
        assert_eq!(room.contracts.look().await.unwrap().changed, [key], "watched since then");
        let deposit = room.deposit(peer);
        room.send(&deposit).await;
        bench.mine(1).await;
        let news = room.contracts.look().await.unwrap();
        let [said] = room.contracts.said(&key).try_into().unwrap();
        assert_eq!((news.changed, said.at, said.by), (vec![key], news.heads.latest, room.channels()));
        assert_eq!((said.data.len(), said.data[0], said.txid), (33, 1, room.rows(&deposit)[0].0.txid));
        assert!(news.heads.deep.block.height < said.at.block.height, "not relied on yet");
        assert_eq!(room.contracts.look().await.unwrap().changed, [], "told once");

        bench.reorg(1).await;
        assert_eq!(room.contracts.look().await.unwrap().changed, [key]);
        assert_eq!((room.contracts.said(&key), room.total(key).await), (Vec::new(), 0));
        room.send(&deposit).await;
        bench.mine(2).await;
        let news = room.contracts.look().await.unwrap();
        let [again] = room.contracts.said(&key).try_into().unwrap();
        assert!(again.at.block != said.at.block && again.txid == said.txid && news.changed == [key]);
        assert_eq!(news.heads.deep, again.at, "two confirmations are relied on here");
        assert_eq!(room.finish(&deposit).await, Called::Under(Progress::Done));
        assert_eq!((room.rows(&deposit).len(), room.total(key).await), (1, DEPOSIT));

        let later = Room::new(&bench).await;
        later.contracts.watch_name(room.channels(), key, room.since);
        later.contracts.look().await.unwrap();
        assert_eq!(later.contracts.said(&key), [again], "a new adapter sees the same");
        later.contracts.unwatch_name(&key);
        assert_eq!(later.contracts.said(&key), []);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_would_revert_or_show_its_secret_too_late_is_not_sent() {
    on_each!(bench in ethereum, smt => async {
        let room = Room::new(&bench).await;
        let close = room.call(room.channels(), &format!("655e2d0c{}{}", asset(None), word(stranger())));
        let secret = fresh_secret();
        let now = room.port.poll().await.unwrap().time;
        let late = ContractCall { secret_until: Some(now), ..room.register(&secret) };
        let zero = room.register(&Secret::from_bytes([0; 32]));
        for call in [&close, &late, &zero] {
            let said = room.contracts.call(call).await;
            assert!(matches!(said, Ok(Called::WouldRevert(_))), "{said:?}");
        }
        let Ok(Called::WouldRevert(reason)) = room.contracts.call(&close).await else { panic!("not refused") };
        // SMT's old node does not tell why.
        let words = if bench.asset().ledger() == Ledger::Smt { "the contract refuses it" } else { "the channel is not open" };
        assert_eq!(reason, words);
        assert_eq!(bench.journal(Who::Alice).len(), 0, "nothing was even signed");
        let in_time = ContractCall { secret_until: Some(UnixTime::from_secs(u64::MAX)), ..late };
        assert_eq!(room.finish(&in_time).await, Called::Under(Progress::Done));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_a_call_makes_it_once() {
    on_each!(bench in ethereum, smt => async {
        let room = Room::new(&bench).await;
        let peer = stranger();
        let deposit = room.deposit(peer);
        let key = room.key(None, peer).await;
        bench.journal(Who::Alice).crash_after_next_record();
        room.contracts.call(&deposit).await.unwrap_err();
        let again = Room::new(&bench).await;
        again.send(&deposit).await;
        bench.mine(1).await;
        let third = Room::new(&bench).await;
        let mined = third.contracts.call(&deposit).await;
        assert!(matches!(mined, Ok(Called::Under(Progress::Mined { depth: 1, .. }))), "{mined:?}");
        assert_eq!(third.finish(&deposit).await, Called::Under(Progress::Done));
        assert_eq!(Room::new(&bench).await.contracts.call(&deposit).await, Ok(Called::Under(Progress::Done)));
        assert_eq!((third.rows(&deposit).len(), third.total(key).await), (1, DEPOSIT));
    });
}

// What the node never got is sent by who wants it. If nobody does, it must not hold up the others, and is never made later.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_died_unsent_and_that_nobody_asks_for_is_given_up_for_good() {
    let Some(bench) = ethereum().await else { return };
    let room = Room::new(&bench).await;
    let (lost, wanted) = (room.register(&fresh_secret()), room.register(&fresh_secret()));
    bench.journal(Who::Alice).crash_after_next_record();
    room.contracts.call(&lost).await.unwrap_err();
    let again = Room::new(&bench).await;
    assert_eq!(again.finish(&wanted).await, Called::Under(Progress::Done));
    assert!(matches!(again.finish(&lost).await, Called::Reverted(_)));
    let rows = again.rows(&lost);
    assert!(matches!(rows.as_slice(), [(_, Some(Settlement::Replaced)), (_, Some(Settlement::Mined { .. }))]), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_too_long_bids_more_as_long_as_it_is_wanted() {
    let Some(bench) = ethereum().await else { return };
    let room = Room::new(&bench).await;
    let peer = stranger();
    let deposit = room.deposit(peer);
    room.send(&deposit).await;
    room.contracts.unwant(&deposit.intent);
    for _ in 0..5 {
        bench.chain.set_next_base_fee(60 * GWEI).await.unwrap();
        bench.mine(1).await;
        room.port.poll().await.unwrap();
    }
    assert_eq!(room.rows(&deposit).len(), 1, "nobody wants it: it bids no more");
    assert_eq!(room.finish(&deposit).await, Called::Under(Progress::Done));
    let rows = room.rows(&deposit);
    let is_ladder = rows
        .windows(2)
        .all(|pair| pair[0].0.nonce == pair[1].0.nonce && pair[1].0.fee.units() * 1000 >= pair[0].0.fee.units() * 1125);
    assert!(rows.len() >= 2 && is_ladder, "{rows:?}");
    assert_eq!(room.total(room.key(None, peer).await).await, DEPOSIT, "once");
    calm_down(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_lets_a_call_bid_what_it_would_not_bid_before() {
    let Some(bench) = ethereum().await else { return };
    let room = Room::new(&bench).await;
    bench.chain.set_next_base_fee(2_000 * GWEI).await.unwrap();
    bench.mine(1).await;
    let now = room.port.poll().await.unwrap().time;
    // A tenth of it is about 1,000 gwei for each unit of gas that a registration uses; a half is above the price.
    let at_stake = Some(Amount::from_units(450_000_000_000_000_000));
    let early = ContractCall { at_stake, by: Some(now.plus_secs(3_600)), ..room.register(&fresh_secret()) };
    assert_eq!(room.contracts.call(&early).await, Ok(Called::Under(Progress::NotYet)));
    assert_eq!(bench.journal(Who::Alice).len(), 0, "a secret is not shown for a bid that would wait");
    let late = ContractCall { by: Some(now.plus_secs(1)), ..early };
    room.send(&late).await;
    bench.mine(1).await;
    let mined = room.contracts.call(&late).await;
    assert!(matches!(mined, Ok(Called::Under(Progress::Mined { .. }))), "{mined:?}");
    calm_down(&bench).await;
}

async fn calm_down(bench: &EvmBench) {
    bench.chain.set_next_base_fee(GWEI).await.unwrap();
    bench.mine(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_the_registry_is_told_with_its_time_and_block() {
    on_each!(bench in ethereum, smt => async {
        let room = Room::new(&bench).await;
        let (secret, other) = (fresh_secret(), fresh_secret());
        let (name, silent) = (hash_of(&secret), hash_of(&other));
        room.contracts.watch_name(room.contracts.registry(), silent, room.since);
        room.contracts.look().await.unwrap();
        let input = format!("0x{}", hex::encode(room.register(&secret).input));
        assert!(call_from(&bench.chain, mallory(&bench.chain).address, room.contracts.registry(), 0, &input).await);
        assert_eq!(room.contracts.look().await.unwrap().changed, []);
        // Watched only now: what was said of late is remembered whoever watched it.
        room.contracts.watch_name(room.contracts.registry(), name, room.since);
        assert_eq!(room.contracts.look().await.unwrap().changed, [name]);
        let [said] = room.contracts.said(&name).try_into().unwrap();
        assert_eq!((said.by, said.data.as_slice()), (room.contracts.registry(), secret.expose().as_slice()));
        let (height, time) = (bench.chain.height().await.unwrap(), bench.chain.time_unix_secs().await.unwrap());
        assert_eq!((said.at.block.height.get(), said.at.time.secs()), (height, time));
        assert_eq!(room.contracts.said(&silent), []);
    });
}

/// The node's events, each changed.
fn changed(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    Fault::Lie(Arc::new(move |_, _, mut result| {
        result.as_array_mut().unwrap().iter_mut().for_each(&change);
        result
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_tells_what_nobody_said_is_not_believed() {
    let Some(bench) = ethereum().await else { return };
    let proxy = FaultProxy::start(&bench.url()).await.unwrap();
    let room = Room::of(&bench, bench.connect_at(&proxy.url(), Who::Alice).await).await;
    let (peer, other) = (stranger(), stranger());
    let (key, others) = (room.key(None, peer).await, room.key(None, other).await);
    room.contracts.watch_name(room.channels(), key, room.since);
    room.contracts.look().await.unwrap();
    let elsewhere = json!(bench.config.contracts.native_htlc.to_string());
    let topics = json!([format!("0x{key}")]);
    let named = topics.clone();
    let at_another_contract = changed(move |log| {
        log["address"] = elsewhere.clone();
        log["topics"] = named.clone();
    });
    let under_another_name = changed(|log| log["topics"] = json!([format!("0x{}", "77".repeat(32))]));
    let named = topics.clone();
    let removed = changed(move |log| {
        log["removed"] = json!(true);
        log["topics"] = named.clone();
    });
    for lie in [at_another_contract, under_another_name, removed] {
        proxy.set("eth_getLogs", lie);
        room.send(&room.deposit(other)).await;
        bench.mine(1).await;
        assert_eq!(room.contracts.look().await.unwrap().changed, []);
        assert_eq!(room.contracts.said(&key), []);
    }
    let in_a_block_of_another_chain = changed(move |log| {
        log["blockHash"] = json!(format!("0x{}", "99".repeat(32)));
        log["topics"] = topics.clone();
    });
    for broken in [in_a_block_of_another_chain, Fault::BreakAfter, Fault::Garble] {
        proxy.set("eth_getLogs", broken);
        bench.mine(1).await;
        assert!(room.contracts.look().await.is_err());
        assert_eq!(room.contracts.said(&key), [], "a failed look changes nothing");
    }
    proxy.clear();
    room.contracts.watch_name(room.channels(), others, room.since);
    assert_eq!(room.contracts.look().await.unwrap().changed, [others], "and nothing is lost by it");
    assert_eq!(room.contracts.said(&others).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_in_tokens_allows_exactly_its_amount_and_is_told_by_the_token() {
    on_each!(bench in silent_erc20, smt_erc20 => async {
        let room = Room::new(&bench).await;
        let (peer, token) = (stranger(), bench.asset().token().unwrap());
        let name = payee(room.channels());
        room.contracts.watch_name(token, name, room.since);
        room.contracts.look().await.unwrap();
        let input = format!("e2bbb158{}{DEPOSIT:024x}{}", asset(Some(token)), hex::encode(peer.as_bytes()));
        let deposit =
            ContractCall { allowance: Some((token, Amount::from_units(DEPOSIT))), ..room.call(room.channels(), &input) };
        let before = room.contracts.holds(Some(token)).await.unwrap();
        assert_eq!(room.contracts.call(&deposit).await, Ok(Called::Under(Progress::NotYet)), "the allowance comes first");
        assert_eq!((room.rows(&deposit).len(), bench.journal(Who::Alice).len()), (0, 1));
        bench.mine(1).await;
        room.send(&deposit).await;
        assert_eq!(room.contracts.holds(Some(token)).await, Ok(before - DEPOSIT), "what waits is spent already");
        bench.mine(1).await;
        assert_eq!(room.contracts.look().await.unwrap().changed, [name]);
        let [said] = room.contracts.said(&name).try_into().unwrap();
        let paid = format!("{}{DEPOSIT:064x}", word(room.contracts.account()));
        assert_eq!((said.by, hex::encode(said.data)), (token, paid));
        assert_eq!(room.total(room.key(Some(token), peer).await).await, DEPOSIT);
        let left = format!("0xdd62ed3e{}{}", word(room.contracts.account()), word(room.channels()));
        let left = bench.chain.call("eth_call", json!([{"to": token.to_string(), "data": left}, "latest"])).await.unwrap();
        assert_eq!(left, json!(format!("0x{}", "0".repeat(64))), "nothing may be taken any more");
        assert_eq!(room.finish(&deposit).await, Called::Under(Progress::Done));
        assert_eq!(bench.journal(Who::Alice).len(), 2);
        let foreign = ContractCall { allowance: Some((stranger(), Amount::from_units(1))), ..room.deposit(peer) };
        assert!(matches!(room.contracts.call(&foreign).await, Err(PortError::Refused { .. })), "only what is configured");
    });
}
