//! A journal in memory, which a test can look into, and whose next write it can make the last thing before a crash.

use async_trait::async_trait;
use photon_chains::{Address, IntentKey, Journal, JournalError, Ledger, Settlement, SignedTx, TxId};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Default)]
pub struct MemoryJournal {
    rows: Mutex<Vec<(SignedTx, Option<Settlement>)>>,
    crash: AtomicBool,
}

impl MemoryJournal {
    /// The next write is durable, and then the process dies: whatever was to be sent is not.
    pub fn crash_after_next_record(&self) {
        self.crash.store(true, Ordering::SeqCst);
    }

    /// Every transaction of an intent with its end, oldest first.
    pub fn rows(&self, intent: IntentKey) -> Vec<(SignedTx, Option<Settlement>)> {
        self.rows.lock().unwrap().iter().filter(|(tx, _)| tx.intent == intent).cloned().collect()
    }

    /// Every transaction ever written down, oldest first.
    pub fn all(&self) -> Vec<SignedTx> {
        self.rows.lock().unwrap().iter().map(|(tx, _)| tx.clone()).collect()
    }

    /// How many transactions were ever written down.
    pub fn len(&self) -> usize {
        self.rows.lock().unwrap().len()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn record(&self, tx: &SignedTx) -> Result<(), JournalError> {
        let mut rows = self.rows.lock().unwrap();
        if !rows.iter().any(|(known, _)| known.txid == tx.txid) {
            rows.push((tx.clone(), None));
        }
        if self.crash.swap(false, Ordering::SeqCst) {
            return Err(JournalError("the process died here".to_owned()));
        }
        Ok(())
    }

    async fn of_intent(&self, intent: &IntentKey) -> Result<Vec<SignedTx>, JournalError> {
        Ok(self.rows(*intent).into_iter().map(|(tx, _)| tx).collect())
    }

    async fn unsettled(&self, ledger: Ledger) -> Result<Vec<SignedTx>, JournalError> {
        let rows = self.rows.lock().unwrap();
        let open = rows.iter().filter(|(tx, end)| tx.ledger == ledger && end.is_none());
        Ok(open.map(|(tx, _)| tx.clone()).collect())
    }

    async fn highest_nonce(&self, ledger: Ledger, account: Address) -> Result<Option<u64>, JournalError> {
        let rows = self.rows.lock().unwrap();
        let nonces = rows.iter().filter(|(tx, _)| tx.ledger == ledger).filter_map(|(tx, _)| tx.nonce);
        Ok(nonces.filter(|(owner, _)| *owner == account).map(|(_, nonce)| nonce).max())
    }

    async fn settle(&self, ledger: Ledger, txid: TxId, end: Settlement) -> Result<(), JournalError> {
        let mut rows = self.rows.lock().unwrap();
        for (tx, known) in rows.iter_mut().filter(|(tx, _)| tx.ledger == ledger && tx.txid == txid) {
            assert!(known.is_none_or(|before| before == end), "{} ended twice, differently: {known:?}, {end:?}", tx.txid);
            *known = Some(end);
        }
        Ok(())
    }
}
