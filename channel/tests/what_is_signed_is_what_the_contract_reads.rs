//! Every signed message, computed a second time by another library.
#![allow(clippy::unwrap_used)]

use alloy::primitives::aliases::{I104, U40, U96};
use alloy::primitives::{Address as EthAddress, B256, U256, keccak256};
use alloy::sol;
use alloy::sol_types::{Eip712Domain, SolStruct, SolValue, eip712_domain};
use photon_chains::{Address, BlockHeight, Expiry, SecretHash, UnixTime};
use photon_channel as pc;
use photon_channel::Signed;

sol! {
    struct BalanceProof { bytes32 channel; uint32 epoch; bool ofA; uint64 nonce; uint96 transferred; uint96 locked; bytes32 locks; }
    struct CooperativeClose { bytes32 channel; uint32 epoch; int104 paidToA; uint40 deadline; }
    struct Withdraw { bytes32 channel; uint32 epoch; uint32 number; uint96 amountA; uint96 amountB; uint40 deadline; }
    struct Disposal { bytes32 channel; uint32 epoch; bool ofA; uint64 lockId; bytes32 secretHash; }
    struct Delegation { bytes32 channel; uint32 epoch; address delegate; uint8 rights; uint40 deadline; }
}

const CONTRACT: [u8; 20] = [0xc0; 20];
const CHANNEL: [u8; 32] = [0xcc; 32];
const OF: pc::ChannelRef = pc::ChannelRef { channel: pc::ChannelId::from_bytes(CHANNEL), epoch: pc::Epoch(77) };
const DEADLINE: u64 = 1_900_000_000;

fn ours() -> pc::Domain {
    pc::Domain::new(20_180_430, Address::from_bytes(CONTRACT))
}

fn theirs() -> Eip712Domain {
    eip712_domain! {
        name: "Photon Channels",
        version: "1",
        chain_id: 20_180_430,
        verifying_contract: EthAddress::from(CONTRACT),
    }
}

fn same(own: &impl Signed, other: &impl SolStruct) {
    assert_eq!(own.digest(&ours()).0, other.eip712_signing_hash(&theirs()).0);
}

fn units(value: u128) -> pc::Units {
    pc::Units::new(value).unwrap()
}

#[test]
fn the_domain_is_the_same() {
    assert_eq!(ours().separator(), &theirs().separator().0);
}

#[test]
fn a_channels_name_is_the_hash_of_its_key() {
    let token = Address::from_bytes([9; 20]);
    let (low, high) = (Address::from_bytes([1; 20]), Address::from_bytes([2; 20]));
    let key = pc::ChannelKey::new(Some(token), high, low, pc::Window::from_minutes(1440).unwrap()).unwrap();
    let asset: U256 = (U256::from(1440) << 160) | U256::from_be_slice(&[9; 20]);
    assert_eq!(key.asset(), asset.to_be_bytes::<32>());
    let encoded = (asset, EthAddress::repeat_byte(1), EthAddress::repeat_byte(2)).abi_encode();
    assert_eq!(key.id().as_bytes(), &keccak256(encoded).0);
}

#[test]
fn a_balance_proof_hashes_the_same_for_either_payer() {
    let (transferred, locked) = ((1u128 << 96) - 1, 12_345);
    for payer in pc::Side::BOTH {
        let own = pc::BalanceProof {
            of: OF,
            payer,
            nonce: pc::Nonce(9),
            transferred: units(transferred),
            pending: pc::Commitment { locked: units(locked), locks: [3; 32] },
        };
        let other = BalanceProof {
            channel: CHANNEL.into(),
            epoch: 77,
            ofA: payer == pc::Side::A,
            nonce: 9,
            transferred: U96::from(transferred),
            locked: U96::from(locked),
            locks: B256::repeat_byte(3),
        };
        same(&own, &other);
    }
}

#[test]
fn a_cooperative_close_hashes_the_same_in_either_direction() {
    for paid in [0i128, 5, -5, (1 << 96) - 1, 1 - (1 << 96)] {
        let own = pc::CooperativeClose { of: OF, paid_to_a: paid, deadline: UnixTime::from_secs(DEADLINE) };
        let magnitude = I104::try_from(paid.abs()).unwrap();
        let other = CooperativeClose {
            channel: CHANNEL.into(),
            epoch: 77,
            paidToA: if paid < 0 { -magnitude } else { magnitude },
            deadline: U40::from(DEADLINE),
        };
        same(&own, &other);
    }
}

#[test]
fn a_withdrawal_a_disposal_and_a_delegation_hash_the_same() {
    let deadline = UnixTime::from_secs(DEADLINE);
    let own = pc::Withdraw { of: OF, number: 3, amount_a: units(10), amount_b: units(20), deadline };
    let other = Withdraw {
        channel: CHANNEL.into(),
        epoch: 77,
        number: 3,
        amountA: U96::from(10),
        amountB: U96::from(20),
        deadline: U40::from(DEADLINE),
    };
    same(&own, &other);

    let number = pc::LockNo::new(pc::Nonce(5), 2);
    let own = pc::Disposal { of: OF, payer: pc::Side::B, number, secret_hash: SecretHash::from_bytes([8; 32]) };
    let other =
        Disposal { channel: CHANNEL.into(), epoch: 77, ofA: false, lockId: 5 << 16 | 2, secretHash: B256::repeat_byte(8) };
    same(&own, &other);

    let own = pc::Delegation { of: OF, delegate: Address::from_bytes([6; 20]), rights: 3, deadline };
    let other = Delegation {
        channel: CHANNEL.into(),
        epoch: 77,
        delegate: EthAddress::repeat_byte(6),
        rights: 3,
        deadline: U40::from(DEADLINE),
    };
    same(&own, &other);
}

#[test]
fn signatures_are_those_of_another_library() {
    use alloy::signers::SignerSync;
    use alloy::signers::local::PrivateKeySigner;
    let digest = pc::Disposal { of: OF, payer: pc::Side::A, number: pc::LockNo(1), secret_hash: SecretHash::from_bytes([8; 32]) }
        .digest(&ours());
    let other = PrivateKeySigner::from_bytes(&B256::repeat_byte(5)).unwrap();
    let own = pc::Signer::new([5; 32]).unwrap();
    assert_eq!(own.address().as_bytes(), &other.address().0.0);
    let signature = other.sign_hash_sync(&digest.0.into()).unwrap();
    assert_eq!(own.sign(&digest).as_bytes(), &signature.as_bytes());
    let (r, vs) = own.sign(&digest).compact();
    assert_eq!([r, vs].concat(), signature.as_erc2098());
}

fn pending(number: u64, amount: u128) -> pc::Pending {
    let expiry = Expiry {
        opens_time: UnixTime::from_secs(DEADLINE),
        opens_block: BlockHeight::new(1_000 + number),
        closes: None,
        lock_by: None,
        linked: number == 2,
    };
    let secret_hash = SecretHash::from_bytes([number as u8; 32]);
    pc::Pending { number: pc::LockNo(number), secret_hash, amount: units(amount), expiry }
}

#[test]
fn the_list_of_locks_hashes_as_abi_encode_packed_does() {
    let locks = [pending(1, 5), pending(2, (1 << 96) - 7), pending(300, 1)];
    let mut packed = Vec::new();
    for lock in &locks {
        let word = U256::from_be_bytes(lock.expiry.word().unwrap());
        let hash = B256::from(*lock.secret_hash.as_bytes());
        packed.extend((hash, U96::from(lock.amount.get()), lock.number.0, word).abi_encode_packed());
    }
    assert_eq!(packed.len(), 3 * pc::ENTRY_BYTES);
    let commitment = pc::Commitment::of(&locks).unwrap();
    assert_eq!(commitment, pc::Commitment { locked: units((1 << 96) - 1), locks: keccak256(packed).0 });
    assert_eq!(pc::Commitment::of(&[]), Ok(pc::Commitment::default()));
}

#[test]
fn a_list_out_of_order_too_long_or_too_rich_is_no_list() {
    let of = |locks: &[pc::Pending]| pc::Commitment::of(locks);
    assert_eq!(of(&[pending(2, 1), pending(1, 1)]), Err(pc::LockError::Order));
    assert_eq!(of(&[pending(2, 1), pending(2, 1)]), Err(pc::LockError::Order));
    assert_eq!(of(&[pending(1, (1 << 96) - 1), pending(2, 1)]), Err(pc::LockError::Full));
    let many: Vec<pc::Pending> = (0..=pc::MOST_LOCKS as u64).map(|number| pending(number, 1)).collect();
    assert!(of(&many[..pc::MOST_LOCKS]).is_ok());
    assert_eq!(of(&many), Err(pc::LockError::Full));
    let mut dated = pending(1, 1);
    dated.expiry.lock_by = Some(UnixTime::from_secs(5));
    assert_eq!(of(&[dated]), Err(pc::LockError::LockBy));
}
