//! What two neighbours say to each other about their channels. The connection says who speaks; only what carries money is
//! signed besides.

use crate::channel::Channel;
use crate::codec::{Malformed, Reader, Wire};
use crate::key::ChannelRef;
use crate::lock::LockNo;
use crate::proof::BalanceProof;
use crate::remind::Testimony;
use crate::sign::Signature;
use crate::units::{Nonce, Units};
use crate::update::Update;
use crate::wire_struct;
use photon_chains::{Secret, UnixTime};

/// A balance proof with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedProof {
    /// The proof.
    pub proof: BalanceProof,
    /// Its payer's signature.
    pub signature: Signature,
}

wire_struct!(BalanceProof { of, payer, nonce, transferred, pending });
wire_struct!(SignedProof { proof, signature });

/// Why something was not done, as the counterparty is told.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No way onward: no such neighbour, not connected, or closing.
    NoWay,
    /// Not enough money in the channel onward.
    Funds,
    /// Less than the mediator's fee.
    Fee,
    /// Too little time to act, or too long.
    Time,
    /// As much as is held for one neighbour is held.
    Limit,
    /// The payee does not expect this payment.
    Unknown,
    /// The payee or the payer has given it up.
    GivenUp,
    /// A lock with this hash is or was in the channel.
    HashUsed,
    /// It was given back from further on.
    Onward,
    /// The payee, or somebody on the way, can't see the chain, and takes no more until it does.
    OutOfSight,
}

impl Reason {
    const ALL: [Reason; 10] = [
        Reason::NoWay,
        Reason::Funds,
        Reason::Fee,
        Reason::Time,
        Reason::Limit,
        Reason::Unknown,
        Reason::GivenUp,
        Reason::HashUsed,
        Reason::Onward,
        Reason::OutOfSight,
    ];

    /// Its word in tables and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Reason::NoWay => "no_way",
            Reason::Funds => "funds",
            Reason::Fee => "fee",
            Reason::Time => "time",
            Reason::Limit => "limit",
            Reason::Unknown => "unknown",
            Reason::GivenUp => "given_up",
            Reason::HashUsed => "hash_used",
            Reason::Onward => "onward",
            Reason::OutOfSight => "out_of_sight",
        }
    }

    /// The reason of that word.
    pub fn named(word: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

impl Wire for Reason {
    fn put(&self, out: &mut Vec<u8>) {
        let code = Reason::ALL.iter().position(|reason| reason == self).and_then(|at| u8::try_from(at).ok());
        code.unwrap_or(0).put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Reason::ALL.get(usize::from(u8::get(from)?)).copied().ok_or(Malformed)
    }
}

/// A message about one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The first word after every connection: how far this side is, and the proof that it holds of the other's.
    Hello {
        /// Which channel.
        of: ChannelRef,
        /// The sender's last update.
        sent: Nonce,
        /// The last update that the sender has from the other side.
        received: Nonce,
        /// Whether the sender waits for this word from the other side.
        waits: bool,
        /// Its proof. Whoever sees a later one of its own than it remembers knows that its memory is old.
        held: Option<SignedProof>,
    },
    /// A batch of payments.
    Update(Update),
    /// The sender has all updates up to this one, durably.
    Acknowledged {
        /// Which channel.
        of: ChannelRef,
        /// The last one.
        nonce: Nonce,
    },
    /// An update breaks the rules and was not taken.
    Refused {
        /// Which channel.
        of: ChannelRef,
        /// Which update.
        nonce: Nonce,
    },
    /// The payee of a lock shows its secret to the payer of it.
    Reveal {
        /// Which channel.
        of: ChannelRef,
        /// Which lock.
        number: LockNo,
        /// The secret.
        secret: Secret,
    },
    /// The payee of a lock signs it away.
    Dispose {
        /// Which channel.
        of: ChannelRef,
        /// Which lock.
        number: LockNo,
        /// Why: a hint for choosing another way.
        reason: Reason,
        /// How many nodes behind the speaker it failed; none where the speaker itself gives it back.
        hops: u8,
        /// Of the disposal.
        signature: Signature,
    },
    /// The payer of a lock would rather have it back. A payee that has shown nothing yet may sign it away.
    Recall {
        /// Which channel.
        of: ChannelRef,
        /// Which lock.
        number: LockNo,
    },
    /// Let us close this channel together: nothing is pending, and the sender begins nothing new.
    AskClose {
        /// Which channel.
        of: ChannelRef,
        /// The sender's last update. An answer to anything older would be worth nothing.
        sent: Nonce,
    },
    /// The answer, once nothing is pending or under way: this side's signature of the close.
    GrantClose {
        /// Which channel.
        of: ChannelRef,
        /// This side's last update, and the other's, by which `paid` was reckoned.
        sent: Nonce,
        /// See `sent`.
        received: Nonce,
        /// The last second at which it counts.
        deadline: UnixTime,
        /// Of the cooperative close.
        signature: Signature,
    },
    /// Let this side take so much out.
    AskWithdraw {
        /// Which channel.
        of: ChannelRef,
        /// Withdrawals mined before it.
        number: u32,
        /// How much, all of it the asker's.
        amount: Units,
        /// The last second at which it counts.
        deadline: UnixTime,
    },
    /// The answer: this side's signature of that withdrawal.
    GrantWithdraw {
        /// Which channel.
        of: ChannelRef,
        /// Which one.
        number: u32,
        /// Of the withdrawal.
        signature: Signature,
    },
    /// How far the other side can go: updates that pay more than this in all are not taken before the sender sees the chain again.
    Ceiling {
        /// Which channel.
        of: ChannelRef,
        /// In all, as proofs say it. None: as far as its money goes.
        most: Option<Units>,
    },
    /// To a counterparty whose first word shows that it has forgotten something: the newest that either side has signed.
    Remind {
        /// Which channel.
        of: ChannelRef,
        /// The receiver had the sender's updates up to this one, durably: it said so.
        sure: Nonce,
        /// The sender's promise.
        own: Option<Box<Testimony>>,
        /// The receiver's promise.
        yours: Option<Box<Testimony>>,
    },
}

macro_rules! messages {
    ($($code:literal $name:ident { $($field:ident),+ }),+ $(,)?) => {
        impl Wire for Message {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    Message::Update(update) => {
                        out.push(1);
                        update.put(out);
                    }
                    $(Message::$name { $($field),+ } => {
                        out.push($code);
                        $($field.put(out);)+
                    })+
                }
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                match u8::get(from)? {
                    1 => Update::get(from).map(Message::Update),
                    $($code => Ok(Message::$name { $($field: Wire::get(from)?),+ }),)+
                    _ => Err(Malformed),
                }
            }
        }

        impl Message {
            /// Which channel it is about.
            pub fn of(&self) -> ChannelRef {
                match self {
                    Message::Update(update) => update.of,
                    $(Message::$name { of, .. } => *of,)+
                }
            }
        }
    };
}

messages! {
    2 Hello { of, sent, received, waits, held },
    3 Acknowledged { of, nonce },
    4 Refused { of, nonce },
    5 Reveal { of, number, secret },
    6 Dispose { of, number, reason, hops, signature },
    7 Recall { of, number },
    8 AskClose { of, sent },
    9 GrantClose { of, sent, received, deadline, signature },
    10 AskWithdraw { of, number, amount, deadline },
    11 GrantWithdraw { of, number, signature },
    12 Ceiling { of, most },
    13 Remind { of, sure, own, yours },
}

impl Channel {
    /// The first word after a connection.
    pub fn hello(&self) -> Message {
        let payer = self.side.other();
        let held = self.incoming.signature.zip(self.proof(payer)).map(|(signature, proof)| SignedProof { proof, signature });
        let (sent, received) = (self.outgoing.nonce, self.incoming.nonce);
        Message::Hello { of: self.of, sent, received, waits: !self.in_step, held }
    }

    /// What the counterparty's first word leads to. From now on this side may sign, unless its memory is old.
    /// Returns what is to be sent again: every update that the counterparty does not have, in the same bytes.
    pub fn greeted(&mut self, received: Nonce, held: Option<&SignedProof>, holder: &crate::Signer) -> Greeting {
        self.in_step = true;
        if let Some(shown) = held
            && self.is_shown_ahead(&shown.proof, &shown.signature, &holder.known())
        {
            return Greeting::Behind;
        }
        // A counterparty that says it has more than was ever sent, and can't show it, errs or lies: nothing comes of it.
        Greeting::Resend(self.acknowledged(received.min(self.outgoing.nonce)))
    }
}

/// What follows from a first word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// These updates have arrived, as it turns out; all that are left in [`Channel::unacked`] are to be sent again.
    Resend(Vec<crate::channel::Unacked>),
    /// This side's memory is old.
    Behind,
}
