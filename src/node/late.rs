//! A journal that is opened after the nodes were met: a start that is refused, on the wrong network say, must not leave a database
//! behind that is sealed for it.

use crate::store::Store;
use async_trait::async_trait;
use photon_chains::{Address, IntentKey, Journal, JournalError, Ledger, Settlement, SignedTx, TxId};
use std::sync::OnceLock;

/// The store, once it is open. Until then nothing can be written, so nothing can be sent.
#[derive(Default)]
pub struct LateJournal(OnceLock<Store>);

impl LateJournal {
    /// From now on everything goes to this store.
    pub fn open(&self, store: Store) {
        self.0.get_or_init(|| store);
    }

    fn store(&self) -> Result<&Store, JournalError> {
        self.0.get().ok_or_else(|| JournalError("the database is not open yet".to_owned()))
    }
}

#[async_trait]
impl Journal for LateJournal {
    async fn record(&self, tx: &SignedTx) -> Result<(), JournalError> {
        self.store()?.record(tx).await
    }

    async fn of_intent(&self, intent: &IntentKey) -> Result<Vec<SignedTx>, JournalError> {
        self.store()?.of_intent(intent).await
    }

    async fn unsettled(&self, ledger: Ledger) -> Result<Vec<SignedTx>, JournalError> {
        self.store()?.unsettled(ledger).await
    }

    async fn highest_nonce(&self, ledger: Ledger, account: Address) -> Result<Option<u64>, JournalError> {
        self.store()?.highest_nonce(ledger, account).await
    }

    async fn settle(&self, ledger: Ledger, txid: TxId, end: Settlement) -> Result<(), JournalError> {
        self.store()?.settle(ledger, txid, end).await
    }
}
