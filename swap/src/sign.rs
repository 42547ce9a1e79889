//! What is signed: EIP-712 digests.
//!
//! Domain `EIP712Domain(string name,string version)` with name `Photon` and version `1`. There is no chain and no contract
//! in it, because no contract ever reads these signatures, and every chain id and genesis of a swap stands in what is
//! signed. Four types, so that no signature can be taken for another:
//!
//! - `Offer(bytes32 offer)`: [`crate::Offer::id`], which covers every field;
//! - `Notice(bytes32 offer,string at,uint64 until)`: that others may tell of an offer, and where its maker answers;
//! - `Take(bytes32 take)`: SHA-256 of every field of [`crate::Take`];
//! - `Swap(bytes32 swap,string role,string step)`: [`crate::SwapId`], which covers every field of the terms, and who says
//!   what of it.

use photon_chains::Hash32;
use sha3::{Digest, Keccak256};

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Keccak256::new(), |hasher, part| hasher.chain_update(part)).finalize().into()
}

fn domain() -> [u8; 32] {
    let kind = keccak(&[b"EIP712Domain(string name,string version)"]);
    keccak(&[&kind, &keccak(&[b"Photon"]), &keccak(&[b"1"])])
}

/// The digest of a struct whose encoded members are these 32-byte words.
pub(crate) fn typed_digest(kind: &str, words: &[[u8; 32]]) -> Hash32 {
    let kind = keccak(&[kind.as_bytes()]);
    let body: Vec<u8> = words.concat();
    let fields = keccak(&[&kind, &body]);
    Hash32::from_bytes(keccak(&[b"\x19\x01", &domain(), &fields]))
}

/// How EIP-712 encodes a string member: the keccak256 of its bytes.
pub(crate) fn text_word(text: &str) -> [u8; 32] {
    keccak(&[text.as_bytes()])
}
