#![allow(clippy::unwrap_used)]
use super::*;
use crate::wire::{Data, Number};
use proptest::prelude::*;

const CONTRACT: Address = Address::repeat_byte(0xcc);

fn log(address: Address, topics: Vec<B256>, data: Vec<u8>) -> Log {
    Log {
        address,
        topics,
        data: Some(Data(data)),
        block_number: Number(1),
        block_hash: B256::ZERO,
        transaction_hash: B256::ZERO,
        log_index: Number(0),
        removed: false,
    }
}

fn tx(from: Address, value: U256, input: Vec<u8>) -> Tx {
    Tx { hash: B256::ZERO, from, to: Some(CONTRACT), value, input: Data(input) }
}

fn terms() -> impl Strategy<Value = (Terms, Secret)> {
    let address = || any::<[u8; 20]>().prop_map(Address::new);
    let token = proptest::option::of(address());
    (token, any::<[u8; 32]>(), any::<u128>(), address(), address(), any::<[u8; 32]>()).prop_map(
        |(token, secret, amount, redeemer, refundee, word)| {
            let secret = Secret::from_bytes(secret);
            let hash = B256::new(*secret.hash().as_bytes());
            let word = U256::from_be_bytes(word);
            (Terms { token, hash, amount: U256::from(amount), redeemer, refundee, word }, secret)
        },
    )
}

proptest! {
    #[test]
    fn our_own_calls_are_read_back_as_the_slot_they_are_for((terms, secret) in terms(), stranger: [u8; 20]) {
        let slot = Slot::new(CONTRACT, 7, terms.clone());
        let stranger = Address::new(stranger);
        let read = |from, value, input| read_call(&tx(from, value, input), slot.kind(), 7);
        prop_assert_eq!(read(terms.refundee, slot.value(), slot.fund_call()), Some(Called::Lock(slot.clone())));
        prop_assert_eq!(read(stranger, U256::ZERO, slot.redeem_call(&secret)), Some(Called::Claim(vec![slot.clone()])));
        prop_assert_eq!(read(stranger, U256::ZERO, slot.refund_call()), Some(Called::Refund(slot.clone())));
        prop_assert!(words(&slot.redeem_call(&secret), false).any(|word| word == secret.expose()));
    }

    #[test]
    fn the_short_forms_and_batches_mean_the_sender((terms, secret) in terms()) {
        let slot = Slot::new(CONTRACT, 7, terms.clone());
        let Terms { token, hash, amount, redeemer, refundee, word } = terms;
        let preimage = B256::new(*secret.expose());
        let one = Redeem { preimage, amount, refundAddress: refundee, timelock: word };
        let redeems = vec![one.clone(), one];
        let (claim, batches, refund) = match token {
            None => (
                NativeForSender::claimCall { preimage, amount, refundAddress: refundee, timelock: word }.abi_encode(),
                [Native::claimBatch_0Call { redeems }.abi_encode(), Native::claimBatch_1Call {
                    preimages: vec![preimage; 2], amounts: vec![amount; 2], refundAddresses: vec![refundee; 2], timelocks: vec![word; 2],
                }.abi_encode()],
                NativeForSender::refundCall { preimageHash: hash, amount, claimAddress: redeemer, timelock: word }.abi_encode(),
            ),
            Some(token) => (
                Erc20HtlcForSender::claimCall { preimage, amount, tokenAddress: token, refundAddress: refundee, timelock: word }.abi_encode(),
                [Erc20Htlc::claimBatch_0Call { tokenAddress: token, redeems }.abi_encode(), Erc20Htlc::claimBatch_1Call {
                    tokenAddress: token, preimages: vec![preimage; 2], amounts: vec![amount; 2], refundAddresses: vec![refundee; 2],
                    timelocks: vec![word; 2],
                }.abi_encode()],
                Erc20HtlcForSender::refundCall {
                    preimageHash: hash, amount, tokenAddress: token, claimAddress: redeemer, timelock: word,
                }.abi_encode(),
            ),
        };
        let read = |from, input| read_call(&tx(from, U256::ZERO, input), slot.kind(), 7);
        prop_assert_eq!(read(redeemer, claim), Some(Called::Claim(vec![slot.clone()])));
        for batch in batches {
            prop_assert_eq!(read(redeemer, batch), Some(Called::Claim(vec![slot.clone(), slot.clone()])));
        }
        prop_assert_eq!(read(refundee, refund), Some(Called::Refund(slot.clone())));
    }

    #[test]
    fn a_lockup_is_read_as_the_slot_it_funds((terms, _) in terms()) {
        let slot = Slot::new(CONTRACT, 7, terms.clone());
        let Terms { token, hash, amount, redeemer, refundee, word } = terms;
        let (signature, data) = match token {
            None => (Native::Lockup::SIGNATURE_HASH, (amount, redeemer, word).abi_encode()),
            Some(token) => (Erc20Htlc::Lockup::SIGNATURE_HASH, (amount, token, redeemer, word).abi_encode()),
        };
        let log = log(CONTRACT, vec![signature, hash, refundee.into_word()], data);
        prop_assert_eq!(read_log(&log, Some(slot.kind()), 7), Some(Event::Lockup(slot.clone())));
        let other_chain = read_log(&log, Some(slot.kind()), 8);
        prop_assert!(matches!(other_chain, Some(Event::Lockup(other)) if other.key != slot.key), "a chain's locks are its own");
    }

    #[test]
    fn events_of_strangers_are_read_exactly_or_not_at_all(topics in proptest::collection::vec(any::<[u8; 32]>(), 0..5), data: Vec<u8>, known in 0usize..3) {
        let signatures = [Native::Lockup::SIGNATURE_HASH, Erc20Htlc::Lockup::SIGNATURE_HASH];
        let mut topics: Vec<_> = topics.into_iter().map(B256::new).collect();
        if let (Some(first), Some(signature)) = (topics.first_mut(), signatures.get(known)) {
            *first = *signature;
        }
        for kind in [None, Some(Kind::Native), Some(Kind::Token)] {
            match read_log(&log(CONTRACT, topics.clone(), data.clone()), kind, 7) {
                Some(Event::Claim(secret)) | Some(Event::Revealed(secret)) => {
                    prop_assert!(topics.contains(&B256::new(*secret.hash().as_bytes())));
                }
                Some(Event::Lockup(_) | Event::Refund(_)) | None => {}
            }
        }
    }

    #[test]
    fn calldata_of_strangers_never_panics(input: Vec<u8>, selector in 0usize..8, value: u128) {
        let selectors = [
            Native::lockCall::SELECTOR, Native::claimBatch_0Call::SELECTOR, Native::claimBatch_1Call::SELECTOR,
            Erc20Htlc::claimBatch_0Call::SELECTOR, Erc20Htlc::claimBatch_1Call::SELECTOR, Native::refundCall::SELECTOR,
        ];
        let mut whole = selectors.get(selector).map(|selector| selector.to_vec()).unwrap_or_default();
        whole.extend(&input);
        for kind in [Kind::Native, Kind::Token] {
            let _ = read_call(&tx(CONTRACT, U256::from(value), whole.clone()), kind, 7);
        }
        prop_assert!(words(&whole, true).count() <= SEARCHED_BYTES);
        let _ = (read_approve(&whole), read_transfer(&whole), read_token_lock(&whole), word(&input), token_said_yes(&input), read_entry(&input));
    }
}

#[test]
fn a_claim_event_with_bytes_that_are_not_its_secret_says_nothing() {
    let secret = Secret::from_bytes([7; 32]);
    let hash = B256::new(*secret.hash().as_bytes());
    let ended = |data: Vec<u8>| read_log(&log(CONTRACT, vec![hash], data), Some(Kind::Native), 1);
    assert_eq!(ended(vec![7; 32]), Some(Event::Claim(secret.clone())));
    assert_eq!(ended(vec![]), Some(Event::Refund(hash)));
    for other in [vec![8; 32], vec![7; 31], vec![7; 33], vec![0]] {
        assert_eq!(ended(other), None);
    }
    // Nor does any event with another number of topics: the standard's own Claim among them.
    assert_eq!(read_log(&log(CONTRACT, vec![], vec![7; 32]), Some(Kind::Native), 1), None);
    assert_eq!(read_log(&log(CONTRACT, vec![B256::ZERO, hash], vec![7; 32]), Some(Kind::Native), 1), None);
    assert_eq!(read_log(&log(CONTRACT, vec![hash], vec![7; 32]), None, 1), Some(Event::Revealed(secret)));
    assert_eq!(read_log(&log(CONTRACT, vec![hash], vec![8; 32]), None, 1), None);
}

#[test]
fn only_true_and_nothing_are_a_yes() {
    assert!(token_said_yes(&[]) && token_said_yes(&U256::from(1).to_be_bytes::<32>()));
    for no in [vec![0; 32], vec![1], vec![0; 31], U256::from(2).to_be_bytes::<32>().to_vec(), vec![0xff; 64]] {
        assert!(!token_said_yes(&no), "{no:?}");
    }
}

/// The selectors and the event hash of EtherSwap and ERC20Swap v6, as their deployed contracts have them.
#[test]
fn signatures_are_those_of_the_de_facto_standard() {
    use alloy::primitives::hex;
    assert_eq!(Native::lockCall::SELECTOR, hex!("0899146b"));
    assert_eq!(Native::claimCall::SELECTOR, hex!("cd413efa"));
    assert_eq!(NativeForSender::claimCall::SELECTOR, hex!("c3c37fbc"));
    assert_eq!(Native::refundCall::SELECTOR, hex!("36504721"));
    assert_eq!(NativeForSender::refundCall::SELECTOR, hex!("35cd4ccb"));
    assert_eq!(Native::Lockup::SIGNATURE_HASH, hex!("15b4b8206809535e547317cd5cedc86cff6e7d203551f93701786ddaf14fd9f9"));
    assert_eq!(Native::claimBatch_1Call::SELECTOR, hex!("c2c3a8c9"));
}
