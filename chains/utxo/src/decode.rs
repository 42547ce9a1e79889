//! Blocks and transactions as the nodes serialise them, into rust-bitcoin's types. Pure; any bytes are read or refused.
//!
//! Litecoin's extension blocks (MWEB) add a flag (0x08) to the transaction format. The transaction that links a block to
//! its extension carries it with nothing behind it, and outputs that leave the extension are ordinary outputs of that
//! very transaction, so it must be read and not skipped; in the mempool, what follows the flag is not ours to understand
//! and is stepped over; a transaction that lies wholly in the extension has no inputs and outputs, and nothing to see.

use bitcoin::absolute::LockTime;
use bitcoin::block::Header;
use bitcoin::consensus::encode::{self, Decodable, VarInt};
use bitcoin::transaction::Version;
use bitcoin::{Transaction, TxIn, TxOut, Witness};

const FLAG_WITNESS: u8 = 0x01;
const FLAG_EXTENSION: u8 = 0x08;
/// No block can hold more: 60 bytes are the least of a transaction, four million the most of a block.
const MAX_BLOCK_TXS: u64 = 4_000_000 / 60;

/// Why bytes are no block or transaction.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They end too early, or a length in them is impossible.
    #[error("malformed: {0}")]
    Malformed(#[from] encode::Error),
    /// A form of transaction that we don't know.
    #[error("unknown transaction flags {0:#04x}")]
    UnknownFlags(u8),
    /// More transactions than a block can hold.
    #[error("more transactions than a block can hold")]
    TooMany,
}

/// A block's header and transactions. An extension block behind them is not read.
pub fn block(mut bytes: &[u8]) -> Result<(Header, Vec<Transaction>), DecodeError> {
    let from = &mut bytes;
    let header = Header::consensus_decode(from)?;
    let count = VarInt::consensus_decode(from)?.0;
    if count > MAX_BLOCK_TXS {
        return Err(DecodeError::TooMany);
    }
    let mut txs = Vec::new();
    for _ in 0..count {
        let (tx, flags) = head(from)?;
        if flags & FLAG_EXTENSION != 0 && u8::consensus_decode(from)? != 0 {
            return Err(DecodeError::UnknownFlags(flags));
        }
        txs.push(Transaction { lock_time: LockTime::consensus_decode(from)?, ..tx });
    }
    Ok((header, txs))
}

/// One transaction by itself. None if it lies wholly in the extension.
pub fn transaction(mut bytes: &[u8]) -> Result<Option<Transaction>, DecodeError> {
    let from = &mut bytes;
    let (tx, _) = head(from)?;
    if tx.input.is_empty() && tx.output.is_empty() {
        return Ok(None);
    }
    // The lock time is the last four bytes, whatever stands between it and the witnesses.
    let mut tail = from.get(from.len().saturating_sub(4)..).unwrap_or_default();
    Ok(Some(Transaction { lock_time: LockTime::consensus_decode(&mut tail)?, ..tx }))
}

/// Everything before the extension and the lock time, and the flags.
fn head(from: &mut &[u8]) -> Result<(Transaction, u8), DecodeError> {
    let version = Version::consensus_decode(from)?;
    let mut input = Vec::<TxIn>::consensus_decode(from)?;
    let mut flags = 0;
    if input.is_empty() && from.first().is_some_and(|flag| *flag != 0) {
        flags = u8::consensus_decode(from)?;
        if flags & !(FLAG_WITNESS | FLAG_EXTENSION) != 0 {
            return Err(DecodeError::UnknownFlags(flags));
        }
        input = Vec::<TxIn>::consensus_decode(from)?;
    }
    let output = Vec::<TxOut>::consensus_decode(from)?;
    if flags & FLAG_WITNESS != 0 {
        for input in &mut input {
            input.witness = Witness::consensus_decode(from)?;
        }
    }
    Ok((Transaction { version, lock_time: LockTime::ZERO, input, output }, flags))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bitcoin::consensus::serialize;
    use bitcoin::constants::genesis_block;
    use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence};
    use proptest::prelude::*;

    fn sample(witness: &[&[u8]]) -> Transaction {
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(vec![1, 7]),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(witness),
        };
        let output = TxOut { value: Amount::from_sat(5), script_pubkey: ScriptBuf::new_op_return([9; 3]) };
        let lock_time = LockTime::from_consensus(77);
        Transaction { version: Version::TWO, lock_time, input: vec![input; 2], output: vec![output] }
    }

    /// The same bytes with the extension flag, and `extension` before the lock time.
    fn extended(tx: &Transaction, extension: &[u8]) -> Vec<u8> {
        let mut bytes = serialize(tx);
        bytes[5] |= FLAG_EXTENSION;
        let at = bytes.len() - 4;
        bytes.splice(at..at, extension.iter().copied());
        bytes
    }

    #[test]
    fn ordinary_transactions_are_read_as_the_library_reads_them() {
        for tx in [sample(&[]), sample(&[b"signature", b"key"])] {
            assert_eq!(transaction(&serialize(&tx)).unwrap(), Some(tx));
        }
    }

    #[test]
    fn an_extension_is_stepped_over_and_its_own_transactions_are_nothing() {
        let tx = sample(&[b"signature"]);
        assert_eq!(transaction(&extended(&tx, &[1; 300])).unwrap(), Some(tx.clone()));
        let within = [2, 0, 0, 0, 0, FLAG_EXTENSION, 0, 0, 1, 1, 1, 0, 0, 0, 0];
        assert_eq!(transaction(&within).unwrap(), None);
        let emptied = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(transaction(&emptied).unwrap(), None);

        let genesis = genesis_block(bitcoin::Network::Regtest);
        let mut bytes = serialize(&genesis.header);
        bytes.push(2);
        bytes.extend(serialize(&tx));
        bytes.extend(extended(&tx, &[0]));
        bytes.extend([1; 50]);
        let (header, txs) = block(&bytes).unwrap();
        assert_eq!((header, txs), (genesis.header, vec![tx.clone(), tx]));
    }

    #[test]
    fn a_real_block_reads() {
        let genesis = genesis_block(bitcoin::Network::Bitcoin);
        assert_eq!(block(&serialize(&genesis)).unwrap(), (genesis.header, genesis.txdata));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, cut in 0usize..400) {
            let _ = (block(&bytes), transaction(&bytes));
            let mut real = serialize(&genesis_block(bitcoin::Network::Bitcoin));
            real.truncate(cut);
            let _ = block(&real);
        }
    }
}
