//! A signature is accepted in one form only, from one account, over one digest.

use super::*;
use crate::keys::{Signature, SignatureError, recover, verify};
use photon_chains::Address;
use proptest::prelude::*;

/// The order of secp256k1 (SEC 2).
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

#[test]
fn a_signature_is_the_one_ethereum_documents() {
    // web3.js documentation: eth.accounts.sign("Some data", key) and its messageHash.
    let key = hex::decode("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318").unwrap();
    let digest: [u8; 32] =
        hex::decode("1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655").unwrap().try_into().unwrap();
    let expected = "0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd\
                    6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c";
    let signature = crate::keys::identity::sign(&secp256k1::SecretKey::from_slice(&key).unwrap(), &digest);
    assert_eq!(signature.to_string(), expected);
    let signer: Address = "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23".parse().unwrap();
    assert_eq!(verify(signer, &digest, &signature), Ok(()));
}

fn minus_from_order(s: &[u8]) -> Vec<u8> {
    let order = hex::decode(ORDER).unwrap();
    let mut borrow = 0;
    let mut out = vec![0; 32];
    for index in (0..32).rev() {
        let difference = i16::from(order[index]) - i16::from(s[index]) - borrow;
        borrow = i16::from(difference < 0);
        out[index] = difference.rem_euclid(256) as u8;
    }
    out
}

proptest! {
    #[test]
    fn any_signed_digest_verifies_for_its_signer_alone(digest: [u8; 32], other: [u8; 32]) {
        let wallet = wallet(Network::Regtest);
        let signature = wallet.sign(&digest);
        prop_assert_eq!(verify(wallet.identity_address(), &digest, &signature), Ok(()));
        prop_assert_eq!(verify(Address::from_bytes([1; 20]), &digest, &signature), Err(SignatureError::OtherSigner));
        prop_assert_eq!(verify(wallet.identity_address(), &other, &signature).is_ok(), digest == other);
        prop_assert_eq!(signature.to_string().parse(), Ok(signature));
    }

    #[test]
    fn its_mirror_image_is_refused_though_the_curve_takes_it(digest: [u8; 32]) {
        let wallet = wallet(Network::Regtest);
        let mut bytes = *wallet.sign(&digest).as_bytes();
        let high = minus_from_order(&bytes[32..64]);
        bytes[32..64].copy_from_slice(&high);
        bytes[64] = 55 - bytes[64];
        prop_assert_eq!(recover(&digest, &Signature::from_bytes(bytes)), Err(SignatureError::Malformed));
    }

    #[test]
    fn one_flipped_bit_anywhere_is_noticed(digest: [u8; 32], bit in 0usize..520) {
        let wallet = wallet(Network::Regtest);
        let mut bytes = *wallet.sign(&digest).as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify(wallet.identity_address(), &digest, &Signature::from_bytes(bytes)).is_err());
    }
}

#[test]
fn v_is_27_or_28_and_r_and_s_are_numbers_of_the_curve() {
    let wallet = wallet(Network::Regtest);
    let good = *wallet.sign(&[5; 32]).as_bytes();
    for v in (0..=255).filter(|v| *v != 27 && *v != 28) {
        let mut bytes = good;
        bytes[64] = v;
        assert_eq!(recover(&[5; 32], &Signature::from_bytes(bytes)), Err(SignatureError::Malformed), "v {v}");
    }
    for range in [0..32, 32..64] {
        for filler in [0, 0xff] {
            let mut bytes = good;
            bytes[range.clone()].fill(filler);
            assert_eq!(recover(&[5; 32], &Signature::from_bytes(bytes)), Err(SignatureError::Malformed));
        }
    }
}
