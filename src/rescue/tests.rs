#![allow(clippy::unwrap_used)]
use super::note::Note;
use crate::config::Network;
use crate::keys::{KeyUse, SeedWords, Wallet};
use photon_chains::{
    Amount, Asset, BlockHeight, Expiry, Ledger, Lock, LockKey, Party, PublicKey, SecretHash, Template, UnixTime,
};
use photon_swap::{Salt, Side};
use secp256k1::{SECP256K1, SecretKey};

fn party(key: &LockKey) -> Option<Party> {
    let key = SecretKey::from_slice(key.expose()).ok()?;
    Some(Party::Key(PublicKey::from_bytes(key.public_key(SECP256K1).serialize())))
}

fn wallet() -> Wallet {
    Wallet::new(&SeedWords::generate().unwrap(), Network::Regtest).unwrap()
}

fn note(wallet: &Wallet, side: Side, ledger: Ledger) -> Note {
    let salt = Salt::from_bytes([5; 16]);
    let theirs = party(&LockKey::from_bytes([9; 32])).unwrap();
    let ours = |key_use| party(&wallet.lock_key(salt.as_bytes(), ledger, key_use)).unwrap();
    let (redeemer, refundee) = match side {
        Side::Own => (theirs, ours(KeyUse::Refund)),
        Side::Peer => (ours(KeyUse::Redeem), theirs),
    };
    let lock = Lock {
        asset: Asset::Native(ledger),
        amount: Amount::from_units(123_456_789),
        redeemer,
        refundee,
        secret_hash: SecretHash::from_bytes([4; 32]),
        expiry: Expiry::at(UnixTime::from_secs(1_900_000_000)),
        template: Template::P2wsh,
    };
    Note { lock, side, salt, since: BlockHeight::new(840_000) }
}

#[test]
fn a_note_and_the_seed_give_the_lock_and_its_key_back() {
    let wallet = wallet();
    for ledger in [Ledger::Bitcoin, Ledger::Litecoin] {
        for side in [Side::Own, Side::Peer] {
            let note = note(&wallet, side, ledger);
            let text = note.seal(&wallet).unwrap();
            assert_eq!(Note::open(&text, &wallet, ledger, party), Some(note));
        }
    }
}

#[test]
fn a_note_says_nothing_to_others_and_a_bent_one_says_nothing_at_all() {
    let (ours, theirs) = (wallet(), wallet());
    let text = note(&ours, Side::Own, Ledger::Bitcoin).seal(&ours).unwrap();
    assert!(!text.contains(&hex::encode([4; 32])) && !text.contains(&hex::encode([5; 16])));
    assert_eq!(Note::open(&text, &theirs, Ledger::Bitcoin, party), None, "another seed");
    assert_eq!(Note::open(&text, &ours, Ledger::Litecoin, party), None, "another ledger");
    for at in 0..text.len() {
        let mut bent = text.clone().into_bytes();
        bent[at] = if bent[at] == b'0' { b'1' } else { b'0' };
        let bent = String::from_utf8(bent).unwrap();
        assert_eq!(Note::open(&bent, &ours, Ledger::Bitcoin, party), None, "digit {at}");
    }
    for strange in ["", "photon:", "photon:00", "rent", "photon:zz"] {
        assert_eq!(Note::open(strange, &ours, Ledger::Bitcoin, party), None, "{strange}");
    }
}
