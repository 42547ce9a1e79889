//! The legal moves of a swap, checked as the graph they are. That no swap makes another move is checked by the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use photon_swap::Phase;
use photon_swap::Phase::*;
use std::collections::HashSet;

const ALL: [Phase; 16] = [
    Proposed,
    Agreed,
    AlphaPending,
    AlphaFunded,
    BetaPending,
    BetaFunded,
    Redeeming,
    Cancelling,
    WaitingForRefund,
    Refunding,
    Blind,
    Completed,
    Refunded,
    Void,
    Lost,
    TookBoth,
];

fn reached_from(start: Phase) -> HashSet<Phase> {
    let mut reached = HashSet::new();
    let mut open = vec![start];
    while let Some(from) = open.pop() {
        open.extend(ALL.into_iter().filter(|to| Phase::may_follow(from, *to) && reached.insert(*to)));
    }
    reached
}

#[test]
fn every_phase_is_reached_and_leads_to_an_end() {
    let from_start = reached_from(Proposed);
    for phase in ALL {
        assert!(phase == Proposed || from_start.contains(&phase), "nothing leads to {phase}");
        let ends = reached_from(phase).into_iter().any(Phase::is_terminal);
        assert_eq!(ends, !phase.is_terminal(), "{phase}");
    }
}

#[test]
fn nothing_follows_an_end_and_nothing_follows_itself() {
    for from in ALL {
        assert!(!Phase::may_follow(from, from), "{from} is no move");
        assert!(!Phase::may_follow(from, Proposed), "nobody unsigns");
        for to in ALL {
            assert!(!(from.is_terminal() && Phase::may_follow(from, to)), "{from} was followed by {to}");
        }
    }
}

#[test]
fn once_the_secret_is_out_nothing_leads_back() {
    let before = [Agreed, AlphaPending, AlphaFunded, BetaPending, BetaFunded, Cancelling];
    for to in before {
        assert!(!Phase::may_follow(Redeeming, to), "{to}");
    }
    // A swap whose secret is out is void only for a participant whose funding was orphaned, and made impossible, after that.
    let completed_by = ALL.into_iter().filter(|from| Phase::may_follow(*from, Completed)).collect::<Vec<_>>();
    // Over two linked legs it is for whom the registry's one entry is good that was away meanwhile, or waited for its own.
    let linked = [AlphaFunded, BetaPending, BetaFunded];
    let after = [Redeeming, WaitingForRefund, Refunding, Blind];
    assert_eq!(completed_by, [&linked[..], &after].concat(), "nothing is completed that was not redeemed");
}

#[test]
fn every_phase_has_a_word_of_its_own() {
    let words: HashSet<_> = ALL.into_iter().map(Phase::word).collect();
    assert_eq!(words.len(), ALL.len());
    for phase in ALL {
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.word());
    }
}
