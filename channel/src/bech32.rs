//! Bytes as text that can be read aloud, typed and shown as a QR code (BIP-173's alphabet, BIP-350's checksum).
//!
//! The checksum's code is 1023 symbols long: a text is never longer, so that any three wrong characters are noticed. What a
//! text means is signed besides.

/// The 32 characters, in the order of their values.
const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The symbols of a checksum.
const CHECK: usize = 6;

/// What the checksum of a good text comes to (BIP-350).
const GOOD: u32 = 0x2bc8_30a3;

/// The longest text, in characters. What stands before the separator counts twice, as the checksum reads it.
pub const MOST_CHARS: usize = 1_000;

/// Why a text is none of ours.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Too long, an odd character, upper and lower case together, or another word in front.
    #[error("the text is not of this form")]
    Form,
    /// A character was read or typed wrongly.
    #[error("the text has a typing error in it")]
    Checksum,
}

fn polymod(symbols: impl IntoIterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    symbols.into_iter().fold(1, |sum: u32, symbol| {
        let (top, shifted) = (sum >> 25, (sum & 0x01ff_ffff) << 5 ^ u32::from(symbol));
        (0u32..).zip(GENERATOR).fold(shifted, |sum, (bit, part)| if top >> bit & 1 == 1 { sum ^ part } else { sum })
    })
}

/// The word in front as the checksum reads it.
fn spread(word: &str) -> impl Iterator<Item = u8> + '_ {
    word.bytes().map(|byte| byte >> 5).chain([0]).chain(word.bytes().map(|byte| byte & 31))
}

/// From groups of so many bits to groups of others, the last one filled up with zeros.
fn regroup(values: impl IntoIterator<Item = u8>, from: u32, to: u32) -> (Vec<u8>, u32, u32) {
    let (mut held, mut bits) = (0u32, 0u32);
    let mut out = Vec::new();
    for value in values {
        held = held << from | u32::from(value);
        bits += from;
        while bits >= to {
            bits -= to;
            out.push((held >> bits & ((1 << to) - 1)) as u8);
        }
        held &= (1 << bits) - 1;
    }
    (out, held, bits)
}

/// The text. None where it would be too long.
pub fn write(word: &str, bytes: &[u8]) -> Option<String> {
    let (mut symbols, held, bits) = regroup(bytes.iter().copied(), 8, 5);
    if bits > 0 {
        symbols.push((held << (5 - bits)) as u8);
    }
    if word.len() + 1 + symbols.len() + CHECK > MOST_CHARS {
        return None;
    }
    let sum = polymod(spread(word).chain(symbols.iter().copied()).chain([0; CHECK])) ^ GOOD;
    symbols.extend((0..6).rev().map(|at| (sum >> (5 * at) & 31) as u8));
    let chars = symbols.iter().filter_map(|symbol| ALPHABET.get(usize::from(*symbol))).map(|byte| char::from(*byte));
    Some(word.chars().chain(['1']).chain(chars).collect())
}

/// The bytes of a text with that word in front. All in capitals it is the same text, as QR codes like it.
pub fn read(word: &str, text: &str) -> Result<Vec<u8>, TextError> {
    let is_mixed = text.bytes().any(|byte| byte.is_ascii_uppercase()) && text.bytes().any(|byte| byte.is_ascii_lowercase());
    if text.len() > MOST_CHARS || !text.is_ascii() || is_mixed {
        return Err(TextError::Form);
    }
    let text = text.to_ascii_lowercase();
    let body = text.strip_prefix(word).and_then(|rest| rest.strip_prefix('1')).ok_or(TextError::Form)?;
    let value = |byte: u8| ALPHABET.iter().position(|symbol| *symbol == byte).and_then(|at| u8::try_from(at).ok());
    let symbols: Vec<u8> = body.bytes().map(value).collect::<Option<_>>().ok_or(TextError::Form)?;
    let (data, _) = symbols.split_at_checked(symbols.len().wrapping_sub(CHECK)).ok_or(TextError::Form)?;
    if polymod(spread(word).chain(symbols.iter().copied())) != GOOD {
        return Err(TextError::Checksum);
    }
    let (bytes, held, bits) = regroup(data.iter().copied(), 5, 8);
    // One value has one form: what fills the last symbol up is zero, and less than a symbol.
    if bits >= 5 || held != 0 { Err(TextError::Form) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    // Good texts of BIP-350, and one of its bad ones.
    #[test]
    fn the_texts_of_the_proposal_are_read_as_it_says() {
        assert_eq!(read("a", "A1LQFN3A"), Ok(vec![]));
        // Its symbols are 31, 30, 29 and so on down to 0.
        let data = read("abcdef", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx").unwrap();
        assert_eq!(hex::encode(data), "ffbbcdeb38bdab49ca307b9ac5a928398a418820");
        assert_eq!(read("?", "?1v759aa"), Ok(vec![]));
        assert_eq!(read("m", "M1VUXWEZ"), Err(TextError::Checksum));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_in_small_letters_and_in_capitals(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let text = write("photon", &bytes).unwrap();
            prop_assert_eq!(read("photon", &text), Ok(bytes.clone()));
            prop_assert_eq!(read("photon", &text.to_ascii_uppercase()), Ok(bytes));
            prop_assert_eq!(read("photos", &text), Err(TextError::Form));
        }

        #[test]
        fn up_to_three_wrong_characters_are_noticed(
            bytes in proptest::collection::vec(any::<u8>(), 1..600),
            wrong in proptest::collection::vec((any::<usize>(), 1u8..32), 1..4),
        ) {
            let text = write("photon", &bytes).unwrap();
            let mut changed = text.clone().into_bytes();
            for (at, by) in wrong {
                let at = 7 + at % (changed.len() - 7);
                let value = ALPHABET.iter().position(|symbol| *symbol == changed[at]).unwrap();
                changed[at] = ALPHABET[value ^ usize::from(by)];
            }
            let changed = String::from_utf8(changed).unwrap();
            prop_assert!(changed == text || read("photon", &changed).is_err());
        }
    }
}
