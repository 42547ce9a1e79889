//! How what we signed ended: known only at final depth, and only from blocks.

use super::UtxoAdapter;
use super::wallet::inputs_of;
use crate::params::Replacements;
use crate::tracker::Place;
use crate::tx::shown_id;
use crate::view;
use photon_chains::{PortError, Settlement, SignedTx, TxId};

/// What blocks at final depth say of a transaction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Mined(Place),
    Replaced,
}

impl UtxoAdapter {
    /// Before blocks are read: have the tracker see what takes the inputs of what is not settled.
    pub(super) async fn watch_own_inputs(&self) -> Result<(), PortError> {
        let unsettled = self.journal.unsettled(self.params.chain.ledger).await?;
        self.state().tracker.add_own(unsettled.iter().flat_map(inputs_of));
        Ok(())
    }

    /// Settles what is final.
    pub(super) async fn settle(&self, tip: Place) -> Result<(), PortError> {
        let ledger = self.params.chain.ledger;
        let ask_wallet = self.state().settled_at.replace(tip) != Some(tip);
        for tx in self.journal.unsettled(ledger).await? {
            let fate = match self.fate(&tx, tip) {
                Fate::Open if ask_wallet => self.fate_if_wallet_knows(tx.txid).await,
                known => known,
            };
            let end = match fate {
                Fate::Open => {
                    if ask_wallet && self.params.chain.replacements == Replacements::Refused {
                        self.finish_child(&tx).await;
                    }
                    continue;
                }
                Fate::Mined(at) => Settlement::Mined { at: view::block_ref(at), fee: tx.fee, succeeded: true },
                Fate::Replaced => {
                    self.state().dead.insert(tx.txid);
                    Settlement::Replaced
                }
            };
            self.journal.settle(ledger, tx.txid, end).await?;
            tracing::info!(chain = %ledger, intent = %tx.intent, txid = %tx.txid, ?fate, "settled");
        }
        self.forget_settled().await
    }

    /// True if a transaction can never be mined any more, as far as that can be shown. One that was settled before this
    /// start and that the wallet has never heard of is not called dead: paying twice is worse than not paying.
    pub(super) async fn is_dead(&self, tx: &SignedTx) -> Result<bool, PortError> {
        let (known, tip) = {
            let state = self.state();
            (state.dead.contains(&tx.txid), state.tip)
        };
        let Some(tip) = tip.filter(|_| !known) else { return Ok(known) };
        let fate = match self.fate(tx, tip.place) {
            Fate::Open => self.fate_by_wallet(tx.txid).await?,
            known => known,
        };
        Ok(fate == Fate::Replaced)
    }

    fn fate(&self, tx: &SignedTx, tip: Place) -> Fate {
        let state = self.state();
        // An output of a transaction that is never mined will never be.
        if inputs_of(tx).any(|input| state.dead.contains(&shown_id(input.txid))) {
            return Fate::Replaced;
        }
        let taken = inputs_of(tx).filter_map(|input| state.tracker.taken(&input));
        for (by, block) in taken {
            if view::depth(Some(block), tip.height) >= self.params.timing.final_confirmations {
                return if shown_id(by) == tx.txid { Fate::Mined(block) } else { Fate::Replaced };
            }
        }
        Fate::Open
    }

    /// What was mined while we did not look, the wallet saw, if the transaction was its own.
    async fn fate_by_wallet(&self, txid: TxId) -> Result<Fate, PortError> {
        let Some(known) = self.wallet_tx(txid).await? else { return Ok(Fate::Open) };
        let depth = i64::from(self.params.timing.final_confirmations);
        Ok(match (known.blockhash, known.blockheight) {
            (Some(hash), Some(height)) if known.confirmations >= depth => Fate::Mined(Place { height, hash }),
            _ if known.confirmations <= -depth => Fate::Replaced,
            _ => Fate::Open,
        })
    }

    /// Watching goes on without a wallet: it may have to be loaded again after a restart of the node.
    async fn fate_if_wallet_knows(&self, txid: TxId) -> Fate {
        self.fate_by_wallet(txid).await.unwrap_or_else(|error| {
            tracing::debug!(chain = %self.params.chain.ledger, %txid, %error, "the wallet does not say how this ended");
            Fate::Open
        })
    }

    async fn forget_settled(&self) -> Result<(), PortError> {
        let unsettled = self.journal.unsettled(self.params.chain.ledger).await?;
        let open = unsettled.iter().flat_map(inputs_of).collect();
        self.state().tracker.keep_own(&open);
        Ok(())
    }
}
