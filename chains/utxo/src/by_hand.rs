//! Payments into a lock that other wallets sign (BIP-174, version 0). Pure.

use crate::coins::Selection;
use crate::script::LockScript;
use crate::tx;
use bitcoin::absolute::LockTime;
use bitcoin::psbt::Psbt;
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Transaction, TxOut};

/// The lock's output and nothing else: for wallets that choose the coins themselves. None: it can't be written.
pub fn template(lock: &LockScript, amount: u64) -> Option<Psbt> {
    let output = vec![TxOut { value: Amount::from_sat(amount), script_pubkey: lock.output_script() }];
    described(Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: Vec::new(), output }, lock)
}

/// A payment out of these coins, each with what its signer must know of it. None: it can't be written.
pub fn draft(selection: &Selection, lock: &LockScript, amount: u64, change: &ScriptBuf) -> Option<Psbt> {
    let mut psbt = described(tx::payment(selection, &lock.output_script(), amount, change), lock)?;
    for (input, coin) in psbt.inputs.iter_mut().zip(&selection.coins) {
        input.witness_utxo = Some(TxOut { value: Amount::from_sat(coin.value), script_pubkey: coin.script.clone() });
    }
    Some(psbt)
}

/// Shows what the lock's output is made of: a signer that cares can check the hash, the keys and the time.
fn described(tx: Transaction, lock: &LockScript) -> Option<Psbt> {
    let mut psbt = Psbt::from_unsigned_tx(tx).ok()?;
    psbt.outputs.first_mut()?.witness_script = Some(lock.witness_script().to_owned());
    Some(psbt)
}

/// Whether a transaction funds the lock: by one output of exactly that amount, and none besides.
pub fn funds(tx: &Transaction, lock: &LockScript, amount: u64) -> bool {
    let script = lock.output_script();
    let mut paid = tx.output.iter().filter(|output| output.script_pubkey == script).map(|output| output.value.to_sat());
    paid.next() == Some(amount) && paid.next().is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::coins::Coin;
    use bitcoin::hashes::Hash;
    use bitcoin::{OutPoint, Txid, WPubkeyHash};
    use photon_chains::{Asset, Expiry, Ledger, Lock, LockKey, Party, Secret, Template, UnixTime};

    fn lock() -> LockScript {
        let party = |byte| Party::Key(tx::public_key(&LockKey::from_bytes([byte; 32])).unwrap());
        let lock = Lock {
            asset: Asset::Native(Ledger::Bitcoin),
            amount: photon_chains::Amount::from_units(50_000),
            secret_hash: Secret::from_bytes([1; 32]).hash(),
            redeemer: party(2),
            refundee: party(3),
            expiry: Expiry::at(UnixTime::from_secs(1_900_000_000)),
            template: Template::P2wsh,
        };
        LockScript::of(&lock).unwrap()
    }

    fn wallet() -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros())
    }

    #[test]
    fn a_template_reads_back_and_holds_the_locks_output_alone() {
        let psbt = template(&lock(), 50_000).unwrap();
        let read = Psbt::deserialize(&psbt.serialize()).unwrap();
        assert_eq!(read, psbt);
        assert!(read.unsigned_tx.input.is_empty() && funds(&read.unsigned_tx, &lock(), 50_000));
        assert_eq!(read.outputs[0].witness_script.as_deref(), Some(lock().witness_script()));
    }

    #[test]
    fn a_draft_spends_the_named_coins_and_says_what_they_hold() {
        let coin = Coin { outpoint: OutPoint::new(Txid::all_zeros(), 7), value: 90_000, script: wallet(), confirmed: true };
        let selection = Selection { coins: vec![coin.clone()], change: Some(39_000), fee: 1_000 };
        let psbt = draft(&selection, &lock(), 50_000, &wallet()).unwrap();
        let read = Psbt::deserialize(&psbt.serialize()).unwrap();
        assert_eq!(read.unsigned_tx.input[0].previous_output, coin.outpoint);
        assert_eq!(read.inputs[0].witness_utxo.as_ref().unwrap().value.to_sat(), 90_000);
        assert_eq!(read.fee().unwrap().to_sat(), 1_000);
        assert!(funds(&read.unsigned_tx, &lock(), 50_000));
    }

    #[test]
    fn what_pays_less_more_twice_or_elsewhere_does_not_fund_the_lock() {
        let paying = |values: &[(u64, ScriptBuf)]| {
            let output = values.iter().map(|(value, to)| TxOut { value: Amount::from_sat(*value), script_pubkey: to.clone() });
            Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: Vec::new(), output: output.collect() }
        };
        let to = lock().output_script();
        assert!(funds(&paying(&[(9, wallet()), (50_000, to.clone())]), &lock(), 50_000));
        for bad in [
            vec![],
            vec![(49_999, to.clone())],
            vec![(50_001, to.clone())],
            vec![(50_000, wallet())],
            vec![(50_000, to.clone()), (50_000, to.clone())],
            vec![(50_000, to.clone()), (1, to.clone())],
        ] {
            assert!(!funds(&paying(&bad), &lock(), 50_000), "{bad:?}");
        }
    }
}
