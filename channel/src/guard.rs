//! Every check, margin and duty that keeps a channel's money safe, by name.
//!
//! Each name is asked at the very place where its check acts. In the program that is all there is to it: a check always holds, a
//! margin is always full, and the compiler leaves nothing of the question. Only a build with the feature `switches`, which this
//! crate's own tests alone turn on, can weaken one of them, for one thread and for the length of one call: so the simulator and
//! the model show, in one build, what each of them is good for. Mallory's own node runs there without the check that she breaks.
//!
//! Not every name can lose money alone: where two of them guard the same thing, the line says which other one still holds.

macro_rules! guards {
    ($($(#[$doc:meta])+ $name:ident: $rows:literal,)+) => {
        /// A check, a margin or a duty. The rows are those of the threat table.
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
    // What is taken of a counterparty.
    /// An update that was taken is answered, not applied again.
    UpdateOnce: "V9",
    /// An update whose predecessor is missing waits.
    UpdateInOrder: "V9",
    /// Nothing is taken once a close is signed or seen: what is paid then is not paid.
    UpdateWhileOpen: "E9, E12",
    /// A batch has so many operations. [`crate::Reader`] reads no more.
    UpdateBounded: "V13",
    /// The balance proof is the payer's: what is not signed can't be shown to the contract.
    PayerSigned: "V2, I5",
    /// A payer promises no more than it has.
    Covered: "V6, I3",
    /// Nothing is no amount. It costs nobody anything.
    SomeAmount: "V6",
    /// A lock closes by itself or is judged by the registry alone, so that an old proof with it is worth nothing.
    LockWord: "E7, I11",
    /// Not a hash that anyone can open: only its payer would lose by it.
    SecretHashSound: "M5",
    /// A payer uses no hash twice in a channel. A disposal names one lock, so that a second one is not struck or punished with it.
    HashFree: "E7, E21",
    /// So many locks and no more. [`crate::Commitment`] makes no proof of more.
    MostLocks: "E18, I14",
    /// An unlock shows the lock's own secret. Only its payer could give money away by another.
    RightSecret: "M5",
    /// A lock is not taken back before its end.
    Ended: "E19, I12",
    /// A lock whose secret was registered in time is not taken back.
    InTime: "E19, I12",
    /// Only a lock that its payee signed away is struck.
    Struck: "E14",
    /// The disposal is the payee's.
    DisposalSigned: "E14",
    /// A lock once signed away is not used any more, whatever is learned.
    DisposalKept: "E20",
    /// So many locks are signed away in one life of a channel, and no more. It bounds memory alone.
    MostDisposed: "I14",

    // What is signed.
    /// Nothing is signed before both sides have compared what they have.
    InStep: "E17",
    /// Who is shown a later word of its own than it remembers signs nothing any more.
    ShownAhead: "E17, I2",
    /// That nothing but the counterparty's own updates was forgotten only the counterparty says: it is believed where no lock of its
    /// is pending. Else a lie would keep a mediator from claiming one.
    SaidAhead: "E14, E17",
    /// A copy that says of itself that it is one, a channel that is older than its database, and what a backup knows more of are old
    /// before anybody is met.
    KnownOld: "E17",
    /// What is shown counts only where its payer has signed it, with the list that it comes with.
    Testified: "E17, V2",
    /// A later word of the counterparty's is taken only where it gives no less than what is remembered.
    NoLess: "E17",
    /// A later word that is shown brings back no lock that has ended: the history has one end of each, and the store no place for
    /// two.
    EndedOnce: "E17, V13",
    /// Who has forgotten claims no lock that it does not remember to have claimed before: it may have signed it away, and would
    /// forfeit all that it has in the channel.
    ClaimRemembered: "E14, E17",
    /// Who has forgotten signs no lock away: one of its own that it does not know of may hang on it.
    DisposeRemembered: "E14, E17, V5",
    /// A payment of an old copy that may have been made since is not made again before the counterparty has shown what it holds.
    MadeOnce: "E17",
    /// Nothing is signed once a close is signed or seen.
    SignWhileOpen: "E9, E12, V8",
    /// So many updates may be under way. It bounds memory alone.
    MostUnacked: "V13",
    /// What is being taken out is not promised.
    Leaving: "E9, V8",

    // What is mediated, and what is received.
    /// A payee takes no second lock with one hash in a channel, for its payer's sake. See [`Guard::HashFree`].
    HashUsed: "E7, E21",
    /// No lock is taken that lasts longer than the owner lets money wait. It bounds how long, never whose the money is.
    LongestLock: "I14",
    /// So many locks of one neighbour, and so many of one's own: a neighbour would sign away the next one. What the contract can
    /// unlock bounds them besides.
    LimitLocks: "E18, I14",
    /// So much money of one neighbour. It bounds how much waits, never whose it is.
    LimitPending: "I13, I14",
    /// A request is not paid by less.
    RequestAmount: "I4",
    /// A sealed secret opens for the payer's amount alone, so that no mediator keeps a part of it.
    SealedAmount: "I4",
    /// A payee takes a lock only with the time left in which it can register the secret.
    TakeInTime: "E2, I12",
    /// A mediator sends on for no less than its fee.
    Fee: "V12",
    /// A mediator's incoming lock ends so much later than its outgoing one.
    HopSlack: "E2, E15, V5",
    /// A mediator sends on only what leaves time to be paid. What comes late goes back, or [`Guard::HopSlack`] leaves the time.
    ForwardInTime: "E2",
    /// A mediator sends on in the money that it gets.
    SameToken: "E15",
    /// A mediator sends on only what its channel has. [`Guard::Covered`] says the same when it is signed.
    ForwardFunds: "V6",
    /// An incoming lock is not signed away while an outgoing one hangs on its hash.
    DisposeUnhung: "V5, I8",
    /// Only what was earned is claimed: a lock that was not sent on goes back. For its payer's sake alone.
    ClaimEarned: "I4",
    /// A payer pays no more than its owner allows.
    MostFee: "V12",

    // What goes on while the chain is out of sight.
    /// No more is taken unseen than the owner allows: the channel may have been closed by an older word. It bounds what that costs.
    UnseenLimit: "E11",
    /// No lock is begun that may need the chain before it ends.
    UnseenLock: "E11, E12",
    /// No close and no withdrawal is consented to: the channel may not be what it was.
    UnseenConsent: "E9, E12",

    // What becomes due.
    /// A lock that is to go onward waits for a neighbour that is away for a moment, and no longer.
    ReturnSoon: "I12",
    /// Near its end a lock is not paid on a secret shown by a neighbour. [`Guard::HopSlack`] leaves the time to claim it further up.
    PayEarly: "E2",
    /// ... but on a registration at depth. See above: whatever is learned by its end can be claimed further up.
    PayDeep: "E2, E19",
    /// A payer takes a lock back a little after its end, so that the payee sees it too. An update that comes sooner is sent again.
    ExpirePatience: "E19",
    /// A secret is registered so long before the lock's end.
    RegisterInTime: "E2, E16, I12",
    /// ... again and again until it is there at depth.
    RegisterDeep: "E19, I12",
    /// What a neighbour may have missed is said again.
    SayAgain: "V10",
    /// A consent is dead only when its deadline lies below the depth that is relied on.
    ConsentDead: "E9, V8",

    // What both agree on.
    /// A close is signed only when nothing is pending or under way.
    Quiet: "E9, V8",
    /// A close counts only of the state that this side knows. The signature is of that state too.
    CloseSame: "E9",
    /// The counterparty's signature of a close is checked. The contract checks it again.
    CloseSigned: "E6",
    /// Nothing is consented to that takes out more than is free.
    TakeOutCovered: "E9",
    /// A withdrawal has the number that is next. The contract takes no other.
    TakeOutNumber: "E9",
    /// The counterparty's signature of a withdrawal is checked. The contract checks it again.
    TakeOutSigned: "E6",
    /// A consent lasts only so long. It bounds how long the asker's own money waits.
    ConsentShort: "E9",

    // What is done about a closed channel.
    /// Who unlocked what it had signed away is punished.
    Punish: "E14, E7",
    /// The counterparty's newest word is shown.
    ShowNewest: "E10, E11, E12",
    /// What is earned is unlocked.
    UnlockEarned: "E1, E10, E12",
    /// What was promised and not earned is taken back.
    ReleaseUnearned: "E12, E22",
    /// What is decided is paid out.
    Settle: "E22, V10",
    /// Who is owed for a registered lock and not paid closes.
    CloseOwed: "E16",
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
        /// A margin half as large.
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
