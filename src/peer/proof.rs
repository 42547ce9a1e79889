//! The proof that a Noise key speaks for an identity, in this one handshake.

use super::handshake::Role;
use crate::config::Network;
use crate::keys::{Signature, Wallet, signer_key};
use photon_chains::{Address, PublicKey};
use sha3::{Digest, Keccak256};

/// The account's 20 bytes, then its signature.
pub(super) const PROOF: usize = 85;

const DOMAIN: &[u8] = b"EIP712Domain(string name,string version)";
const TYPE: &[u8] = b"PeerProof(string network,string role,bytes32 transcript,bytes32 noiseKey)";

fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Keccak256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// The EIP-712 digest. The transcript makes it worthless in any other handshake, the role in this one's other direction, the
/// domain and type as any other kind of signature of the account.
fn digest(network: Network, role: Role, transcript: &[u8; 32], noise_key: &[u8; 32]) -> [u8; 32] {
    let domain = keccak(&[&keccak(&[DOMAIN]), &keccak(&[b"Photon peer"]), &keccak(&[b"1"])]);
    let (network, role) = (keccak(&[network.name().as_bytes()]), keccak(&[role.name().as_bytes()]));
    let message = keccak(&[&keccak(&[TYPE]), &network, &role, transcript, noise_key]);
    keccak(&[&[0x19, 0x01], &domain, &message])
}

/// Our own.
pub(super) fn prove(wallet: &Wallet, role: Role, transcript: &[u8; 32], noise_key: &[u8; 32]) -> [u8; PROOF] {
    let signature = wallet.sign(&digest(wallet.network(), role, transcript, noise_key));
    let mut proof = [0; PROOF];
    let (account, rest) = proof.split_at_mut(20);
    account.copy_from_slice(wallet.identity_address().as_bytes());
    rest.copy_from_slice(signature.as_bytes());
    proof
}

/// Whose it is: the account, and its public key, which the signature shows. None if it is not a proof of this key, in this handshake, in this role, on this network.
pub(super) fn check(
    proof: &[u8; PROOF],
    network: Network,
    role: Role,
    transcript: &[u8; 32],
    noise_key: &[u8; 32],
) -> Option<(Address, PublicKey)> {
    let (account, signature) = proof.split_first_chunk::<20>()?;
    let account = Address::from_bytes(*account);
    let signature = Signature::from_bytes(*signature.first_chunk::<65>()?);
    let key = signer_key(account, &digest(network, role, transcript, noise_key), &signature).ok()?;
    Some((account, key))
}
