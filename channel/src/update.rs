//! An update: a batch of operations of one payer under one balance proof.

use crate::codec::{Malformed, Reader, Wire, put_list};
use crate::key::{ChannelRef, Side};
use crate::lock::LockNo;
use crate::seal::Sealed;
use crate::sign::Signature;
use crate::units::{Nonce, Units};
use crate::wire_struct;
use photon_chains::{Address, Expiry, Secret, SecretHash, fixed_bytes};

/// The most operations under one proof.
pub const MOST_OPS: usize = 1_024;

/// The most hops that the locks of one batch have still before them, all together: ways are what makes a batch long.
pub const MOST_BATCH_HOPS: usize = 3_200;

/// The most mediators of a payment.
pub const MOST_HOPS: usize = 20;

fixed_bytes!(
    /// Names a payment, chosen by its payer: asking twice for the same one pays once.
    PaymentId, 16, ""
);

impl Wire for PaymentId {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.as_bytes());
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.array().map(PaymentId::from_bytes)
    }
}

/// What a mediator is asked to lock onward, out of the lock that it gets.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// For whom.
    pub to: Address,
    /// How much; the rest is the mediator's fee.
    pub amount: Units,
    /// Until when; what is left to the lock that it gets is the mediator's time to act.
    pub expiry: Expiry,
}
wire_struct!(Hop { to, amount, expiry });

/// What goes with a lock for those behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Onward {
    /// The payment, as its payer names it to the payee.
    pub payment: PaymentId,
    /// The way from here. Empty: the payee of this lock is the payee of the payment.
    pub route: Vec<Hop>,
    /// The secret, sealed for the payee of the payment, where the payer chose it.
    pub sealed: Option<Sealed>,
}

impl Wire for Onward {
    fn put(&self, out: &mut Vec<u8>) {
        self.payment.put(out);
        put_list(&self.route, out);
        self.sealed.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { payment: Wire::get(from)?, route: from.list(MOST_HOPS)?, sealed: Wire::get(from)? })
    }
}

/// One operation of a payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Pays at once.
    Transfer {
        /// Which payment.
        payment: PaymentId,
        /// How much.
        amount: Units,
    },
    /// Adds a lock. Its name is the update's nonce and its place in the batch.
    Lock {
        /// How much.
        amount: Units,
        /// What opens it.
        secret_hash: SecretHash,
        /// Until when.
        expiry: Expiry,
        /// For those behind it.
        onward: Onward,
    },
    /// Pays a lock whose secret the payer knows.
    Unlock {
        /// Which lock.
        number: LockNo,
        /// What opens it.
        secret: Secret,
    },
    /// Takes back a lock that ended unpaid.
    Expire {
        /// Which lock.
        number: LockNo,
    },
    /// Takes back a lock that the payee signed away.
    Strike {
        /// Which lock.
        number: LockNo,
    },
}

impl Op {
    /// Hops before what it locks.
    pub(crate) fn hops(&self) -> usize {
        match self {
            Op::Lock { onward, .. } => onward.route.len(),
            Op::Transfer { .. } | Op::Unlock { .. } | Op::Expire { .. } | Op::Strike { .. } => 0,
        }
    }
}

impl Wire for Op {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Op::Transfer { payment, amount } => {
                out.push(1);
                payment.put(out);
                amount.put(out);
            }
            Op::Lock { amount, secret_hash, expiry, onward } => {
                out.push(2);
                amount.put(out);
                secret_hash.put(out);
                expiry.put(out);
                onward.put(out);
            }
            Op::Unlock { number, secret } => {
                out.push(3);
                number.put(out);
                secret.put(out);
            }
            Op::Expire { number } => {
                out.push(4);
                number.put(out);
            }
            Op::Strike { number } => {
                out.push(5);
                number.put(out);
            }
        }
    }

    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u8::get(from)? {
            1 => Ok(Op::Transfer { payment: Wire::get(from)?, amount: Wire::get(from)? }),
            2 => Ok(Op::Lock {
                amount: Wire::get(from)?,
                secret_hash: Wire::get(from)?,
                expiry: Wire::get(from)?,
                onward: Wire::get(from)?,
            }),
            3 => Ok(Op::Unlock { number: Wire::get(from)?, secret: Wire::get(from)? }),
            4 => Ok(Op::Expire { number: Wire::get(from)? }),
            5 => Ok(Op::Strike { number: Wire::get(from)? }),
            _ => Err(Malformed),
        }
    }
}

/// A batch of one payer under one proof. The proof itself does not travel: the payee computes it from its own copy of the
/// channel and checks the signature against that, so the two can't come apart unseen. What the proof commits to is money alone
/// (how much went over, which locks are pending); that the rest of the batch is the payer's word, the connection says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Which channel.
    pub of: ChannelRef,
    /// Who pays.
    pub payer: Side,
    /// One more than the one before.
    pub nonce: Nonce,
    /// What is done, in this order.
    pub ops: Vec<Op>,
    /// The payer's, of the balance proof that results.
    pub signature: Signature,
}

impl Wire for Update {
    fn put(&self, out: &mut Vec<u8>) {
        self.of.put(out);
        self.payer.put(out);
        self.nonce.put(out);
        put_list(&self.ops, out);
        self.signature.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            of: Wire::get(from)?,
            payer: Wire::get(from)?,
            nonce: Wire::get(from)?,
            ops: from.list(MOST_OPS)?,
            signature: Wire::get(from)?,
        })
    }
}
