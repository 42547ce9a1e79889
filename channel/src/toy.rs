//! Signatures that cost nothing and prove nothing, for the simulator: it plays millions of updates, and what it looks for is not
//! whether the curve is hard. A toy signature names its signer and holds a hash of account and message; it is checked in the same
//! places, by the same functions. Only a build with the feature `switches` knows them, on a thread that asked for them.

use crate::eip712::{Digest32, keccak};
use photon_chains::Address;
use std::cell::Cell;

thread_local! {
    static PLAYS: Cell<bool> = const { Cell::new(false) };
}

struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        PLAYS.set(self.0);
    }
}

/// Runs `work` on this thread with toy signatures.
pub fn with_toys<T>(work: impl FnOnce() -> T) -> T {
    let _restore = Restore(PLAYS.replace(true));
    work()
}

pub(crate) fn plays() -> bool {
    PLAYS.get()
}

/// A hash of account and message, the account, and 27.
pub(crate) fn sign(signer: &Address, digest: &Digest32) -> [u8; 65] {
    let mut bytes = [0; 65];
    let (hash, rest) = bytes.split_at_mut(32);
    let (name, last) = rest.split_at_mut(32);
    hash.copy_from_slice(&keccak(&[signer.as_bytes().as_slice(), &digest.0].concat()));
    name.get_mut(12..).into_iter().for_each(|name| name.copy_from_slice(signer.as_bytes()));
    last.copy_from_slice(&[27]);
    bytes
}

/// Who signed, if somebody did.
pub(crate) fn signer(signature: &[u8; 65], digest: &Digest32) -> Option<Address> {
    let name: [u8; 20] = signature.get(44..64)?.try_into().ok()?;
    let named = Address::from_bytes(name);
    (sign(&named, digest) == *signature).then_some(named)
}

/// What two accounts share.
pub(crate) fn shared(one: &Address, other: &Address) -> [u8; 32] {
    let (first, last) = if one < other { (one, other) } else { (other, one) };
    keccak(&[first.as_bytes().as_slice(), last.as_bytes().as_slice()].concat())
}
