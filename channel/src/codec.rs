//! How messages and rows are written as bytes: fixed widths, big-endian, lengths in front, nothing left over. One value has
//! one form, and every length has a bound, so that a stranger's bytes cost no more than they weigh.

use crate::key::{ChannelId, ChannelRef, Epoch, Side};
use crate::lock::{Commitment, LockNo, Pending};
use crate::sign::Signature;
use crate::units::{Nonce, Units};
use photon_chains::{Address, Expiry, Secret, SecretHash, UnixTime};

/// Bytes that are no message: too short, too long, an unknown kind, or a value that can't be.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no message of this protocol")]
pub struct Malformed;

/// Most values take no more bytes.
const USUAL_BYTES: usize = 256;

/// A value with one form as bytes.
pub trait Wire: Sized {
    /// Writes it.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads it.
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// All of it as bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(USUAL_BYTES);
        self.put(&mut out);
        out
    }

    /// From exactly these bytes.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        let value = Self::get(&mut from)?;
        if from.0.is_empty() { Ok(value) } else { Err(Malformed) }
    }
}

/// Bytes still to be read.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// From the first of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That many bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// An array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    /// A list with its length in front, no longer than that.
    pub fn list<T: Wire>(&mut self, most: usize) -> Result<Vec<T>, Malformed> {
        let len = usize::from(u16::get(self)?);
        // Every value takes a byte at least, so the list is never longer than what is left to read.
        if len > most || len > self.0.len() {
            return Err(Malformed);
        }
        (0..len).map(|_| T::get(self)).collect()
    }
}

/// Writes a list with its length in front. The writer keeps its lists below 2^16.
pub fn put_list<T: Wire>(list: &[T], out: &mut Vec<u8>) {
    u16::try_from(list.len()).unwrap_or(u16::MAX).put(out);
    list.iter().for_each(|item| item.put(out));
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Wire for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_be_bytes());
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                from.array().map(<$number>::from_be_bytes)
            }
        }
    )+};
}
numbers!(u8, u16, u32, u64, i128);

macro_rules! arrays {
    ($($name:ty),+) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.as_bytes());
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                from.array().map(<$name>::from_bytes)
            }
        }
    )+};
}
arrays!(Address, SecretHash, ChannelId, Signature);

/// Writes a struct field by field.
#[macro_export]
#[doc(hidden)]
macro_rules! wire_struct {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::codec::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::codec::Wire::put(&self.$field, out);)+
            }
            fn get(from: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::Malformed> {
                Ok(Self { $($field: $crate::codec::Wire::get(from)?,)+ })
            }
        }
    };
}

impl Wire for [u8; 32] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.array()
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u8::get(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        bool::get(from)?.then(|| T::get(from)).transpose()
    }
}

impl Wire for Units {
    fn put(&self, out: &mut Vec<u8>) {
        let [_, _, _, _, bytes @ ..] = self.get().to_be_bytes();
        out.extend(bytes);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let bytes: [u8; 12] = from.array()?;
        let units = bytes.iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
        Units::new(units).ok_or(Malformed)
    }
}

impl Wire for Secret {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.expose());
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.array().map(Secret::from_bytes)
    }
}

impl Wire for UnixTime {
    fn put(&self, out: &mut Vec<u8>) {
        self.secs().put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        u64::get(from).map(UnixTime::from_secs)
    }
}

/// An expiry goes as its word. One that has none (made by mistake, never read) would go as zeros, which are refused.
impl Wire for Expiry {
    fn put(&self, out: &mut Vec<u8>) {
        self.word().unwrap_or_default().put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let expiry = Expiry::from_word(&from.array()?).map_err(|_| Malformed)?;
        if expiry.opens_time.secs() == 0 { Err(Malformed) } else { Ok(expiry) }
    }
}

impl Wire for Side {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_a().put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(if bool::get(from)? { Side::A } else { Side::B })
    }
}

macro_rules! wrapped {
    ($($name:ident),+) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Wire::get(from).map($name)
            }
        }
    )+};
}
wrapped!(Nonce, Epoch, LockNo);

wire_struct!(ChannelRef { channel, epoch });
wire_struct!(Commitment { locked, locks });
wire_struct!(Pending { number, secret_hash, amount, expiry });
