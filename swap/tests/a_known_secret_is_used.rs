//! A secret that was seen once, wherever, is kept and used, whatever becomes of where it was seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use photon_chains::*;
use photon_swap::*;

fn participant(terms: Terms) -> Swap {
    let mut swap = Swap::new(Role::Participant, terms);
    [Fact::Agreed, Fact::FundIntent].iter().for_each(|fact| swap.apply(fact));
    swap
}

fn redeems_alpha(step: &Step) -> bool {
    step.effects.contains(&Effect { leg: LegName::Alpha, kind: EffectKind::Redeem })
}

fn take_in(swap: &mut Swap, step: &Step) {
    step.facts.iter().for_each(|fact| swap.apply(fact));
}

/// The block that held Beta's redeem is orphaned, and the redeem is in no mempool either. // C27
#[test]
fn a_secret_from_a_block_that_was_orphaned_still_redeems_alpha() {
    for (alpha, beta) in [(Ledger::Bitcoin, Ledger::Ethereum), (Ledger::Smt, Ledger::Litecoin)] {
        let terms = terms(alpha, beta);
        let at = terms.deadlines.reveal_by.minus_secs(1);
        for depth in [0, 1] {
            let mut swap = participant(terms);
            let first = step(&swap, &view(at, funded(), with_spend(funded(), SpendKind::Redeem, depth)));
            assert!(redeems_alpha(&first) && first.facts.contains(&Fact::Secret { secret: secret() }));
            take_in(&mut swap, &first);
            for gone in [funded(), pending(1), pending(0), absent()] {
                assert!(redeems_alpha(&step(&swap, &view(at, funded(), gone.clone()))), "depth {depth}, then {gone:?}");
            }
        }
    }
}

/// The secret reached the Participant by no ledger at all, and Beta is unspent: Alpha is redeemed, and Beta is left alone once
/// Alpha is ours for good. // C28
#[test]
fn a_secret_that_leaked_redeems_alpha_and_beta_is_left_to_its_owner() {
    let terms = terms(Ledger::Bitcoin, Ledger::Ethereum);
    let mut swap = participant(terms);
    swap.apply(&Fact::Secret { secret: secret() });
    let open = terms.beta.lock.expiry.opens_time;
    let before = step(&swap, &view(open.minus_secs(5), funded(), funded()));
    assert_eq!(before.effects, [Effect { leg: LegName::Alpha, kind: EffectKind::Redeem }], "beta is not open");
    let both = step(&swap, &view(open, funded(), funded()));
    assert!(redeems_alpha(&both) && both.effects.len() == 2, "safety first, while alpha is not final: {both:?}");
    let final_alpha = step(&swap, &view(open, redeemed(), funded()));
    assert!(final_alpha.effects.is_empty(), "alpha is ours: beta is hers, {final_alpha:?}");
}

/// Found by the simulator: our Beta stood in a block, the secret came out, our redeem of Alpha was sent; then the block was
/// orphaned and an earlier cancel was mined instead. Whether Alpha comes is not known yet. // C27
#[test]
fn a_swap_is_not_void_while_a_redeem_of_ours_may_be_mined() {
    let terms = terms(Ledger::Bitcoin, Ledger::Litecoin);
    let mut swap = participant(terms);
    [Fact::CancelIntent, Fact::Secret { secret: secret() }].iter().for_each(|fact| swap.apply(fact));
    let at = terms.deadlines.reveal_by.plus_secs(20);
    let ended = |alpha: Sighting| {
        let mut view = view(at, alpha, absent());
        view.beta.cancelled = true;
        let step = step(&swap, &view);
        step.facts.into_iter().find_map(|fact| match fact {
            Fact::Ended { outcome } => Some(outcome),
            _ => None,
        })
    };
    assert_eq!(ended(with_spend(funded(), SpendKind::Redeem, 0)), None);
    assert_eq!(ended(with_spend(funded(), SpendKind::Redeem, 1)), None);
    assert_eq!(ended(redeemed()), Some(Outcome::Completed));
    assert_eq!(ended(funded()), Some(Outcome::Void));
    assert_eq!(ended(refunded()), Some(Outcome::Void));
}

/// A chain that stands still while its clock runs on robs nobody: Alpha's refund also waits for its block. // C18
#[test]
fn a_halted_alpha_is_not_open_before_its_block() {
    let terms = terms(Ledger::Smt, Ledger::Bitcoin);
    let expiry = &terms.alpha.lock.expiry;
    let mut swap = Swap::new(Role::Initiator, terms);
    [Fact::Agreed, Fact::FundIntent, Fact::NeverReveal].iter().for_each(|fact| swap.apply(fact));
    let late = expiry.opens_time.plus_secs(7_200);
    let mut halted = view(late, funded(), absent());
    halted.alpha.tip = Some(tip(late, expiry.opens_block.minus(1)));
    assert!(step(&swap, &halted).effects.is_empty());
    halted.alpha.tip = Some(tip(late, expiry.opens_block));
    assert_eq!(step(&swap, &halted).effects, [Effect { leg: LegName::Alpha, kind: EffectKind::Refund }]);
}
