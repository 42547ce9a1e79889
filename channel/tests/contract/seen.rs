//! What the calls of all sequences came to, and how often.

use crate::evm::Rules;
use photon_channel::contract::Revert::{self, *};
use std::collections::BTreeMap;

/// How often each call ended in each way.
#[derive(Default)]
pub struct Seen(BTreeMap<(&'static str, Option<Revert>), usize>);

impl Seen {
    pub fn note(&mut self, name: &'static str, refused: Option<Revert>) {
        *self.0.entry((name, refused)).or_default() += 1;
    }

    /// Every call was taken, and refused for every reason there is, so many times at least: a generator that reaches less tests
    /// less.
    pub fn must_be_wide(&self, rules: Rules, least: usize) {
        for ((name, refused), count) in &self.0 {
            println!("{name:18} {refused:?} {count}");
        }
        // The token that takes permits needs today's rules.
        let permits = [("deposit after a permit", [].as_slice())];
        let permits = permits.iter().filter(|_| rules == Rules::Prague);
        for (name, reasons) in REASONS.iter().chain(permits) {
            for outcome in reasons.iter().copied().map(Some).chain([None]) {
                let times = self.0.get(&(*name, outcome)).copied().unwrap_or_default();
                assert!(times >= least, "{name} came to {outcome:?} {times} times, not {least}");
            }
        }
    }
}

/// Why each call can be refused.
const REASONS: &[(&str, &[Revert])] = &[
    ("deposit", &[NotOpen, BadAmount, NotReceivedInFull]),
    ("withdraw", &[NotOpen, DeadlinePassed, BadSignature, BadAmount]),
    ("cooperativeClose", &[NotOpen, DeadlinePassed, BadSignature, BadAmount]),
    ("close", &[NotOpen, NotNewer, BadSignature, BadList, LockClosed]),
    ("update", &[NotThisState, WindowOver, NotNewer, BadSignature]),
    ("updateFor", &[BadRights, DeadlinePassed, BadSignature, NotThisState, WindowOver, NotNewer]),
    ("unlock", &[LockClosed, BadList, NotThisState]),
    ("unlockFor", &[BadRights, BadSignature, LockClosed, BadList]),
    ("unlockLate", &[NotThisState, WindowOpen, BadRights, BadSignature, LockClosed, BadList]),
    ("release", &[NotThisState, WindowOpen, LockStands, BadSignature, BadList]),
    ("punish", &[NotThisState, BadSignature, BadList, NotTaken]),
    ("settle", &[NotThisState, WindowOpen, NothingToPay]),
    ("collect", &[NothingToPay, TransferFailed]),
    ("deposit by ERC223", &[]),
    ("deposit by ApproveAndCall", &[]),
    ("deposit after a permit that was refused", &[]),
    ("reentry", &[WindowOpen, WindowOver, BadSignature, BadList]),
];
