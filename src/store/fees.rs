//! What mediating payments of others has earned, in all: one row for each token.

use super::rows::{all_rows, change, first_row, parsed};
use super::writer::Write;
use super::{Store, StoreError};
use photon_chains::{Address, Amount, Ledger};
use photon_channel::Units;

/// What was earned in one token of one ledger.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct EarnedRow {
    /// Which ledger.
    pub ledger: Ledger,
    /// Which token; none for the ledger's own coin.
    pub token: Option<Address>,
    /// Fees in all.
    pub earned: Amount,
    /// For so many payments.
    pub payments: u64,
}

impl Store {
    /// What was earned, in every token in which anything was.
    pub async fn earned(&self) -> Result<Vec<EarnedRow>, StoreError> {
        self.read(move |read| {
            all_rows!(read.conn, "SELECT * FROM channel_fees ORDER BY ledger, token", [], |row| {
                let token: Vec<u8> = row.get("token")?;
                Ok(EarnedRow {
                    ledger: parsed(&row.get::<_, String>("ledger")?, "ledger")?,
                    token: <[u8; 20]>::try_from(token.as_slice()).ok().map(Address::from_bytes),
                    earned: parsed(&row.get::<_, String>("earned")?, "fee")?,
                    payments: row.get("payments")?,
                })
            })
        })
        .await
    }
}

/// Adds what one step has earned in a token, for so many payments.
pub(super) fn add(
    write: &Write<'_>,
    ledger: Ledger,
    token: Option<Address>,
    earned: Units,
    payments: u64,
) -> Result<(), StoreError> {
    let token: Vec<u8> = token.map(|token| token.as_bytes().to_vec()).unwrap_or_default();
    let sql = "SELECT earned FROM channel_fees WHERE ledger = ?1 AND token = ?2";
    let before = first_row!(write.conn, sql, (ledger.name(), &token), |row| parsed::<Amount>(&row.get::<_, String>(0)?, "fee"))?;
    let sum = before.unwrap_or_default().checked_add(earned.into()).unwrap_or(Amount::MAX);
    let sql = "INSERT INTO channel_fees(ledger, token, earned, payments) VALUES(?1, ?2, ?3, ?4) \
               ON CONFLICT(ledger, token) DO UPDATE SET earned = excluded.earned, payments = payments + excluded.payments";
    change!(write.conn, sql, (ledger.name(), &token, sum.to_string(), payments))?;
    Ok(())
}
