//! The other party of a channel.

use crate::eip712::Digest32;
use crate::sign::{KnownKey, Signature, SignatureError};
use photon_chains::Address;

/// A channel's counterparty: by its word the channel's messages are judged.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Counterparty {
    /// It was connected once, and has shown its key.
    Known(KnownKey),
    /// Nobody but the chain has told of it, and that knows its account alone.
    Named(Address),
}

impl Counterparty {
    /// Its account.
    pub const fn address(&self) -> Address {
        match self {
            Counterparty::Known(key) => key.address(),
            Counterparty::Named(address) => *address,
        }
    }

    /// Its key, where that is known.
    pub const fn key(&self) -> Option<KnownKey> {
        match self {
            Counterparty::Known(key) => Some(*key),
            Counterparty::Named(_) => None,
        }
    }

    /// Whether this is a good signature by it. Where the key is not known it is recovered, as the contract does.
    pub fn verify(&self, digest: &Digest32, signature: &Signature) -> Result<(), SignatureError> {
        match self {
            Counterparty::Known(key) => key.verify(digest, signature),
            Counterparty::Named(address) => signature.for_contract(digest, address).map(drop),
        }
    }
}

impl From<KnownKey> for Counterparty {
    fn from(key: KnownKey) -> Self {
        Counterparty::Known(key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Signer;
    use crate::codec::Wire;

    #[test]
    fn who_is_only_named_is_believed_by_its_own_signature_and_by_no_other() {
        let (one, two) = (Signer::new([1; 32]).unwrap(), Signer::new([2; 32]).unwrap());
        let (digest, named) = (Digest32([7; 32]), Counterparty::Named(one.address()));
        assert_eq!(named.verify(&digest, &one.sign(&digest)), Ok(()));
        assert!(named.verify(&digest, &two.sign(&digest)).is_err());
        assert!(named.verify(&Digest32([8; 32]), &one.sign(&digest)).is_err());
    }

    #[test]
    fn it_is_kept_as_what_it_is_and_one_that_is_known_as_it_always_was() {
        let key = Signer::new([1; 32]).unwrap().known();
        for counterparty in [Counterparty::Known(key), Counterparty::Named(key.address())] {
            let bytes = counterparty.to_bytes();
            assert_eq!((bytes.len(), Counterparty::from_bytes(&bytes)), (33, Ok(counterparty)));
        }
        assert_eq!(Counterparty::Known(key).to_bytes(), key.to_bytes());
    }
}
