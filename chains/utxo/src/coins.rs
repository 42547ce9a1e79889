//! Which coins of the wallet pay for an output. Pure.

use bitcoin::{OutPoint, ScriptBuf, Weight};

/// The most inputs one payment takes: above that a wallet should be tidied first.
pub const MAX_INPUTS: usize = 200;

/// An unspent output of the wallet that it can sign for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// Which.
    pub outpoint: OutPoint,
    /// Its value.
    pub value: u64,
    /// Its script.
    pub script: ScriptBuf,
    /// True if it is in a block.
    pub confirmed: bool,
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The coins to spend.
    pub coins: Vec<Coin>,
    /// What goes back to the wallet. None where it would be dust: it is left to the fee.
    pub change: Option<u64>,
    /// What the transaction pays for being mined.
    pub fee: u64,
}

/// The coins don't suffice.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// What the payment and its fee need.
    pub needed: u64,
    /// What there is.
    pub available: u64,
}

/// What a payment asks of the coins.
pub struct Wanted<'a> {
    /// The value of the output.
    pub amount: u64,
    /// Its script.
    pub to: &'a ScriptBuf,
    /// Where change goes.
    pub change: &'a ScriptBuf,
    /// The least change worth keeping.
    pub dust: u64,
    /// Satoshi per thousand virtual bytes.
    pub rate: u64,
}

/// Weight of an input that spends this script with a low-R signature. None for scripts that the wallet could sign in more
/// than one way or that it could not sign: such coins are left alone.
pub fn input_weight(script: &ScriptBuf) -> Option<Weight> {
    const OUTPOINT_AND_SEQUENCE: u64 = 36 + 4;
    let (script_sig, witness) = if script.is_p2wpkh() {
        (1, 1 + 1 + 71 + 1 + 33)
    } else if script.is_p2tr() {
        (1, 1 + 1 + 64)
    } else if script.is_p2pkh() {
        (1 + 1 + 71 + 1 + 33, 1)
    } else if script.is_p2sh() {
        (1 + 1 + 22, 1 + 1 + 71 + 1 + 33)
    } else {
        return None;
    };
    Some(Weight::from_wu(4 * (OUTPOINT_AND_SEQUENCE + script_sig) + witness))
}

/// The fee of so much weight at that rate, rounded up.
pub fn fee_of(weight: Weight, rate: u64) -> u64 {
    weight.to_vbytes_ceil().saturating_mul(rate).div_ceil(1000)
}

/// Chooses coins: one that suffices, the smallest such, if there is one; else the largest first. Confirmed native-segwit
/// coins are preferred, then our own unconfirmed change, then older kinds.
pub fn select(coins: &[Coin], want: &Wanted<'_>) -> Result<Selection, Shortfall> {
    let mut usable: Vec<&Coin> = coins.iter().filter(|coin| worth(coin, want.rate)).collect();
    usable.sort_by_key(|coin| (rank(coin), std::cmp::Reverse(coin.value), coin.outpoint));
    for rank_limit in 0..=3 {
        let allowed = usable.iter().copied().filter(|coin| rank(coin) <= rank_limit);
        let single = allowed.filter_map(|coin| fill(&[coin], want)).min_by_key(|found| held(&found.coins));
        if let Some(found) = single {
            return Ok(found);
        }
    }
    let mut taken: Vec<&Coin> = Vec::new();
    for coin in usable.iter().copied().take(MAX_INPUTS) {
        taken.push(coin);
        if let Some(found) = fill(&taken, want) {
            return Ok(found);
        }
    }
    let inputs = taken.iter().filter_map(|coin| input_weight(&coin.script)).fold(Weight::ZERO, |sum, weight| sum + weight);
    let fee = fee_of(base_weight(want) + inputs, want.rate);
    let available = coins.iter().map(|coin| coin.value).fold(0, u64::saturating_add);
    Err(Shortfall { needed: want.amount.saturating_add(fee), available })
}

fn rank(coin: &Coin) -> u8 {
    let old_kind = !coin.script.is_p2wpkh();
    2 * u8::from(old_kind) + u8::from(!coin.confirmed)
}

/// True if it brings more than it costs.
fn worth(coin: &Coin, rate: u64) -> bool {
    input_weight(&coin.script).is_some_and(|weight| coin.value > fee_of(weight, rate))
}

fn held<'a>(coins: impl IntoIterator<Item = &'a Coin>) -> u64 {
    coins.into_iter().map(|coin| coin.value).fold(0, u64::saturating_add)
}

fn output_weight(script: &ScriptBuf) -> Weight {
    Weight::from_vb_unchecked(8 + 1 + script.len() as u64)
}

/// Version, marker, counts, lock time and the one output.
fn base_weight(want: &Wanted<'_>) -> Weight {
    Weight::from_wu(4 * (4 + 1 + 1 + 4) + 2) + output_weight(want.to)
}

fn fill(coins: &[&Coin], want: &Wanted<'_>) -> Option<Selection> {
    let sum = held(coins.iter().copied());
    let inputs = coins.iter().map(|coin| input_weight(&coin.script)).try_fold(Weight::ZERO, |sum, weight| Some(sum + weight?))?;
    let bare = base_weight(want) + inputs;
    let left = sum.checked_sub(want.amount)?.checked_sub(fee_of(bare, want.rate))?;
    let with_change = fee_of(bare + output_weight(want.change), want.rate);
    let change = sum.saturating_sub(want.amount).checked_sub(with_change).filter(|change| *change >= want.dust);
    let fee = change.map_or(left + fee_of(bare, want.rate), |_| with_change);
    Some(Selection { coins: coins.iter().map(|coin| (*coin).clone()).collect(), change, fee })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bitcoin::hashes::Hash;
    use bitcoin::{Txid, WPubkeyHash, WScriptHash};
    use proptest::prelude::*;

    fn coin(value: u64, n: u32, confirmed: bool) -> Coin {
        let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros());
        Coin { outpoint: OutPoint::new(Txid::all_zeros(), n), value, script, confirmed }
    }

    fn scripts() -> (ScriptBuf, ScriptBuf) {
        (ScriptBuf::new_p2wsh(&WScriptHash::all_zeros()), ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros()))
    }

    #[test]
    fn the_smallest_coin_that_suffices_is_taken() {
        let (to, change) = scripts();
        let want = Wanted { amount: 50_000, to: &to, change: &change, dust: 294, rate: 1000 };
        let coins = [coin(1_000_000, 0, true), coin(60_000, 1, true), coin(51_000, 2, false), coin(50_000, 3, true)];
        let chosen = select(&coins, &want).unwrap();
        assert_eq!((chosen.coins.len(), chosen.coins[0].value), (1, 60_000), "confirmed before unconfirmed");
        assert_eq!((chosen.fee, chosen.change), (153, Some(60_000 - 50_000 - 153)));
    }

    #[test]
    fn dust_change_goes_to_the_fee() {
        let (to, change) = scripts();
        let want = Wanted { amount: 50_000, to: &to, change: &change, dust: 294, rate: 1000 };
        let chosen = select(&[coin(50_300, 0, true)], &want).unwrap();
        assert_eq!((chosen.change, chosen.fee), (None, 300));
    }

    #[test]
    fn too_little_says_how_much() {
        let (to, change) = scripts();
        let want = Wanted { amount: 50_000, to: &to, change: &change, dust: 294, rate: 1000 };
        assert_eq!(select(&[], &want).unwrap_err().available, 0);
        let short = select(&[coin(20_000, 0, true), coin(30_000, 1, true)], &want).unwrap_err();
        assert_eq!((short.available, short.needed > 50_000), (50_000, true));
    }

    proptest! {
        #[test]
        fn money_is_neither_made_nor_lost(
            values in prop::collection::vec((1u64..10_000_000, any::<bool>()), 0..40),
            amount in 1000u64..20_000_000,
            rate in 1000u64..100_000,
        ) {
            let (to, change) = scripts();
            let want = Wanted { amount, to: &to, change: &change, dust: 294, rate };
            let coins: Vec<Coin> = values.iter().zip(0..).map(|((value, ok), n)| coin(*value, n, *ok)).collect();
            match select(&coins, &want) {
                Ok(found) => {
                    prop_assert_eq!(held(&found.coins), amount + found.change.unwrap_or(0) + found.fee);
                    prop_assert!(found.change.is_none_or(|change| change >= 294));
                    let distinct: std::collections::HashSet<_> = found.coins.iter().map(|coin| coin.outpoint).collect();
                    prop_assert_eq!(distinct.len(), found.coins.len());
                    let least = 10 + 43 + 68 * (found.coins.len() as u64);
                    prop_assert!(found.fee * 1000 >= least * rate && found.fee <= (least + 40) * rate / 1000 + 400 + rate);
                }
                Err(short) => {
                    let useful: u64 = coins.iter().map(|coin| coin.value.saturating_sub(68 * rate / 1000)).sum();
                    prop_assert!(useful < amount + 54 * rate / 1000 + 40 * rate / 1000, "{:?}", short);
                }
            }
        }
    }
}
