//! Receipts and statements, from what is stored.

use super::Node;
use super::service::stored;
use super::views::transaction;
use crate::clock;
use crate::service::{AssetAmount, ReceiptView, ServiceError, StatementLine, StatementPage, StatementQuery, TransactionView};
use crate::store::{StoreError, SwapRow};
use photon_chains::{Amount, Asset};
use photon_swap::{SwapId, Terms};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Goes before what is signed: nothing else of ours begins like this.
const RECEIPT: &[u8] = b"photon receipt 1\n";

impl Node {
    /// A receipt for a swap that has ended.
    pub(super) async fn receipt_of(&self, id: SwapId) -> Result<ReceiptView, ServiceError> {
        let record =
            self.desk.coordinator.store.swap(id).await.map_err(stored)?.ok_or_else(|| stored(StoreError::NoSuch("swap")))?;
        let row = record.swap;
        let Some(ending) = &row.ended else {
            return Err(ServiceError::Conflict("this swap has not ended: there is no receipt yet".to_owned()));
        };
        let terms = terms(&row)?;
        let line = self.line(&row, &terms).await?;
        let receipt = serde_json::json!({
            "swap": row.id.to_string(),
            "offer": row.offer.map(|offer| offer.to_string()),
            "role": row.role.word(),
            "peer": row.peer,
            "terms": terms,
            "own_signature": hex::encode(&row.own_signature),
            "peer_signature": row.peer_signature.as_ref().map(hex::encode),
            "outcome": ending.outcome,
            "ended_at": ending.at,
            "gave": line.gave,
            "got": line.got,
            "fees": line.fees,
            "transactions": self.transactions(&terms).await?.into_iter().map(|(_, view)| view).collect::<Vec<_>>(),
            "identity": self.net.identity(),
            "issued_at": clock::now(),
        });
        let receipt = receipt.to_string();
        let digest: [u8; 32] = Sha256::digest([RECEIPT, receipt.as_bytes()].concat()).into();
        let signature = hex::encode(self.desk.coordinator.wallet.sign(&digest).as_bytes());
        Ok(ReceiptView { receipt, signer: self.net.identity(), signature })
    }

    /// A page of swaps that ended.
    pub(super) async fn statement_of(&self, query: StatementQuery) -> Result<StatementPage, ServiceError> {
        let times = query.from.unwrap_or_default()..query.until.unwrap_or(u64::MAX);
        let page =
            self.desk.coordinator.store.ended_swaps(times, query.after, query.limit.unwrap_or(100)).await.map_err(stored)?;
        let mut lines = Vec::new();
        for row in &page.items {
            lines.push(self.line(row, &terms(row)?).await?);
        }
        Ok(StatementPage { lines, next: page.next })
    }

    async fn line(&self, row: &SwapRow, terms: &Terms) -> Result<StatementLine, ServiceError> {
        let ending = row.ended.as_ref().ok_or_else(|| ServiceError::Internal("a swap without its end".to_owned()))?;
        let (own, peer) = (terms.own_leg(row.role).lock, terms.peer_leg(row.role).lock);
        let (has_given, has_got) = match ending.outcome.as_str() {
            "completed" => (true, true),
            "lost" => (true, false),
            "took_both" => (false, true),
            _ => (false, false),
        };
        let money = |asset: Asset, amount, moved: bool| self.desk.assets.show(asset, if moved { amount } else { Amount::ZERO });
        let mut fees: BTreeMap<Asset, Amount> = BTreeMap::new();
        for (asset, view) in self.transactions(terms).await? {
            let sum = fees.entry(asset).or_default();
            *sum = sum.checked_add(if view.state == "sent" { Amount::ZERO } else { view.fee }).unwrap_or(Amount::MAX);
        }
        Ok(StatementLine {
            ended_at: ending.at,
            swap: row.id.to_string(),
            peer: row.peer,
            role: row.role.word().to_owned(),
            outcome: ending.outcome.clone(),
            gave: money(own.asset, own.amount, has_given),
            got: money(peer.asset, peer.amount, has_got),
            fees: fees.into_iter().map(|(asset, fee)| self.desk.assets.show(asset, fee)).collect::<Vec<AssetAmount>>(),
        })
    }

    /// Our transactions for a swap, each with the coin in which it paid.
    async fn transactions(&self, terms: &Terms) -> Result<Vec<(Asset, TransactionView)>, ServiceError> {
        let mut all = Vec::new();
        for leg in [&terms.alpha, &terms.beta] {
            let rows = self.desk.coordinator.store.transactions_of(leg.lock.id()).await.map_err(stored)?;
            all.extend(rows.iter().map(|row| (Asset::Native(row.ledger), transaction(row))));
        }
        Ok(all)
    }
}

fn terms(row: &SwapRow) -> Result<Terms, ServiceError> {
    serde_json::from_str(&row.terms).map_err(|_| ServiceError::Internal("a stored swap can't be read".to_owned()))
}
