//! Who steps a swap only when something about it changed or a bound of [`wake`] is reached decides as if it looked all the
//! time. A wake that comes too late would be a missed deadline, so this is a promise about money. // H6
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::*;
use photon_swap::*;
use proptest::prelude::*;

/// What a ledger shows of a lock, before it is known how deep that lies.
#[derive(Copy, Clone, Debug)]
enum Shown {
    Blind,
    Absent,
    Pooled,
    Pending,
    Funded,
    Redeemed,
    Refunded,
}

/// One ledger's side of a view: what it shows, in blocks so far below the first tip, and how it is.
#[derive(Clone, Debug)]
struct Side {
    shown: Shown,
    below: u64,
    spend: Option<(SpendKind, Option<u64>)>,
    knows_secret: bool,
    fault: Option<Fault>,
    healthy: bool,
    cancelled: bool,
    swept: bool,
    has_tip: bool,
}

#[derive(Clone, Debug)]
struct Clocks {
    now: u64,
    alpha: (u64, u64),
    beta: (u64, u64),
}

#[derive(Clone, Debug)]
struct Scene {
    swap: Swap,
    alpha: Side,
    beta: Side,
    may_risk: bool,
}

fn ledgers() -> impl Strategy<Value = (Ledger, Ledger)> {
    let all = [Ledger::Bitcoin, Ledger::Litecoin, Ledger::Ethereum, Ledger::Smt];
    let pairs: Vec<_> = all.into_iter().flat_map(|alpha| all.into_iter().map(move |beta| (alpha, beta))).collect();
    proptest::sample::select(pairs.into_iter().filter(|(alpha, beta)| alpha != beta).collect::<Vec<_>>())
}

fn facts() -> impl Strategy<Value = Facts> {
    (any::<[bool; 6]>()).prop_map(|[agreed, fund, cancel, reveal, never, known]| Facts {
        agreed,
        fund_intent: fund,
        cancel_intent: cancel,
        reveal_intent: reveal,
        never_reveal: never,
        secret: known.then(secret),
        ended: None,
    })
}

fn side() -> impl Strategy<Value = Side> {
    use Shown::*;
    let shown = prop_oneof![
        1 => Just(Blind), 2 => Just(Absent), 2 => Just(Pooled), 2 => Just(Pending), 5 => Just(Funded), 1 => Just(Redeemed), 1 => Just(Refunded)
    ];
    let kind = prop_oneof![Just(SpendKind::Redeem), Just(SpendKind::Refund)];
    let spend = proptest::option::weighted(0.3, (kind, proptest::option::of(0u64..5)));
    let faults = [Fault::WrongAmount, Fault::FundedTwice, Fault::WrongCode, Fault::LockedAgain];
    let fault = proptest::option::weighted(0.2, proptest::sample::select(faults.to_vec()));
    let rare = || proptest::bool::weighted(0.15);
    let often = || proptest::bool::weighted(0.9);
    (shown, 0u64..12, spend, rare(), fault, often(), rare(), rare(), often()).prop_map(
        |(shown, below, spend, knows_secret, fault, healthy, cancelled, swept, has_tip)| Side {
            shown,
            below,
            spend,
            knows_secret,
            fault,
            healthy,
            cancelled,
            swept,
            has_tip,
        },
    )
}

/// A swap of any pair and role, with more confirmations agreed than a ledger relies on now and then.
fn scene() -> impl Strategy<Value = Scene> {
    let role = prop_oneof![Just(Role::Initiator), Just(Role::Participant)];
    let more = (0u32..8, 0u32..8);
    (ledgers(), role, facts(), more, side(), side(), proptest::bool::weighted(0.9)).prop_map(
        |((alpha, beta), role, facts, more, on_alpha, on_beta, may_risk)| {
            let mut terms = terms(alpha, beta);
            terms.alpha.confirmations += more.0;
            terms.beta.confirmations += more.1;
            let mut swap = Swap::new(role, terms);
            swap.facts = facts;
            Scene { swap, alpha: on_alpha, beta: on_beta, may_risk }
        },
    )
}

/// Every time at which something of the terms happens, and the seconds around it.
fn times(terms: &Terms) -> Vec<u64> {
    let times = &terms.deadlines;
    let length = terms.alpha.lock.expiry.opens_time.secs_since(times.agreed_at);
    let opens = [terms.alpha.lock.expiry.opens_time, terms.beta.lock.expiry.opens_time];
    let ends = opens.map(|time| time.plus_secs(length));
    let all = [times.agreed_at, times.fund_alpha_by, times.fund_beta_by, times.reveal_by].into_iter().chain(opens).chain(ends);
    all.flat_map(|time| [time.secs() - 1, time.secs(), time.secs() + 1, time.secs() + 2]).collect()
}

fn heights(terms: &Terms) -> Vec<u64> {
    let opens = [terms.alpha.lock.expiry.opens_block.get(), terms.beta.lock.expiry.opens_block.get()];
    let all = [HEIGHT.get()].into_iter().chain(opens.into_iter().filter(|height| *height > HEIGHT.get()));
    all.flat_map(|height| (height.saturating_sub(2)..height + 10).collect::<Vec<_>>()).collect()
}

/// A scene, a moment, and a later moment. Clocks move on their own, often from one bound to the next.
fn two_moments() -> impl Strategy<Value = (Scene, Clocks, Clocks)> {
    scene().prop_flat_map(|scene| {
        let (times, heights) = (times(&scene.swap.terms), heights(&scene.swap.terms));
        let clocks = any::<[proptest::sample::Index; 5]>().prop_map(move |pick| {
            let [now, alpha, beta] = [0, 1, 2].map(|n: usize| *pick[n].get(&times));
            Clocks { now, alpha: (alpha, *pick[3].get(&heights)), beta: (beta, *pick[4].get(&heights)) }
        });
        let step = || prop_oneof![3 => Just(0u64), 3 => 1u64..4, 1 => 4u64..200];
        let moved = (step(), (step(), step()), (step(), step()));
        (Just(scene), clocks, moved).prop_map(|(scene, first, (now, alpha, beta))| {
            let later = Clocks {
                now: first.now + now,
                alpha: (first.alpha.0 + alpha.0, first.alpha.1 + alpha.1),
                beta: (first.beta.0 + beta.0, first.beta.1 + beta.1),
            };
            (scene, first, later)
        })
    })
}

fn leg_at(side: &Side, first: (u64, u64), now: (u64, u64)) -> LegView {
    let place = |below: u64| BlockRef { height: BlockHeight::new(first.1 - below), hash: hash(below as u8) };
    let depth = |below: u64| place(below).height.depth_at(BlockHeight::new(now.1));
    let at = place(side.below);
    // A ledger that was never seen shows nothing.
    let shown = if side.has_tip { side.shown } else { Shown::Blind };
    let status = match shown {
        Shown::Blind => None,
        Shown::Absent => Some(LockStatus::Absent),
        Shown::Pooled => Some(LockStatus::Pending { txid: txid(1), depth: 0 }),
        Shown::Pending => Some(LockStatus::Pending { txid: txid(1), depth: depth(side.below) }),
        Shown::Funded => Some(LockStatus::Funded { txid: txid(1), at, depth: depth(side.below) }),
        Shown::Redeemed => Some(LockStatus::Redeemed { txid: txid(2), at }),
        Shown::Refunded => Some(LockStatus::Refunded { txid: txid(3), at }),
    };
    let spend = side.spend.map(|(kind, below)| Spend { kind, txid: txid(4), depth: below.map_or(0, depth) });
    let sighting = status.map(|status| {
        let stands = matches!(status, LockStatus::Pending { .. } | LockStatus::Funded { .. });
        let spend = spend.filter(|_| stands);
        Sighting { status, spend, secret: side.knows_secret.then(secret), faults: side.fault.into_iter().collect() }
    });
    let tip = Tip {
        block: BlockRef { height: BlockHeight::new(now.1), hash: hash(now.1 as u8) },
        time: UnixTime::from_secs(now.0),
        lock_clock: UnixTime::from_secs(now.0),
    };
    LegView { tip: side.has_tip.then_some(tip), healthy: side.healthy, sighting, cancelled: side.cancelled, swept: side.swept }
}

fn view_at(scene: &Scene, first: &Clocks, now: &Clocks) -> View {
    View {
        now_lo: UnixTime::from_secs(now.now - 1),
        now_hi: UnixTime::from_secs(now.now + 1),
        alpha: leg_at(&scene.alpha, first.alpha, now.alpha),
        beta: leg_at(&scene.beta, first.beta, now.beta),
        facts: scene.swap.facts.clone(),
        may_risk: scene.may_risk,
    }
}

fn shows_another(before: &View, after: &View) -> bool {
    [(&before.alpha, &after.alpha), (&before.beta, &after.beta)].into_iter().any(|(before, after)| {
        match (&before.sighting, &after.sighting) {
            (Some(before), Some(after)) => after.differs(before),
            (None, None) => false,
            (None, Some(_)) | (Some(_), None) => true,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, max_global_rejects: 1_000_000, ..ProptestConfig::default() })]

    /// The promise. The same facts, the same sightings but for their depth, no bound reached: the same step.
    #[test]
    fn no_step_differs_before_the_wake((scene, first, later) in two_moments()) {
        let (before, after) = (view_at(&scene, &first, &first), view_at(&scene, &first, &later));
        prop_assert!(!shows_another(&before, &after), "only depths, clocks and heights move here");
        let wake = wake(&scene.swap, &before);
        prop_assert!(!wake.is_due(&before), "what was stepped is not due at once");
        if !wake.is_due(&after) {
            prop_assert_eq!(step(&scene.swap, &before), step(&scene.swap, &after));
        }
    }

    /// It would be no use to be woken at every second: a quiet swap is woken a few times in its life.
    #[test]
    fn a_quiet_swap_is_woken_a_few_times_in_its_life(scene in scene()) {
        let start = NOW.secs();
        let first = Clocks { now: start, alpha: (start, HEIGHT.get()), beta: (start, HEIGHT.get()) };
        let mut seen = view_at(&scene, &first, &first);
        let mut bounds = wake(&scene.swap, &seen);
        let mut woken = 0;
        for secs in 0..600 {
            let now = Clocks { now: start + secs, alpha: (start + secs, HEIGHT.get() + secs), beta: (start + secs, HEIGHT.get() + secs) };
            let view = view_at(&scene, &first, &now);
            if bounds.is_due(&view) {
                woken += 1;
                seen = view;
                bounds = wake(&scene.swap, &seen);
            }
        }
        prop_assert!(woken <= 16, "woken {woken} times");
    }
}

#[test]
fn a_swap_whose_ledger_was_not_seen_yet_is_woken_by_the_first_tip() {
    let swap = Swap::new(Role::Initiator, terms(Ledger::Bitcoin, Ledger::Ethereum));
    let mut blind = view(NOW, absent(), absent());
    blind.beta.tip = None;
    let bounds = wake(&swap, &blind);
    assert!(!bounds.is_due(&blind));
    assert!(bounds.is_due(&view(NOW, absent(), absent())));
}

#[test]
fn the_very_second_after_each_deadline_wakes() {
    let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
    let swap = Swap::new(Role::Initiator, terms);
    for deadline in [terms.deadlines.fund_alpha_by, terms.deadlines.fund_beta_by, terms.deadlines.reveal_by] {
        let bounds = wake(&swap, &view(deadline.minus_secs(1), absent(), absent()));
        assert!(!bounds.is_due(&view(deadline, absent(), absent())), "until the deadline it may be done");
        assert!(bounds.is_due(&view(deadline.plus_secs(1), absent(), absent())));
    }
}

#[test]
fn a_ledgers_clock_past_the_reveal_or_an_expiry_wakes() {
    let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
    let swap = Swap::new(Role::Initiator, terms);
    let quiet = view(NOW, absent(), absent());
    for leg in [LegName::Alpha, LegName::Beta] {
        let opens = terms.leg(leg).lock.expiry.opens_time;
        for bound in [terms.deadlines.reveal_by.plus_secs(1), opens] {
            let at = |time: UnixTime| {
                let mut view = quiet.clone();
                let seen = if leg == LegName::Alpha { &mut view.alpha } else { &mut view.beta };
                seen.tip = Some(tip(time, HEIGHT));
                view
            };
            assert!(wake(&swap, &at(bound.minus_secs(1))).is_due(&at(bound)), "{leg} {bound}");
        }
    }
}

#[test]
fn a_lock_wakes_in_the_very_block_that_makes_it_deep_enough_or_open() {
    let mut terms = terms(Ledger::Bitcoin, Ledger::Litecoin);
    terms.alpha.confirmations = 6;
    let mut swap = Swap::new(Role::Participant, terms);
    swap.apply(&Fact::Agreed);
    let at = |depth: u32| {
        let status = LockStatus::Funded { txid: txid(1), at: block(1), depth };
        let mut view = view(NOW, seen(status), absent());
        view.alpha.tip = Some(tip(NOW, block(1).height.plus(u64::from(depth) - 1)));
        view
    };
    let bounds = wake(&swap, &at(2));
    assert!((3..6).all(|depth| !bounds.is_due(&at(depth))));
    assert!(bounds.is_due(&at(6)));
    assert_ne!(step(&swap, &at(5)), step(&swap, &at(6)), "there it may fund");
}

#[test]
fn depth_alone_is_no_news_but_where_it_counts_it_is() {
    let at = |depth| seen(LockStatus::Funded { txid: txid(1), at: block(1), depth });
    assert!(!at(9).differs(&at(2)));
    assert!(!pending(2).differs(&pending(1)));
    assert!(pending(1).differs(&pending(0)) && pending(0).differs(&pending(1)), "into a block, and out of it again");
    assert!(funded().differs(&pending(1)) && redeemed().differs(&funded()));
    assert!(with_spend(funded(), SpendKind::Redeem, 0).differs(&funded()));
    assert!(with_spend(funded(), SpendKind::Refund, 1).differs(&with_spend(funded(), SpendKind::Refund, 0)));
    assert!(!with_spend(funded(), SpendKind::Refund, 5).differs(&with_spend(funded(), SpendKind::Refund, 1)));
    let moved = seen(LockStatus::Funded { txid: txid(1), at: block(7), depth: 2 });
    assert!(moved.differs(&funded()), "another block after a reorganisation");
    assert!(with_fault(funded(), Fault::WrongCode).differs(&funded()));
    let mut told = funded();
    told.secret = Some(secret());
    assert!(told.differs(&funded()));
}
