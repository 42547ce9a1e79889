//! The journal of signed transactions, as the adapters need it, and what the API shows of it.

use super::points;
use super::rows::{all_rows, change, first_row, optional_time, parsed, time};
use super::seal::Seals;
use super::{Store, StoreError};
use async_trait::async_trait;
use photon_chains::{
    Address, Amount, BlockHeight, BlockRef, Canon, Hash32, IntentKey, Journal, JournalError, Ledger, LockId, Purpose, Settlement,
    SignedTx, TxId, UnixTime,
};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// How a transaction ended, and when that was written down.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct TxEnd {
    /// When.
    pub at: UnixTime,
    /// How.
    pub settlement: Settlement,
}

/// A signed transaction without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxRow {
    /// What it is for.
    pub intent: IntentKey,
    /// Its ledger.
    pub ledger: Ledger,
    /// Its id.
    pub txid: TxId,
    /// On an EVM ledger, the account and nonce it takes.
    pub nonce: Option<(Address, u64)>,
    /// The fee it pays (UTXO), or the most it may pay (EVM), in the ledger's native smallest unit.
    pub fee: Amount,
    /// When it was written down.
    pub made_at: UnixTime,
    /// How it ended, once that is final.
    pub ended: Option<TxEnd>,
}

impl Store {
    /// Every transaction about a lock, or about the payment or the call of that id, oldest first.
    pub async fn transactions_of(&self, subject: LockId) -> Result<Vec<TxRow>, StoreError> {
        self.read(move |read| {
            let intent = |purpose| IntentKey::new(purpose, subject).to_string();
            let all = [Purpose::Fund, Purpose::Cancel, Purpose::Redeem, Purpose::Refund, Purpose::Send, Purpose::Call];
            let params = all.map(intent);
            all_rows!(read.conn, OF_SUBJECT, params, tx_row)
        })
        .await
    }

    /// What our final transactions paid in fees on a ledger, in its native smallest unit.
    pub async fn fees_paid(&self, ledger: Ledger) -> Result<Amount, StoreError> {
        self.read(move |read| fees_paid(read.conn, ledger)).await
    }

    async fn record_tx(&self, tx: SignedTx) -> Result<(), StoreError> {
        self.write(move |write| {
            let known = "SELECT intent FROM transactions WHERE ledger = ?1 AND txid = ?2";
            let intent = tx.intent.to_string();
            let params = (tx.ledger.name(), tx.txid.as_bytes());
            let known: Option<String> = write.conn.prepare_cached(known)?.query_row(params, |row| row.get(0)).optional()?;
            if let Some(known) = known {
                return if known == intent { Ok(()) } else { Err(StoreError::Conflict("transaction")) };
            }
            points::detail(format_args!("{}/{}", tx.intent.purpose.word(), tx.ledger));
            let raw = write.seals.seal(&place(tx.ledger, tx.txid), &tx.raw)?;
            let inputs = serde_json::to_string(&tx.inputs).map_err(|_| StoreError::Unreadable("input"))?;
            write.conn.prepare_cached(INSERT)?.execute(named_params! {
                ":intent": intent, ":ledger": tx.ledger.name(), ":txid": tx.txid.as_bytes(), ":raw": raw,
                ":account": tx.nonce.as_ref().map(|(account, _)| account.as_bytes()),
                ":nonce": tx.nonce.map(|(_, nonce)| nonce), ":inputs": inputs, ":fee": tx.fee.to_string(),
                ":made_at": write.now.secs(),
            })?;
            Ok(())
        })
        .await
    }

    async fn settle_tx(&self, ledger: Ledger, txid: TxId, end: Settlement) -> Result<(), StoreError> {
        self.write(move |write| {
            let (ending, at, fee, succeeded) = match end {
                Settlement::Mined { at, fee, succeeded } => ("mined", Some(at), Some(fee.to_string()), Some(succeeded)),
                Settlement::Replaced => ("replaced", None, None, None),
            };
            let known = "SELECT * FROM transactions WHERE ledger = ?1 AND txid = ?2";
            let known = first_row!(write.conn, known, (ledger.name(), txid.as_bytes()), tx_row)?;
            points::detail(format_args!("{ending}/{ledger}"));
            let before = known.ok_or(StoreError::NoSuch("transaction"))?.ended.map(|end| end.settlement);
            add_fee(write.conn, ledger, before, end)?;
            write.conn.prepare_cached(SETTLE)?.execute(named_params! {
                ":ledger": ledger.name(), ":txid": txid.as_bytes(), ":now": write.now.secs(), ":ending": ending,
                ":height": at.map(|at| at.height.get()), ":hash": at.as_ref().map(|at| at.hash.as_bytes()),
                ":fee": fee, ":succeeded": succeeded,
            })?;
            Ok(())
        })
        .await
    }
}

pub(super) const OF_SUBJECT: &str = "SELECT * FROM transactions WHERE intent IN (?1, ?2, ?3, ?4, ?5, ?6) ORDER BY n";
pub(super) const OF_INTENT: &str = "SELECT * FROM transactions WHERE intent = ?1 ORDER BY n";
pub(super) const UNSETTLED: &str =
    "SELECT * FROM transactions INDEXED BY transactions_unsettled WHERE ledger = ?1 AND ending IS NULL ORDER BY n";
pub(super) const HIGHEST_NONCE: &str = "SELECT max(nonce) FROM transactions INDEXED BY transactions_by_nonce \
                                        WHERE ledger = ?1 AND account = ?2 AND account IS NOT NULL";
const INSERT: &str = "INSERT INTO transactions(intent, ledger, txid, raw, account, nonce, inputs, fee, made_at) \
                      VALUES(:intent, :ledger, :txid, :raw, :account, :nonce, :inputs, :fee, :made_at)";
// The time of the first word stays; the word itself may change, as a chain may after a deep reorganisation.
const SETTLE: &str = "UPDATE transactions SET settled_at = coalesce(settled_at, :now), ending = :ending, block_height = :height, \
                      block_hash = :hash, paid_fee = :fee, succeeded = :succeeded WHERE ledger = :ledger AND txid = :txid";

#[async_trait]
impl Journal for Store {
    async fn record(&self, tx: &SignedTx) -> Result<(), JournalError> {
        self.record_tx(tx.clone()).await.map_err(journal_error)
    }

    async fn of_intent(&self, intent: &IntentKey) -> Result<Vec<SignedTx>, JournalError> {
        let intent = intent.to_string();
        let rows = self.read(move |read| all_rows!(read.conn, OF_INTENT, [intent], |row| signed_tx(read.seals, row))).await;
        rows.map_err(journal_error)
    }

    async fn unsettled(&self, ledger: Ledger) -> Result<Vec<SignedTx>, JournalError> {
        let rows =
            self.read(move |read| all_rows!(read.conn, UNSETTLED, [ledger.name()], |row| signed_tx(read.seals, row))).await;
        rows.map_err(journal_error)
    }

    async fn highest_nonce(&self, ledger: Ledger, account: Address) -> Result<Option<u64>, JournalError> {
        let nonce = self.read(move |read| {
            let mut query = read.conn.prepare_cached(HIGHEST_NONCE)?;
            Ok(query.query_row((ledger.name(), account.as_bytes()), |row| row.get(0))?)
        });
        nonce.await.map_err(journal_error)
    }

    async fn settle(&self, ledger: Ledger, txid: TxId, end: Settlement) -> Result<(), JournalError> {
        self.settle_tx(ledger, txid, end).await.map_err(journal_error)
    }
}

fn fees_paid(conn: &Connection, ledger: Ledger) -> Result<Amount, StoreError> {
    let total = first_row!(conn, "SELECT total FROM fees_paid WHERE ledger = ?1", [ledger.name()], |row| {
        let total: String = row.get(0)?;
        parsed(&total, "fee")
    })?;
    Ok(total.unwrap_or(Amount::ZERO))
}

/// Keeps the sum in step with a settlement that is written down, or changed.
fn add_fee(conn: &Connection, ledger: Ledger, before: Option<Settlement>, after: Settlement) -> Result<(), StoreError> {
    let paid = |settlement: Settlement| match settlement {
        Settlement::Mined { fee, .. } => fee,
        Settlement::Replaced => Amount::ZERO,
    };
    let total = fees_paid(conn, ledger)?
        .checked_sub(before.map_or(Amount::ZERO, paid))
        .and_then(|total| total.checked_add(paid(after)))
        .ok_or(StoreError::Unreadable("fee"))?;
    let sql = "INSERT INTO fees_paid(ledger, total) VALUES(?1, ?2) ON CONFLICT(ledger) DO UPDATE SET total = excluded.total";
    change!(conn, sql, (ledger.name(), total.to_string()))?;
    Ok(())
}

fn journal_error(error: StoreError) -> JournalError {
    JournalError(error.to_string())
}

fn place(ledger: Ledger, txid: TxId) -> Vec<u8> {
    Canon::tagged("photon/store/transactions/1").text(ledger.name()).bytes(txid.as_bytes()).finish()
}

fn nonce(row: &Row<'_>) -> Result<Option<(Address, u64)>, StoreError> {
    let account = row.get::<_, Option<[u8; 20]>>("account")?.map(Address::from_bytes);
    Ok(account.zip(row.get("nonce")?))
}

fn signed_tx(seals: &Seals, row: &Row<'_>) -> Result<SignedTx, StoreError> {
    let TxRow { intent, ledger, txid, nonce, fee, .. } = tx_row(row)?;
    let raw = seals.open(&place(ledger, txid), &row.get::<_, Vec<u8>>("raw")?, "transaction")?;
    let inputs = serde_json::from_str(&row.get::<_, String>("inputs")?).map_err(|_| StoreError::Unreadable("input"))?;
    Ok(SignedTx { intent, ledger, txid, raw, nonce, inputs, fee })
}

fn tx_row(row: &Row<'_>) -> Result<TxRow, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.get(column)?) };
    let settled_at = optional_time(row, "settled_at")?;
    Ok(TxRow {
        intent: parsed(&text("intent")?, "intent")?,
        ledger: parsed(&text("ledger")?, "ledger")?,
        txid: TxId::from_bytes(row.get("txid")?),
        nonce: nonce(row)?,
        fee: parsed(&text("fee")?, "fee")?,
        made_at: time(row, "made_at")?,
        ended: match settled_at {
            Some(at) => Some(TxEnd { at, settlement: settlement(row)? }),
            None => None,
        },
    })
}

fn settlement(row: &Row<'_>) -> Result<Settlement, StoreError> {
    if row.get::<_, String>("ending")? == "replaced" {
        return Ok(Settlement::Replaced);
    }
    let height = BlockHeight::new(row.get("block_height")?);
    let at = BlockRef { height, hash: Hash32::from_bytes(row.get("block_hash")?) };
    let fee = parsed(&row.get::<_, String>("paid_fee")?, "fee")?;
    Ok(Settlement::Mined { at, fee, succeeded: row.get("succeeded")? })
}
