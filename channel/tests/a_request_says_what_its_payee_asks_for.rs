//! Payment requests: what is written is read, and nobody else's word is taken for the payee's.
#![allow(clippy::unwrap_used)]

use photon_chains::{Address, Secret, UnixTime};
use photon_channel::*;
use proptest::prelude::*;

fn payee() -> Signer {
    Signer::new([7; 32]).unwrap()
}

fn request() -> PaymentRequest {
    PaymentRequest {
        chain_id: 1,
        contract: Address::from_bytes([9; 20]),
        token: None,
        payee: payee().known(),
        amount: Units::from(20_000),
        secret_hash: Secret::from_bytes([3; 32]).hash(),
        expires: UnixTime::from_secs(1_800_003_600),
        least_secs: 900,
        memo: Line::new("two coffees").unwrap(),
        reach: Line::default(),
        hints: Vec::new(),
    }
}

fn hint(byte: u8) -> Hint {
    Hint {
        channel: ChannelId::from_bytes([byte; 32]),
        from: Address::from_bytes([byte; 20]),
        capacity: Units::MAX,
        fee_base: Units::from(1),
        fee_ppm: 10_000,
        slack_secs: 900,
    }
}

fn any_request() -> impl Strategy<Value = PaymentRequest> {
    let money = (any::<u64>(), any::<[u8; 20]>(), proptest::option::of(any::<[u8; 20]>()), 1u128..1 << 96);
    let rest = (any::<[u8; 32]>(), 0u64..1 << 40, any::<u32>(), "[a-zäöü€ ]{0,40}", "[a-z0-9.:@]{0,96}", 0u8..=2);
    (money, rest).prop_map(|((chain_id, contract, token, amount), (secret, expires, least_secs, memo, reach, hints))| {
        PaymentRequest {
            chain_id,
            contract: Address::from_bytes(contract),
            token: token.filter(|token| *token != [0; 20]).map(Address::from_bytes),
            amount: Units::new(amount).unwrap(),
            secret_hash: Secret::from_bytes(secret).hash(),
            expires: UnixTime::from_secs(expires),
            least_secs,
            memo: Line::new(memo).unwrap(),
            reach: Line::new(reach).unwrap(),
            hints: (0..hints).map(hint).collect(),
            ..request()
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_also_from_capitals(request in any_request()) {
        let text = request.write(&payee()).unwrap();
        prop_assert_eq!(PaymentRequest::read(&text), Ok(request.clone()));
        prop_assert_eq!(PaymentRequest::read(&text.to_ascii_uppercase()), Ok(request));
    }

    #[test]
    fn any_text_is_a_request_or_an_error(text in "photon1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{0,1100}|.{0,40}") {
        prop_assert!(PaymentRequest::read(&text).is_err());
    }
}

#[test]
fn the_largest_request_fits_a_text() {
    let largest = PaymentRequest {
        token: Some(Address::from_bytes([1; 20])),
        memo: Line::new("m".repeat(MOST_MEMO)).unwrap(),
        reach: Line::new("r".repeat(MOST_REACH)).unwrap(),
        hints: vec![hint(1); MOST_HINTS],
        ..request()
    };
    let text = largest.write(&payee()).unwrap();
    assert!(text.len() > 900, "{}", text.len());
    assert_eq!(PaymentRequest::read(&text), Ok(largest));
    let more = PaymentRequest { hints: vec![hint(1); MOST_HINTS + 1], ..request() };
    assert_eq!(more.write(&payee()), Err(RequestError::Content));
}

#[test]
fn nobody_asks_in_the_name_of_another() {
    let stranger = Signer::new([8; 32]).unwrap();
    assert_eq!(request().write(&stranger), Err(RequestError::Signature));
}

/// Every field is under the signature: with any of them changed, and a checksum that fits, it is not the payee's word.
#[test]
fn a_request_with_any_field_changed_is_not_the_payees() {
    let signature = |request: &PaymentRequest| {
        let digest = request.digest(&Domain::new(request.chain_id, request.contract));
        payee().sign(&digest)
    };
    let original = signature(&request());
    let changed = [
        PaymentRequest { chain_id: 2, ..request() },
        PaymentRequest { contract: Address::from_bytes([8; 20]), ..request() },
        PaymentRequest { token: Some(Address::from_bytes([8; 20])), ..request() },
        PaymentRequest { payee: Signer::new([8; 32]).unwrap().known(), ..request() },
        PaymentRequest { amount: Units::from(20_001), ..request() },
        PaymentRequest { secret_hash: Secret::from_bytes([4; 32]).hash(), ..request() },
        PaymentRequest { expires: UnixTime::from_secs(1_800_003_601), ..request() },
        PaymentRequest { least_secs: 901, ..request() },
        PaymentRequest { memo: Line::new("two coffee").unwrap(), ..request() },
        PaymentRequest { reach: Line::new("here").unwrap(), ..request() },
        PaymentRequest { hints: vec![hint(1)], ..request() },
    ];
    for request in changed {
        assert_ne!(signature(&request), original, "{request:?}");
    }
}

#[test]
fn what_can_not_be_asked_for_is_refused_at_both_ends() {
    for bad in [
        PaymentRequest { amount: Units::ZERO, ..request() },
        PaymentRequest { secret_hash: Secret::from_bytes([0; 32]).hash(), ..request() },
        PaymentRequest { expires: UnixTime::from_secs(1 << 40), ..request() },
        PaymentRequest { token: Some(Address::from_bytes([0; 20])), ..request() },
    ] {
        assert_eq!(bad.write(&payee()), Err(RequestError::Content), "{bad:?}");
    }
}

#[test]
fn a_line_hides_nothing() {
    for text in ["a\nb", "a\u{202e}b", "a\u{200b}b", "\u{feff}", "\u{2066}", "\u{0}"] {
        assert_eq!(Line::<MOST_MEMO>::new(text), None, "{text:?}");
    }
    assert_eq!(Line::<4>::new("äöü"), None, "six bytes");
    assert_eq!(Line::<6>::new("äöü").unwrap().as_str(), "äöü");
}

#[test]
fn a_request_is_paid_once_whoever_tries_it_and_not_after_its_time() {
    let request = request();
    assert_eq!(request.payment(), PaymentRequest::read(&request.write(&payee()).unwrap()).unwrap().payment());
    assert!(request.is_open(request.expires) && !request.is_open(request.expires.plus_secs(1)));
    assert_eq!(PaymentRequest { hints: vec![hint(1)], ..request }.edges().next().unwrap().to, payee().address());
}

/// The text of a known request never changes: one written today is read tomorrow.
#[test]
fn the_text_does_not_change_by_accident() {
    let text = request().write(&payee()).unwrap();
    let expected = "photon1qyqqqqqqqqqqqqgfpyysjzgfpyysjzgfpyysjzgfpyysjzgqq2vfczmkedtrju0aexl0x8kqds6kpueyn4hwnewc83tky4vkup0k7\
                    qqqqqqqqqqqqqqqqn3qvj92t3telvc08zhhgnvh6mkggrr6jynh5jv6p4uq70nnznk2py9sqqqqqp45ncqsqqqq8pqtw3mk7grrdanxvet9w\
                    vqqqqzetsge6gzxu04zgwktj48mywalyyc89twdjwpxqtr5k6t7exkl832ku6mh7mswsfxcyjr5rasmc0jsjn3me7zvvjlj4vurmzpntxe22\
                    8qfgdxsc";
    assert_eq!(text, expected);
}
