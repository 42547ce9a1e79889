//! Every check and margin that keeps money safe, by name.
//!
//! Each name is asked at the very place where its check or margin acts. In the program that is all there is to it: a check
//! always holds, a margin is always full, and the compiler leaves nothing of the question. Only a build with the feature
//! `switches`, which this crate's own tests alone turn on, can weaken one of them, for one thread and for the length of one
//! call: so the simulator and the model show, in one build, what each of them is good for.
//!
//! Not every name can lose money alone: where two of them guard the same thing, the line says which other one still holds.

macro_rules! guards {
    ($($(#[$doc:meta])+ $name:ident: $rows:literal,)+) => {
        /// A check or a margin. The rows are those of the threat table.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Guard {
            $($(#[$doc])+ $name,)+
        }

        impl Guard {
            /// Every one of them.
            pub const ALL: &'static [Guard] = &[$(Guard::$name,)+];

            /// Its name.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Guard::$name => stringify!($name),)+
                }
            }

            /// The threats that it answers.
            pub const fn rows(self) -> &'static str {
                match self {
                    $(Guard::$name => $rows,)+
                }
            }
        }
    };
}

guards! {
    // What is signed.
    /// Both legs open with one hash. Without it the Initiator would show a secret that opens nothing for it.
    OneHash: "A1, A2",
    /// The hash is not one that anybody can open. The contracts refuse such a lock too, and only the Initiator would lose by it.
    DegenerateHash: "A3",
    /// The taker's own hash is in the terms: with another one the maker could take Alpha alone.
    OwnHash: "A2, B12",
    /// Assets and amounts are those of the offer, to the last unit.
    OfferedMoney: "B1, B2, B14",
    /// Our key or account is named where our money comes back, and where the counterparty's comes to us.
    OwnKeys: "B3, B12",
    /// The legs lie on the networks of our own nodes. A lock on another one is never seen, so nothing is risked for it.
    OwnNetwork: "B8",
    /// The script or contract is our own.
    OwnTemplate: "B5, D1, D13",
    /// Depth and decimals are our own. A lock counts as funded at the depth that our own node demands, whatever the terms say.
    OwnFigures: "B2, C1, G8",
    /// No margin is shorter than we compute it ourselves.
    DraftMargins: "B4, G8",
    /// Our money is not locked for longer than our owner lets it, by time.
    LongestLock: "G8",
    /// Alpha's refund waits for a block that our own node expects.
    DraftRefundBlock: "B4, G8",
    /// The terms are dated by our own clock, within the skew. Every margin is counted from their date, so that a wrong one
    /// only shortens the time to fund Alpha, which [`Guard::FundBy`] ends.
    DraftDate: "B9, F6",

    // The schedule.
    /// The least time from `reveal_by` to Beta's expiry, as a whole.
    RevealWindow: "C4, C6",
    /// The least time from Beta's expiry to Alpha's, as a whole.
    Gap: "C4, C9",
    /// The allowance for being away, wherever it is counted.
    AllowOffline: "F8",
    /// The allowance for clocks that differ. It is small beside the others, and [`Guard::RevealBy`] is judged by the latest
    /// of our clocks plus the same skew.
    AllowSkew: "F6",
    /// The allowance for a transaction that is mined, reorganised away once, and mined again.
    AllowSettle: "C4, C7",
    /// The allowance for miners who date their blocks ahead. The six blocks that a median of times gives for free hide it where
    /// blocks come fast.
    AllowEarly: "C15",
    /// The allowance for a chain that halts while its clock runs on.
    AllowHalt: "C18",
    /// The allowance for a redeem of Beta that comes after its expiry.
    AllowLate: "C15, C17",
    /// On the EVM Beta can't be redeemed any more when its refund opens.
    BetaCloses: "C17, D16",
    /// On the EVM Alpha's refund waits for a block too, so that a halt does not rob the Participant.
    RefundBlock: "C18, C19",
    /// On the EVM a forgotten funding can't be mined late. [`Guard::CancelBeta`] keeps the same danger away.
    LockBy: "C14",

    // Before our money goes out.
    /// The Participant funds Beta only against an Alpha that stands.
    AlphaFirst: "B6",
    /// ... at the depth agreed.
    AlphaDepth: "B7, C1, C2",
    /// Nothing is funded after its deadline. Late money is never the counterparty's for free, it only waits for its refund:
    /// what would be dangerous is prevented by [`Guard::AlphaFirst`], [`Guard::ChainClock`] and [`Guard::CancelBeta`].
    FundBy: "C14, H15",
    /// Nothing but our own intent is at the lock's place before we fund it. Ports ask the ledger once more before they send.
    CleanPlace: "A6, C21",
    /// The code at the contract's address is the one agreed, and no lock was made there twice.
    RightCode: "B5, D1, D2",
    /// Nothing that would spend the counterparty's lock is in sight. Before its expiry only a redeem can be, and with that
    /// the secret is out and nothing new is begun anyway.
    NoSpendInSight: "C1, C3",
    /// Nothing new is begun with a node that is ill: stale, on another chain, or in disagreement with a second one.
    NodesWell: "C25, F1, F2, F5",
    /// Nothing new is begun without the fees for our own redeem and refund, or with a failing disk.
    Reserves: "C7, F7",
    /// Nothing new is begun where a ledger's clock has run past `reveal_by`. Our own clock says the same within its skew,
    /// [`Guard::RevealBy`] and [`Guard::FundBy`].
    ChainClock: "C15, F6",

    // Before the secret goes out.
    /// The secret is shown only against a Beta at the depth agreed.
    BetaDepth: "B7, C1, C3",
    /// ... while our own Alpha stands at its depth. For the counterparty's sake: without Alpha we lose nothing.
    OwnDepth: "C2",
    /// ... and is not open for our own refund. [`Guard::RevealBy`] lies well before.
    OwnClosed: "C6",
    /// The secret is not shown after `reveal_by`.
    RevealBy: "C6, H15",
    /// Once it was too late to show the secret, it is too late for ever, whatever the clock says then.
    NeverReveal: "C6, F6, F10",
    /// A redeem that no block can hold any more is not sent: it would give the secret away for nothing. Who is away no longer
    /// than promised has redeemed before, by [`Guard::RevealWindow`].
    NotWhenClosed: "C6",

    // What is durable before it is done.
    /// That the secret may be out.
    RevealIntent: "F8",
    /// That money may be on its way.
    FundIntent: "F8",
    /// That our funding is being made impossible. Whether it should be is found out again at each look.
    CancelIntent: "F8",

    // Duties.
    /// An unmined Beta is made impossible from `reveal_by` on.
    CancelBeta: "C14",
    /// An unmined Beta is made impossible when Alpha is gone, which no reorganisation that we allow for can bring about:
    /// [`Guard::AlphaDepth`].
    CancelWithoutAlpha: "C2",
    /// An unmined Alpha is made impossible when it has become useless. It loses only time.
    CancelAlpha: "C14",
    /// A funding is impossible only when what made it so is at final depth.
    CancelFinal: "C14",
    /// A secret counts from a mempool too.
    SecretFromMempool: "C9, C10",
    /// A secret once seen is never forgotten, whatever becomes of the block that held it. A redeem that costs us Beta shows it
    /// again, and then [`Guard::Gap`] leaves the time.
    SecretKept: "C9, C27",
    /// Redeeming goes on until a spend is at final depth.
    RedeemFinal: "C4, C5, C12",
    /// Redeeming is not given up when the expiry has passed. The margins bring it to its end before; this is for who was
    /// away longer than promised.
    RedeemAlive: "C4, C9",
    /// Refunding goes on until a spend is at final depth.
    RefundFinal: "C5, C9, C12",
    /// Our lock is taken back when it opens although the secret may be out: safety first.
    RefundAfterReveal: "C3, C28",
    /// Who has one leg for good leaves the other one alone: for the sake of a counterparty that broke its own deadlines.
    NeverBoth: "C28",
    /// Money of ours that lies beside a lock is taken back before a swap is put away.
    StraySwept: "A6, B1",
}

#[cfg(not(feature = "switches"))]
impl Guard {
    /// True: the check acts.
    pub(crate) const fn holds(self) -> bool {
        true
    }

    /// The margin, in full.
    pub(crate) const fn keeps(self, margin: u64) -> u64 {
        margin
    }
}

impl Guard {
    /// Whether what this check demands is so.
    pub(crate) fn demands(self, is_so: bool) -> bool {
        is_so || !self.holds()
    }

    /// Whether this check refuses, something being wrong.
    pub(crate) fn refuses(self, is_wrong: bool) -> bool {
        is_wrong && self.holds()
    }
}

#[cfg(feature = "switches")]
pub use switches::{Mutation, switched};

#[cfg(feature = "switches")]
mod switches {
    use super::Guard;
    use std::cell::Cell;

    /// How a guard is weakened.
    #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Mutation {
        /// As if it were not there.
        Removed,
        /// A margin or a depth half as large.
        Halved,
    }

    thread_local! {
        static SWITCHED: Cell<Option<(Guard, Mutation)>> = const { Cell::new(None) };
    }

    struct Restore(Option<(Guard, Mutation)>);

    impl Drop for Restore {
        fn drop(&mut self) {
            SWITCHED.set(self.0);
        }
    }

    /// Runs `work` on this thread with that guard weakened, and with every guard whole if it is none.
    pub fn switched<T>(weak: Option<(Guard, Mutation)>, work: impl FnOnce() -> T) -> T {
        let _restore = Restore(SWITCHED.replace(weak));
        work()
    }

    impl Guard {
        fn mutation(self) -> Option<Mutation> {
            SWITCHED.get().filter(|(guard, _)| *guard == self).map(|(_, mutation)| mutation)
        }

        pub(crate) fn holds(self) -> bool {
            self.mutation().is_none()
        }

        pub(crate) fn keeps(self, margin: u64) -> u64 {
            match self.mutation() {
                None => margin,
                Some(Mutation::Halved) => margin / 2,
                Some(Mutation::Removed) => 0,
            }
        }
    }
}
