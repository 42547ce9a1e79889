//! A node that answers as badly as a node can. THREATS F1, F4, F11: whatever it says to an act, or to a look, with the faults over
//! the act is done exactly once and the lock is seen as it is.

use crate::bench::{ChainBench, Who};
use crate::stage::{Stage, fresh_id};
use photon_chains::{Act, Family, LockStatus, Port, PortError, Progress, Settlement, Sighting};
use photon_regtest::proxy::{Fault, FaultProxy};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What bitcoind and litecoind say to a transaction, with their codes.
const UTXO_WORDS: [(i64, &str); 11] = [
    (-25, "bad-txns-inputs-missingorspent"),
    (-25, "Missing inputs"),
    (-26, "txn-mempool-conflict"),
    (-26, "txn-already-in-mempool"),
    (-26, "min relay fee not met, 100 < 143"),
    (-26, "insufficient fee, rejecting replacement 00, not enough additional fees to relay"),
    (-26, "too-long-mempool-chain"),
    (-26, "non-final"),
    (-27, "Transaction already in block chain"),
    (-28, "Loading block index..."),
    (-32603, "Internal error"),
];
/// What geth, its forks and anvil say to one.
const EVM_WORDS: [(i64, &str); 11] = [
    (-32000, "already known"),
    (-32000, "known transaction: 5a5a5a"),
    (-32010, "Transaction with the same hash was already imported."),
    (-32000, "nonce too low"),
    (-32000, "nonce too high"),
    (-32000, "replacement transaction underpriced"),
    (-32000, "transaction underpriced"),
    (-32000, "insufficient funds for gas * price + value"),
    (-32000, "txpool is full"),
    (-32000, "intrinsic gas too low"),
    (-32603, "Internal error"),
];

/// Alice and Bob, whose nodes a proxy stands before.
struct Rig<'a> {
    bench: &'a dyn ChainBench,
    proxy: FaultProxy,
    alice: Arc<dyn Port>,
    bob: Arc<dyn Port>,
}

impl<'a> Rig<'a> {
    async fn new(bench: &'a dyn ChainBench) -> Self {
        let proxy = FaultProxy::start(&bench.url()).await.unwrap();
        let (alice, bob) = (bench.connect_at(&proxy.url(), Who::Alice).await, bench.connect_at(&proxy.url(), Who::Bob).await);
        Self { bench, proxy, alice, bob }
    }

    fn family(&self) -> Family {
        self.bench.asset().ledger().family()
    }

    async fn stage(&self) -> Stage<'a> {
        let stage = Stage::new(self.bench).await;
        self.alice.watch(&stage.lock, stage.since);
        self.bob.watch(&stage.lock, stage.since);
        self.look().await;
        stage
    }

    async fn look(&self) {
        self.alice.poll().await.unwrap();
        self.bob.poll().await.unwrap();
    }

    async fn mine(&self, blocks: u32) {
        self.bench.mine(blocks).await;
        self.look().await;
    }

    /// Blocks until everything that waits is final.
    async fn finish(&self) {
        let timing = self.bob.timing();
        self.mine(timing.final_confirmations.max(timing.confirmations)).await;
        self.look().await;
    }

    /// Asks for an act while sending is spoilt so, and then once more when it is not.
    async fn ensure_under(&self, fault: &Fault, port: &Arc<dyn Port>, act: &Act) {
        let send = match self.family() {
            Family::Utxo => "sendrawtransaction",
            Family::Evm => "eth_sendRawTransaction",
        };
        let bitten = self.proxy.bitten();
        self.proxy.set(send, fault.clone());
        for _ in 0..2 {
            let said = port.ensure(act).await;
            let is_state = matches!(said, Ok(Progress::Done | Progress::Mined { .. }) | Err(PortError::Journal(_)));
            assert!(!is_state, "{}: {fault:?} made it {said:?}", act.intent());
        }
        assert!(self.proxy.bitten() > bitten, "{}: {fault:?} was never met", act.intent());
        self.proxy.clear();
        port.poll().await.unwrap();
        let said = port.ensure(act).await;
        let goes_on = matches!(said, Ok(Progress::Sent { .. } | Progress::NotYet));
        assert!(goes_on, "{}: after {fault:?} it is {said:?}", act.intent());
    }

    /// An intent has come true by exactly one transaction.
    fn done_once(&self, fault: &Fault, who: Who, act: &Act) {
        let rows = self.bench.journal(who).rows(act.intent());
        let mined = |end: &Option<Settlement>| matches!(end, Some(Settlement::Mined { succeeded: true, .. }));
        assert_eq!(rows.iter().filter(|(_, end)| mined(end)).count(), 1, "{fault:?}: {} {rows:?}", act.intent());
        let open = rows.iter().filter(|(_, end)| end.is_none()).count();
        assert_eq!(open, 0, "{fault:?}: {} is settled: {rows:?}", act.intent());
    }
}

/// What can happen to a transaction on its way to the node.
fn spoilt_sending() -> Vec<Fault> {
    vec![
        Fault::Delay(Duration::from_millis(50)),
        Fault::BreakBefore,
        Fault::BreakAfter,
        Fault::Twice,
        Fault::Truncate,
        Fault::Garble,
        Fault::Status(503),
        Fault::Say(Value::Null),
        Fault::Say(json!("5a".repeat(32))),
    ]
}

/// What the node can say to it: by itself, and, for the words that would be believed most easily, although it has it.
fn words(family: Family) -> Vec<Fault> {
    let words = match family {
        Family::Utxo => UTXO_WORDS,
        Family::Evm => EVM_WORDS,
    };
    let say = |done| move |(code, message)| Fault::Refuse { code, message, done };
    words.into_iter().map(say(false)).chain(words.into_iter().take(4).map(say(true))).collect()
}

/// What was begun under one fault, to be looked at when its time has come.
struct Begun<'a> {
    fault: Fault,
    refunded: Option<Stage<'a>>,
    acts: Vec<(Who, Act)>,
    cancelled: Option<Act>,
}

impl<'a> Begun<'a> {
    fn new(fault: Fault) -> Self {
        Self { fault, refunded: None, acts: Vec::new(), cancelled: None }
    }

    /// Alice does it under the fault.
    async fn alice(&mut self, rig: &Rig<'a>, act: Act) {
        rig.ensure_under(&self.fault, &rig.alice, &act).await;
        self.acts.push((Who::Alice, act));
    }

    /// A lock is funded and redeemed.
    async fn redeem(&mut self, rig: &Rig<'a>) {
        let stage = rig.stage().await;
        self.alice(rig, stage.fund_act()).await;
        rig.mine(rig.bob.timing().confirmations).await;
        let view = rig.bob.look(stage.lock.id()).unwrap();
        assert!(matches!(view.status, LockStatus::Funded { .. }) && view.faults.is_empty(), "{:?}: {view:?}", self.fault);
        rig.ensure_under(&self.fault, &rig.bob, &stage.redeem()).await;
        self.acts.push((Who::Bob, stage.redeem()));
        // Before time is moved: where redeeming closes, one that waits would be too late.
        rig.mine(1).await;
    }

    /// A lock is funded, to be refunded; another is cancelled; and somebody is paid.
    async fn the_rest(&mut self, rig: &Rig<'a>) {
        let stage = rig.stage().await;
        self.alice(rig, stage.fund_act()).await;
        self.refunded = Some(stage);
        let (bench, to) = (rig.bench, rig.bench.foreign_address().await);
        self.alice(rig, Act::Send { id: fresh_id(), asset: bench.asset(), amount: bench.amount(), to }).await;
        if bench.can_replace() {
            let stage = rig.stage().await;
            rig.alice.ensure(&stage.fund_act()).await.unwrap();
            rig.look().await;
            self.alice(rig, Act::Cancel { lock: stage.lock }).await;
            self.cancelled = Some(stage.fund_act());
        }
    }
}

/// F4: each act under each fault.
async fn acts_are_done_exactly_once(bench: &dyn ChainBench) {
    let rig = Rig::new(bench).await;
    let mut begun = Vec::new();
    for fault in words(rig.family()) {
        let mut one = Begun::new(fault);
        one.redeem(&rig).await;
        begun.push(one);
    }
    for fault in spoilt_sending() {
        let mut one = Begun::new(fault);
        one.the_rest(&rig).await;
        one.redeem(&rig).await;
        begun.push(one);
    }
    if let Some(last) = begun.iter().rev().find_map(|one| one.refunded.as_ref()) {
        bench.pass_time_until(last.lock.expiry.opens_time).await;
        rig.look().await;
    }
    for one in &mut begun {
        if let Some(refund) = one.refunded.as_ref().map(Stage::refund) {
            one.alice(&rig, refund).await;
        }
    }
    rig.finish().await;
    for Begun { fault, refunded, acts, cancelled } in &begun {
        for (who, act) in acts {
            rig.done_once(fault, *who, act);
        }
        if let Some(stage) = refunded {
            let view = rig.bob.look(stage.lock.id()).unwrap();
            assert!(matches!(view.status, LockStatus::Refunded { .. }) && view.secret.is_none(), "{fault:?}: {view:?}");
        }
        if let Some(fund) = cancelled {
            let rows = bench.journal(Who::Alice).rows(fund.intent());
            assert!(rows.iter().all(|(_, end)| *end == Some(Settlement::Replaced)), "{fault:?}: {rows:?}");
        }
    }
}

/// The questions that a look asks, each with answers that are of its form and wrong. Every one is also cut short and answered with
/// nothing.
fn spoilt_looks(family: Family) -> Vec<(&'static str, Fault)> {
    let f = format!("0x{}", "ff".repeat(32));
    let refused = Fault::Refuse { code: -32603, message: "Internal error", done: false };
    let (questions, wrong) = match family {
        Family::Utxo => (
            ["getbestblockhash", "getblockheader", "getblockhash", "getblock", "getrawmempool", "getrawtransaction"].as_slice(),
            vec![
                ("getbestblockhash", Fault::Say(json!("ff".repeat(32)))),
                ("getblockhash", Fault::Say(json!("ff".repeat(32)))),
                ("getblockhash", Fault::Refuse { code: -8, message: "Block height out of range", done: false }),
                ("getblock", Fault::Say(json!("00"))),
                ("getblock", Fault::Garble),
                ("getrawmempool", Fault::Say(json!([]))),
                ("getrawtransaction", Fault::Say(json!("00"))),
                ("getrawtransaction", refused),
                ("getblockheader", Fault::Status(429)),
            ],
        ),
        Family::Evm => (
            [
                "eth_getBlockByNumber",
                "eth_getBlockByHash",
                "eth_getLogs",
                "eth_call",
                "eth_getCode",
                "eth_getTransactionByHash",
                "eth_getTransactionCount",
            ]
            .as_slice(),
            vec![
                ("eth_getLogs", Fault::Say(json!([]))),
                ("eth_getLogs", refused),
                ("eth_call", Fault::Say(json!("0x"))),
                ("eth_call", Fault::Say(json!(f))),
                ("eth_getCode", Fault::Say(json!("0x"))),
                ("eth_getBlockByNumber", Fault::Garble),
                ("eth_getBlockByHash", Fault::Say(json!({ "transactions": [] }))),
                ("eth_getTransactionByHash", Fault::Status(429)),
                ("eth_getTransactionCount", Fault::Say(json!("0xffffffffffffffff"))),
            ],
        ),
    };
    let plain = questions.iter().flat_map(|question| [(*question, Fault::Truncate), (*question, Fault::Say(Value::Null))]);
    plain.chain(wrong).collect()
}

/// F1, F3: each question of a look under each fault, with a redeem in the mempool to be seen. It may end in an error, never in a
/// panic; a look that ends in an error changes nothing but that a secret may be known; and the next good one sees all there is.
async fn looks_recover(bench: &dyn ChainBench) {
    let rig = Rig::new(bench).await;
    for (question, fault) in spoilt_looks(rig.family()) {
        let what = format!("{question} {fault:?}");
        let stage = rig.stage().await;
        rig.proxy.set(question, fault.clone());
        stage.fund().await;
        stage.confirm_blocks().await;
        let before = rig.bob.look(stage.lock.id());
        let looked = rig.bob.poll().await;
        let _ = rig.alice.poll().await;
        if looked.is_err() {
            assert_eq!(rig.bob.look(stage.lock.id()), before, "{what}");
        }
        rig.proxy.clear();
        rig.mine(1).await;
        stage.poll().await;
        same(&rig, &stage, &what);
        rig.proxy.set(question, fault);
        stage.bob.ensure(&stage.redeem()).await.unwrap();
        let _ = (rig.alice.poll().await, rig.bob.poll().await);
        rig.proxy.clear();
        rig.look().await;
        stage.poll().await;
        same(&rig, &stage, &what);
        assert_eq!(rig.alice.look(stage.lock.id()).unwrap().secret, Some(stage.secret.clone()), "{what}");
        rig.mine(1).await;
        stage.poll().await;
        same(&rig, &stage, &what);
        rig.alice.unwatch(stage.lock.id());
        rig.bob.unwatch(stage.lock.id());
    }
}

/// What is seen through the proxy is what is seen without it.
fn same(rig: &Rig<'_>, stage: &Stage<'_>, what: &str) {
    let all = |port: &Arc<dyn Port>| -> Sighting { port.look(stage.lock.id()).unwrap() };
    assert_eq!(all(&rig.alice), all(&stage.alice), "{what}");
    assert_eq!(all(&rig.bob), all(&stage.bob), "{what}");
}

/// F12 and memory: an answer without end is given up, and connecting to a node like that is an error and no more.
async fn endless_answers_are_given_up(bench: &dyn ChainBench) {
    let rig = Rig::new(bench).await;
    let stage = rig.stage().await;
    rig.proxy.set_every(Fault::Endless);
    let looked = rig.bob.poll().await;
    let given_up = matches!(looked, Err(PortError::BadAnswer { .. } | PortError::Unreachable { .. }));
    assert!(given_up, "{looked:?}");
    let said = rig.alice.ensure(&stage.fund_act()).await;
    assert!(matches!(said, Err(PortError::BadAnswer { .. } | PortError::Unreachable { .. })), "{said:?}");
    rig.proxy.clear();
    rig.look().await;
    assert_eq!(bench.journal(Who::Alice).rows(stage.fund_act().intent()).len(), 0);
    same(&rig, &stage, "after endless answers");
}

/// What a node says that keeps the states of no block but the newest: nothing of any older than one it was asked about.
fn only_the_newest_state() -> Fault {
    let newest = AtomicU64::new(0);
    Fault::Lie(Arc::new(move |_method, params, result| {
        let at = params[1].as_str().and_then(|at| u64::from_str_radix(at.strip_prefix("0x")?, 16).ok());
        let is_older = at.is_some_and(|at| at < newest.fetch_max(at, Ordering::Relaxed));
        if is_older { Value::Null } else { result }
    }))
}

/// F3: a node that keeps no old states or events. Nothing is relied on by its word, and no duty waits for it: what stands is seen by
/// its slot, and can be taken back and redeemed.
async fn what_a_node_threw_away_hinders_no_duty(bench: &dyn ChainBench) {
    let rig = Rig::new(bench).await;
    let stage = rig.stage().await;
    let lock = stage.lock.id();
    stage.fund().await;
    for question in ["eth_call", "eth_getCode"] {
        rig.proxy.set(question, only_the_newest_state());
    }
    rig.finish().await;
    assert!(matches!(rig.bob.look(lock).unwrap().status, LockStatus::Pending { .. }), "{:?}", rig.bob.look(lock));
    rig.proxy.clear();
    rig.mine(1).await;
    assert!(matches!(rig.bob.look(lock).unwrap().status, LockStatus::Funded { .. }), "{:?}", rig.bob.look(lock));

    // Who starts anew behind a node that says what it lacks says so too, and knows nothing; behind one that does not, sees the slot.
    rig.proxy.set("eth_getLogs", Fault::Refuse { code: 4444, message: "pruned history unavailable", done: false });
    let anew = bench.connect_at(&rig.proxy.url(), Who::Bob).await;
    anew.watch(&stage.lock, stage.since);
    let said = anew.poll().await.unwrap_err().to_string();
    assert!(said.contains("pruned history unavailable") && anew.look(lock).is_none(), "{said}");
    rig.proxy.set("eth_getLogs", Fault::Say(json!([])));
    anew.poll().await.unwrap();
    let seen = anew.look(lock).unwrap();
    assert!(seen.stands() && matches!(seen.status, LockStatus::Pending { .. }), "{seen:?}");
    let sent = anew.ensure(&stage.redeem()).await.unwrap();
    assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
    rig.proxy.clear();
    rig.finish().await;
    anew.poll().await.unwrap();
    assert!(matches!(anew.look(lock).unwrap().status, LockStatus::Redeemed { .. }), "{:?}", anew.look(lock));
}

mod pruned {
    use super::what_a_node_threw_away_hinders_no_duty;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_an_ethereum_or_smt_node_threw_away_hinders_no_duty() {
        for bench in [crate::evm::ethereum().await, crate::evm::smt().await].into_iter().flatten() {
            what_a_node_threw_away_hinders_no_duty(&bench).await;
        }
    }
}

macro_rules! faults {
    ($($ledger:ident: $bench:path;)*) => { $(
        mod $ledger {
            #[tokio::test(flavor = "multi_thread")]
            async fn acts_are_done_exactly_once_whatever_the_node_answers() {
                let Some(bench) = $bench().await else { return };
                super::acts_are_done_exactly_once(&bench).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_look_recovers_from_every_bad_answer() {
                let Some(bench) = $bench().await else { return };
                super::looks_recover(&bench).await;
                super::endless_answers_are_given_up(&bench).await;
            }
        }
    )* };
}

faults! {
    bitcoin: crate::utxo::bitcoin;
    litecoin: crate::utxo::litecoin;
    ethereum: crate::evm::ethereum;
    smt: crate::evm::smt;
}
