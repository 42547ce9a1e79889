//! What every ledger must do, told as stories. Each is run on each ledger that can have it, by the table in `main.rs`.

use crate::bench::{Bench, ChainBench, OpenBench, Who};
use crate::stage::{Patience, Stage, fault_of, fresh_id, fresh_secret, mined_fee};
use photon_chains::{
    Act, Amount, Asset, Fault, IntentKey, Ledger, Lock, LockStatus, Party, PortError, Progress, Purpose, Secret, Settlement,
    Sighting, SpendKind,
};

/// Alice funds, Bob waits until it can be relied on, redeems, and Alice learns the secret. On a chain both grow deep block by block;
/// and where mempools are seen, the secret is seen before any block.
pub async fn a_lock_is_funded_and_redeemed_and_the_secret_is_seen(bench: &dyn Bench) {
    let stage = Stage::new(bench).await;
    let before = stage.available(Who::Bob).await;
    stage.fund().await;
    match bench.chain() {
        Some(_) => a_funding_grows_deep(&stage).await,
        None => stage.confirm().await,
    }
    assert_eq!(stage.alices_view().secret, None);

    let sent = stage.bob.ensure(&stage.redeem()).await.unwrap();
    assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
    if bench.chain().is_some() {
        a_redeem_is_seen_before_it_is_deep(&stage).await;
    }
    stage.redeemed().await;
    assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::Done));
    assert_eq!(stage.alice.ensure(&stage.fund_act()).await, Ok(Progress::Done), "it was funded, and is over");
    assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::Done), "and not to be had back");

    let fee = stage.paid(Who::Bob, stage.redeem().intent()).await;
    let after = stage.available(Who::Bob).await;
    assert_eq!(before.checked_add(bench.amount()).and_then(|sum| sum.checked_sub(fee)), Some(after));
}

async fn a_funding_grows_deep(stage: &Stage<'_>) {
    let needed = stage.bob.timing().confirmations;
    assert!(matches!(stage.bobs_view().status, LockStatus::Absent | LockStatus::Pending { depth: 0, .. }));
    for depth in 1..=needed {
        stage.mine(1).await;
        match stage.bobs_view().status {
            LockStatus::Pending { depth: seen, .. } => assert!(seen == depth && depth < needed, "pending at {seen}"),
            LockStatus::Funded { depth: seen, at, .. } => {
                assert!(seen == depth && depth == needed, "funded at {seen} of {needed}");
                assert_eq!(at.height.plus(u64::from(depth) - 1), stage.tip().await.block.height);
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn a_redeem_is_seen_before_it_is_deep(stage: &Stage<'_>) {
    stage.poll().await;
    let view = stage.alices_view();
    assert_eq!(view.secret, Some(stage.secret.clone()), "from the mempool");
    assert!(view.spend.is_some_and(|spend| (spend.kind, spend.depth) == (SpendKind::Redeem, 0)), "{view:?}");
    assert!(matches!(view.status, LockStatus::Funded { .. }), "a spend that no block shows is no end: {view:?}");
    stage.mine(1).await;
    let view = stage.alices_view();
    assert_eq!(view.secret, Some(stage.secret.clone()), "from a block");
    if stage.alice.timing().final_confirmations > 1 {
        assert!(!view.is_over(), "one confirmation is not final: {view:?}");
        assert!(view.spend.is_some_and(|spend| (spend.kind, spend.depth) == (SpendKind::Redeem, 1)), "{view:?}");
        let progress = stage.bob.ensure(&stage.redeem()).await.unwrap();
        assert!(matches!(progress, Progress::Mined { depth: 1, .. }), "{progress:?}");
    }
}

/// Nobody redeems; Alice takes it back, not a second too early.
pub async fn a_lock_that_nobody_redeems_is_refunded_after_its_expiry_only(bench: &dyn Bench) {
    let stage = Stage::new(bench).await;
    let before = stage.available(Who::Alice).await;
    stage.fund().await;
    assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::NotYet), "not even seen");
    stage.confirm().await;
    let signed = bench.signed(Who::Alice).await;
    assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::NotYet), "before the expiry");
    stage.poll().await;
    assert!(matches!(stage.bobs_view().status, LockStatus::Funded { .. }), "{:?}", stage.bobs_view());
    assert_eq!(bench.signed(Who::Alice).await, signed);
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    stage.poll().await;
    stage.refund_to_the_end().await;
    let mut paid = stage.paid(Who::Alice, stage.fund_act().intent()).await;
    paid = paid.checked_add(stage.paid(Who::Alice, stage.refund().intent()).await).unwrap();
    assert_eq!(stage.available(Who::Alice).await.checked_add(paid), Some(before), "all of it is back");
    assert_eq!(stage.alice.ensure(&stage.fund_act()).await, Ok(Progress::Done), "it is not funded again");
}

/// A wrong secret, a stranger's key: refused before anything is signed.
pub async fn a_wrong_secret_is_refused_and_nothing_is_signed(bench: &dyn Bench) {
    let stage = Stage::new(bench).await;
    stage.fund().await;
    stage.confirm().await;
    let signed = bench.signed(Who::Bob).await;
    let wrong = Act::Redeem { lock: stage.lock, secret: fresh_secret(), key: stage.bob_key.clone() };
    assert!(matches!(stage.bob.ensure(&wrong).await, Err(PortError::Refused { .. })));
    assert_eq!(bench.signed(Who::Bob).await, signed);
    stage.poll().await;
    assert!(stage.bobs_view().stands() && stage.alices_view().secret.is_none());
    stage.redeem_to_the_end().await;
}

/// After the expiry, while nobody has taken it back, the ledgers differ: with scripts the redeem still wins, with a closing
/// time it does not.
pub async fn a_late_redeem_works_exactly_where_the_ledger_says_so(bench: &dyn Bench) {
    let stage = Stage::new(bench).await;
    stage.fund().await;
    stage.confirm().await;
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    stage.poll().await;
    if !bench.closes_at_expiry() {
        return stage.redeem_to_the_end().await;
    }
    let late = stage.bob.ensure(&stage.redeem()).await;
    assert!(matches!(late, Ok(Progress::NotYet) | Err(PortError::Refused { .. })), "{late:?}");
    stage.mine(2).await;
    assert_eq!(stage.alices_view().secret, None, "a redeem that can't win must show no secret");
    stage.refund_to_the_end().await;
}

/// However often and from however many sides it is asked for, it is funded once.
pub async fn ensuring_twice_funds_once(bench: &dyn Bench) {
    let stage = Stage::new(bench).await;
    let (act, before) = (stage.fund_act(), stage.available(Who::Alice).await);
    let (one, two, three) = tokio::join!(stage.alice.ensure(&act), stage.alice.ensure(&act), stage.alice.ensure(&act));
    for progress in [one, two, three] {
        assert!(matches!(progress, Ok(Progress::Sent { .. })), "{progress:?}");
    }
    stage.poll().await;
    assert!(stage.alice.ensure(&act).await.is_ok());
    if let Some(chain) = bench.chain() {
        stage.mine(1).await;
        assert!(matches!(stage.alice.ensure(&act).await, Ok(Progress::Mined { depth: 1, .. })));
        stage.finish().await;
        assert_eq!(stage.alice.ensure(&act).await, Ok(Progress::Done));
        let rows = chain.journal(Who::Alice).rows(act.intent());
        assert!(matches!(rows.as_slice(), [(_, Some(Settlement::Mined { succeeded: true, .. }))]), "{rows:?}");
    } else {
        stage.confirm().await;
        assert!(matches!(stage.alice.ensure(&act).await, Ok(Progress::Sent { .. })), "it is, until it ends");
    }
    assert_eq!(stage.bobs_view().faults, []);
    let gone = bench.amount().checked_add(stage.paid(Who::Alice, act.intent()).await).unwrap();
    assert_eq!(stage.available(Who::Alice).await.checked_add(gone), Some(before), "one amount is gone");
    stage.redeem_to_the_end().await;
    let signed = bench.signed(Who::Alice).await;
    assert_eq!(stage.alice.ensure(&act).await, Ok(Progress::Done), "nor is it funded again once it is over");
    assert_eq!(bench.signed(Who::Alice).await, signed);
}

/// At every step, an adapter that has just been started sees what the old one sees, and goes on from there.
pub async fn a_restarted_adapter_sees_the_same(bench: &dyn Bench) {
    let mut stage = Stage::new(bench).await;
    stage.same_after_restart("nothing").await;
    stage.fund().await;
    if bench.chain().is_some() {
        stage.poll().await;
        stage.same_after_restart("a funding that waits").await;
    }
    stage.confirm().await;
    stage.same_after_restart("a funding").await;
    stage.bob.ensure(&stage.redeem()).await.unwrap();
    if bench.chain().is_some() {
        stage.poll().await;
        stage.same_after_restart("a redeem that waits").await;
        stage.mine(1).await;
        stage.same_after_restart("a shallow redeem").await;
    }
    stage.redeemed().await;
    stage.same_after_restart("the end").await;
    stage.restart(Who::Bob).await;
    assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::Done));
}

/// A funding that was never begun, or that can still be stopped, is cancelled for good.
pub async fn a_cancelled_funding_never_comes(bench: &dyn Bench) {
    let mut stage = Stage::new(bench).await;
    let before = stage.available(Who::Alice).await;
    let other = Lock { secret_hash: fresh_secret().hash(), ..stage.lock };
    assert_eq!(stage.alice.ensure(&Act::Cancel { lock: other }).await, Ok(Progress::Done), "there is nothing to cancel");
    bench.fund_held_up(stage.alice.as_ref(), &stage.fund_act()).await;
    stage.alice.poll().await.unwrap();
    let view = stage.alices_view();
    assert!(matches!(view.status, LockStatus::Absent | LockStatus::Pending { depth: 0, .. }), "{view:?}");
    let cancel = Act::Cancel { lock: stage.lock };
    let asked = stage.alice.ensure(&cancel).await.unwrap();
    if bench.chain().is_some() {
        assert!(matches!(asked, Progress::Sent { .. }), "{asked:?}");
        stage.poll().await;
        assert_eq!(stage.bobs_view().status, LockStatus::Absent, "the funding is out of the mempool");
    } else {
        assert_eq!(asked, Progress::NotYet, "once its payer has ended it");
    }
    bench.let_through().await;
    stage.restart(Who::Bob).await;
    match bench.chain() {
        Some(_) => stage.finish().await,
        None => {
            let mut patience = Patience::until("it has ended");
            while stage.alice.ensure(&cancel).await != Ok(Progress::Done) {
                patience.wait().await;
            }
        }
    }
    assert_eq!(stage.alice.ensure(&cancel).await, Ok(Progress::Done));
    stage.poll().await;
    assert_eq!(stage.bobs_view().status, LockStatus::Absent);
    if let Some(chain) = bench.chain() {
        let rows = chain.journal(Who::Alice).rows(stage.fund_act().intent());
        assert!(matches!(rows.as_slice(), [(_, Some(Settlement::Replaced))]), "{rows:?}");
    } else {
        assert_eq!(stage.available(Who::Alice).await, before);
    }
    assert!(!matches!(stage.alice.ensure(&stage.fund_act()).await, Ok(Progress::Sent { .. })));
    stage.poll().await;
    assert_eq!(stage.bobs_view().status, LockStatus::Absent, "however often it is asked for");
}

/// More than there is: said with figures, and nothing is promised.
pub async fn a_wallet_that_has_too_little_says_so(bench: &dyn Bench) {
    let stage = Stage::with_amount(bench, bench.amount().checked_mul(1_000_000).unwrap()).await;
    let signed = bench.signed(Who::Alice).await;
    let short = stage.alice.ensure(&stage.fund_act()).await;
    let Err(PortError::NotEnough { asset, needed, available, .. }) = short else { panic!("{short:?}") };
    assert!(asset == bench.asset() && needed > available, "{needed} of {available}");
    assert_eq!(bench.signed(Who::Alice).await, signed);
}

/// Terms of another ledger, of nobody's key, or that anybody could open are refused; so is a redeem by whom they do not name.
pub async fn impossible_terms_are_refused(bench: &dyn Bench) {
    let stage = Stage::new(bench).await;
    let signed = (bench.signed(Who::Alice).await, bench.signed(Who::Bob).await);
    let other_ledger = Ledger::ALL.into_iter().find(|ledger| *ledger != bench.asset().ledger()).unwrap();
    let open = Secret::from_bytes([0; 32]).hash();
    let terms = [
        Lock { asset: Asset::Native(other_ledger), ..stage.lock },
        Lock { amount: Amount::ZERO, ..stage.lock },
        Lock { secret_hash: open, ..stage.lock },
    ];
    for lock in terms {
        let refusal = fault_of(stage.alice.as_ref(), lock).await;
        assert!(matches!(refusal, Err(PortError::Refused { .. })), "{lock:?}: {refusal:?}");
    }
    if matches!(stage.lock.redeemer, Party::Key(_)) {
        // On the EVM anybody may redeem, and the redeemer is paid.
        let stranger = Act::Redeem { lock: stage.lock, secret: stage.secret.clone(), key: stage.alice_key.clone() };
        assert!(matches!(stage.alice.ensure(&stranger).await, Err(PortError::Refused { .. })));
    }
    assert_eq!((bench.signed(Who::Alice).await, bench.signed(Who::Bob).await), signed);
}

/// Alice funds less than was agreed, or what ends sooner: whatever she has locked so, Bob credits nothing and shows no secret for it.
pub async fn what_is_less_or_ends_sooner_than_agreed_is_not_credited(bench: &dyn Bench) {
    let sooner = |lock: &Lock| bench.expiry(lock.expiry.opens_time.minus_secs(60));
    let less = |lock: &Lock| Lock { amount: Amount::from_units(lock.amount.units() - 1), ..*lock };
    let changes: [&(dyn Fn(&Lock) -> Lock + Sync); 2] = [&less, &|lock| Lock { expiry: sooner(lock), ..*lock }];
    for change in changes {
        let stage = Stage::new(bench).await;
        let paid = change(&stage.lock);
        stage.alice.watch(&paid, stage.since);
        stage.alice.poll().await.unwrap();
        let sent = stage.alice.ensure(&Act::Fund { lock: paid }).await;
        assert!(matches!(sent, Ok(Progress::Sent { .. })), "{sent:?}");
        if bench.chain().is_some() {
            stage.confirm_blocks().await;
        } else {
            let mut patience = Patience::until("it comes back");
            while !matches!(stage.alice.look(paid.id()), Some(Sighting { status: LockStatus::Refunded { .. }, .. })) {
                patience.wait().await;
                stage.poll().await;
            }
        }
        assert_eq!(stage.bobs_view().status, LockStatus::Absent);
        let signed = bench.signed(Who::Bob).await;
        assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::NotYet));
        assert_eq!(bench.signed(Who::Bob).await, signed, "no secret may be shown for it");
    }
}

/// Where only the payer can fund a lock, nobody is told of a place to pay to, or handed a transaction to sign.
pub async fn only_its_payer_can_fund_the_lock(bench: &dyn Bench) {
    let stage = Stage::new(bench).await;
    assert_eq!((stage.alice.funding_address(&stage.lock), stage.alice.funding_psbt(&stage.lock)), (None, None));
    let draft = stage.alice.draft_funding(&stage.lock, &[], "anywhere").await;
    assert!(matches!(draft, Err(PortError::Refused { .. })), "{draft:?}");
    let relayed = stage.alice.relay_funding(&stage.lock, "anything").await;
    assert!(matches!(relayed, Err(PortError::Refused { .. })), "{relayed:?}");
}

// What takes blocks, and a journal of signed transactions.

/// The process dies between writing the funding down and sending it: the same bytes are sent by the next one.
pub async fn a_crash_before_sending_sends_the_same_bytes_later(bench: &dyn ChainBench) {
    let stage = Stage::new(bench).await;
    bench.journal(Who::Alice).crash_after_next_record();
    let dead = stage.alice.ensure(&stage.fund_act()).await;
    assert!(matches!(dead, Err(PortError::Journal(_))), "{dead:?}");
    stage.mine(1).await;
    assert_eq!(stage.bobs_view().status, LockStatus::Absent, "a journal that fails lets nothing out");
    let rows = bench.journal(Who::Alice).rows(stage.fund_act().intent());
    let again = stage.reconnect(Who::Alice).await;
    let progress = again.ensure(&stage.fund_act()).await.unwrap();
    // A token's allowance is written down before the funding itself.
    let signed = rows.first().map(|(tx, _)| tx.txid);
    assert!(signed.is_some() || bench.asset().token().is_some());
    assert!(matches!(progress, Progress::Sent { txid } if signed.is_none_or(|signed| signed == txid)), "{progress:?}");
    stage.confirm().await;
    assert_eq!(bench.journal(Who::Alice).rows(stage.fund_act().intent()).len(), 1);
    stage.redeem_to_the_end().await;
}

/// A database is lost: a lock that stands is not funded again.
pub async fn a_lost_journal_does_not_fund_again(bench: &dyn ChainBench) {
    let stage = Stage::new(bench).await;
    stage.fund().await;
    stage.confirm().await;
    let forgetful = bench.connect_without_memory(Who::Alice).await;
    forgetful.watch(&stage.lock, stage.since);
    forgetful.poll().await.unwrap();
    let progress = forgetful.ensure(&stage.fund_act()).await.unwrap();
    assert!(matches!(progress, Progress::Mined { .. } | Progress::Done), "{progress:?}");
    stage.mine(1).await;
    assert_eq!(stage.bobs_view().faults, []);
    stage.redeem_to_the_end().await;
}

/// Blocks are taken away: what they showed is undone, but for the secret, and comes back when it is mined again.
pub async fn what_a_lost_block_showed_is_undone_but_for_the_secret(bench: &dyn ChainBench) {
    let stage = Stage::new(bench).await;
    stage.fund().await;
    stage.confirm().await;
    let depth = stage.bob.timing().confirmations;
    bench.reorg(depth).await;
    stage.poll().await;
    let view = stage.bobs_view();
    assert!(matches!(view.status, LockStatus::Absent | LockStatus::Pending { depth: 0, .. }), "{view:?}");
    stage.fund().await;
    stage.confirm().await;
    assert_eq!(stage.bobs_view().faults, []);

    stage.bob.ensure(&stage.redeem()).await.unwrap();
    stage.mine(1).await;
    assert!(stage.alices_view().spend.is_some_and(|spend| spend.depth == 1));
    bench.reorg(1).await;
    stage.poll().await;
    let view = stage.alices_view();
    assert!(view.spend.is_none_or(|spend| spend.depth == 0), "{view:?}");
    assert_eq!(view.secret, Some(stage.secret.clone()), "once known it stays known");
    stage.redeem_to_the_end().await;
    // Sent again, or outbid by another of the same coins: one of them is mined.
    mined_fee(&bench.journal(Who::Alice), stage.fund_act().intent());
}

/// Plain payments arrive once.
pub async fn a_payment_is_sent_once(bench: &dyn ChainBench) {
    let stage = Stage::new(bench).await;
    let (id, to) = (fresh_id(), bench.foreign_address().await);
    let act = Act::Send { id, asset: bench.asset(), amount: bench.amount(), to };
    let before = stage.alice.balance(bench.asset()).await.unwrap().available;
    for _ in 0..3 {
        let progress = stage.alice.ensure(&act).await.unwrap();
        assert!(matches!(progress, Progress::Sent { .. }), "{progress:?}");
    }
    stage.finish().await;
    assert_eq!(stage.alice.ensure(&act).await, Ok(Progress::Done));
    let fee = mined_fee(&bench.journal(Who::Alice), act.intent());
    let fee = if bench.asset().token().is_some() { Amount::ZERO } else { fee };
    let after = stage.alice.balance(bench.asset()).await.unwrap().available;
    assert_eq!(after.checked_add(bench.amount()).and_then(|sum| sum.checked_add(fee)), Some(before));
    let nonsense = Act::Send { id: fresh_id(), asset: bench.asset(), amount: bench.amount(), to: "nobody".to_owned() };
    assert!(matches!(stage.alice.ensure(&nonsense).await, Err(PortError::Refused { .. })));
}

// What takes a place to which anybody can pay.

/// Somebody pays too little, or too much: it is said, never credited, and goes back to Alice.
pub async fn a_wrong_amount_is_a_fault_and_never_credited(bench: &dyn OpenBench) {
    for wrong in [bench.amount().units() - 1, bench.amount().units() + 1] {
        let stage = Stage::new(bench).await;
        bench.pay_outside(&stage.lock, Amount::from_units(wrong)).await;
        stage.confirm_blocks().await;
        let view = stage.bobs_view();
        assert_eq!((&view.status, view.faults.as_slice()), (&LockStatus::Absent, &[Fault::WrongAmount][..]));
        assert_eq!(stage.bob.ensure(&stage.redeem()).await, Ok(Progress::NotYet));
        assert_eq!(bench.journal(Who::Bob).len(), 0, "no secret may be shown for it");
        bench.pass_time_until(stage.lock.expiry.opens_time).await;
        stage.poll().await;
        let sent = stage.alice.ensure(&stage.refund()).await.unwrap();
        assert!(matches!(sent, Progress::Sent { .. }), "{sent:?}");
        stage.finish().await;
        assert_eq!(stage.alice.ensure(&stage.refund()).await, Ok(Progress::Done));
        assert_eq!(stage.alices_view().status, LockStatus::Absent);
    }
}

/// Paid twice: one is the lock, the other a fault; the refund brings both home.
pub async fn a_second_funding_is_a_fault_and_the_refund_takes_both(bench: &dyn OpenBench) {
    let stage = Stage::new(bench).await;
    let before = stage.alice.balance(bench.asset()).await.unwrap().available;
    bench.pay_outside(&stage.lock, bench.amount()).await;
    stage.mine(1).await;
    let LockStatus::Pending { txid: first, .. } = stage.bobs_view().status else { panic!("{:?}", stage.bobs_view()) };
    bench.pay_outside(&stage.lock, bench.amount()).await;
    stage.confirm_blocks().await;
    let view = stage.bobs_view();
    assert!(matches!(view.status, LockStatus::Funded { txid, .. } if txid == first), "the first one counts: {view:?}");
    assert_eq!(view.faults, [Fault::FundedTwice]);
    bench.pass_time_until(stage.lock.expiry.opens_time).await;
    stage.poll().await;
    stage.alice.ensure(&stage.refund()).await.unwrap();
    stage.finish().await;
    assert!(matches!(stage.bobs_view().status, LockStatus::Refunded { .. }));
    let fee = mined_fee(&bench.journal(Who::Alice), IntentKey::new(Purpose::Refund, stage.lock.id()));
    let both = bench.amount().checked_mul(2).and_then(|both| both.checked_sub(fee)).unwrap();
    assert_eq!(stage.alice.balance(bench.asset()).await.unwrap().available, before.checked_add(both).unwrap());
}

/// Somebody else's wallet pays the lock: it is funded, and ours does not pay again.
pub async fn an_outside_payment_funds_the_lock(bench: &dyn OpenBench) {
    let stage = Stage::new(bench).await;
    assert!(stage.alice.funding_address(&stage.lock).is_some());
    bench.pay_outside(&stage.lock, bench.amount()).await;
    stage.poll().await;
    assert!(matches!(stage.alice.ensure(&stage.fund_act()).await, Ok(Progress::Sent { .. })));
    stage.mine(1).await;
    assert!(matches!(stage.alice.ensure(&stage.fund_act()).await, Ok(Progress::Mined { depth: 1, .. })));
    stage.confirm().await;
    assert_eq!(bench.journal(Who::Alice).len(), 0);
    stage.redeem_to_the_end().await;
    assert_eq!(bench.journal(Who::Alice).len(), 0);
}
