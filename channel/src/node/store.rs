//! Rows as bytes. They hold secrets: whoever writes them to a disk seals them first.

use crate::chain::{OnChain, Stage};
use crate::channel::{Grant, Leaving, Standing};
use crate::codec::{Malformed, Reader, Wire, put_list};
use crate::counterparty::Counterparty;
use crate::flow::{Held, Link, LockState};
use crate::key::{ChannelKey, Window};
use crate::node::MOST_WAYS;
use crate::node::rows::{ChannelRow, Expected, FlowRow, Key, Payment, Progress, Row};
use crate::node::words::{Order, Outcome, Request, Tie, Way};
use crate::sign::KnownKey;
use crate::split::Holdings;
use crate::update::MOST_HOPS;
use crate::wire_struct;
use photon_chains::{Address, PublicKey};

/// Writes an enum: a byte for the variant, then its fields.
macro_rules! wire_enum {
    ($name:ident { $($code:literal $variant:ident $(($($field:ident),+))? $({$($named:ident),+})?),+ $(,)? }) => {
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant $(($($field),+))? $({$($named),+})? => {
                        out.push($code);
                        $($($field.put(out);)+)?
                        $($($named.put(out);)+)?
                    })+
                }
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                match u8::get(from)? {
                    $($code => {
                        $($(let $field = Wire::get(from)?;)+)?
                        $($(let $named = Wire::get(from)?;)+)?
                        Ok($name::$variant $(($($field),+))? $({$($named),+})?)
                    })+
                    _ => Err(Malformed),
                }
            }
        }
    };
}

impl Wire for KnownKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.public_key().put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        KnownKey::new(&PublicKey::get(from)?).map_err(|_| Malformed)
    }
}

/// One that is only named is written in as many bytes as a key, which never begins with zero.
impl Wire for Counterparty {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Counterparty::Known(key) => key.put(out),
            Counterparty::Named(address) => {
                out.extend(NAMED);
                address.put(out);
            }
        }
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let bytes = PublicKey::get(from)?;
        match bytes.as_bytes().split_first_chunk() {
            Some((&NAMED, account)) => account.try_into().map(|account| Counterparty::Named(Address::from_bytes(account))).ok(),
            Some(_) | None => KnownKey::new(&bytes).map(Counterparty::Known).ok(),
        }
        .ok_or(Malformed)
    }
}

const NAMED: [u8; 13] = [0; 13];

impl Wire for ChannelKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.token().put(out);
        self.parties().a.put(out);
        self.parties().b.put(out);
        self.window().minutes().put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (token, one, other) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        let window = Window::from_minutes(Wire::get(from)?).map_err(|_| Malformed)?;
        let key = ChannelKey::new(token, one, other, window).map_err(|_| Malformed)?;
        // One key has one form: its parties in order, and no token where none is meant.
        if key.token() == token && key.parties().a == one { Ok(key) } else { Err(Malformed) }
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_ref().put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        T::get(from).map(Box::new)
    }
}

/// The bytes of an update.
impl Wire for Vec<u8> {
    fn put(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(out);
        out.extend(self);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = usize::try_from(u32::get(from)?).map_err(|_| Malformed)?;
        from.take(len).map(<[u8]>::to_vec)
    }
}

impl Wire for Way {
    fn put(&self, out: &mut Vec<u8>) {
        self.channel.put(out);
        self.amount.put(out);
        self.expiry.put(out);
        put_list(&self.onward, out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (channel, amount, expiry) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        Ok(Self { channel, amount, expiry, onward: from.list(MOST_HOPS)? })
    }
}

impl Wire for Order {
    fn put(&self, out: &mut Vec<u8>) {
        self.id.put(out);
        self.token.put(out);
        self.payee.put(out);
        self.amount.put(out);
        self.most_fee.put(out);
        self.tie.put(out);
        put_list(&self.ways, out);
        self.searches.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (id, token, payee) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        let (amount, most_fee) = (Wire::get(from)?, Wire::get(from)?);
        let (tie, ways) = (Wire::get(from)?, from.list(MOST_WAYS)?);
        Ok(Self { id, token, payee, amount, most_fee, tie, ways, searches: Wire::get(from)? })
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((Wire::get(from)?, Wire::get(from)?))
    }
}

wire_struct!(Holdings { total, net_a });
wire_struct!(OnChain { holdings, withdrawals, counted, stage });
wire_struct!(Grant { deadline, signature });
wire_struct!(Leaving { side, amount, number, deadline, signature });
wire_struct!(Held { lock, state, link });
wire_struct!(FlowRow { nonce, transferred, signature });
wire_struct!(ChannelRow { key, peer, chain, standing, leaving, outgoing, incoming });
wire_struct!(Payment { order, attempt, progress, recalled });
wire_struct!(Request { secret_hash, amount, payment, secret, least_secs, until });
wire_struct!(Expected { request, lock });

// What is live comes first, so that it can be read as one range.
wire_enum!(Key {
    0 Channel(of),
    1 Lock(of, incoming, number),
    2 Unacked(of, nonce),
    3 Disposed(of, hash),
    4 Payment(id),
    5 Request(hash),
    6 Unseen(of),
    16 Sent(of, nonce),
    17 Gone(of, incoming, number),
    18 Outcome(id),
    19 Received(of, number),
});
wire_enum!(Stage { 0 Open, 1 Closed, 2 Gone });
wire_enum!(Standing { 0 Active, 1 Stopping, 2 Granted(grant), 3 Behind, 4 Parting(grant) });
wire_enum!(LockState { 0 Waiting, 1 Known(secret), 2 Disposed(signature) });
wire_enum!(Link {
    0 Fresh(onward),
    1 Mine(payment),
    2 Onto { channel, number, onward },
    3 Unwanted(reason),
    4 Payment(payment),
    5 For { channel, number },
    6 Forgotten,
});
wire_enum!(Tie { 0 Direct, 1 Sealed(seed), 2 Hash(hash) });
wire_enum!(Progress { 0 Queued, 1 Paid(of, nonce), 2 Locked(of, number) });
wire_enum!(Outcome { 0 Paid(secret), 1 Failed(reason) });
wire_enum!(Row {
    0 Channel(row),
    1 Lock(held),
    2 Unacked(bytes),
    3 Disposed,
    4 Payment(payment),
    5 Request(expected),
    6 Sent(transferred, commitment),
    7 Gone(held, nonce),
    8 Outcome(outcome),
    9 Received(payment, amount, secret_hash),
    10 Unseen(amount),
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use photon_chains::Address;

    // Found by fuzzing: the same channel, its parties the other way round, or with the zero token for none.
    #[test]
    fn a_channels_key_is_read_in_one_form_only() {
        let (one, other) = (Address::from_bytes([1; 20]), Address::from_bytes([2; 20]));
        let key = ChannelKey::new(None, one, other, Window::SHORTEST).unwrap();
        let bytes = |token: Option<Address>, a: Address, b: Address| {
            let mut bytes = Vec::new();
            token.put(&mut bytes);
            a.put(&mut bytes);
            b.put(&mut bytes);
            key.window().minutes().put(&mut bytes);
            bytes
        };
        assert_eq!(key.to_bytes(), bytes(None, one, other));
        assert_eq!(ChannelKey::from_bytes(&key.to_bytes()), Ok(key));
        assert_eq!(ChannelKey::from_bytes(&bytes(None, other, one)), Err(Malformed));
        assert_eq!(ChannelKey::from_bytes(&bytes(Some(Address::from_bytes([0; 20])), one, other)), Err(Malformed));
    }
}
