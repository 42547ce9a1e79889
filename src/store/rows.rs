//! Small steps between rows and types.

use super::StoreError;
use photon_chains::UnixTime;
use rusqlite::Row;
use std::str::FromStr;

/// Rows that one page of a list may hold, whatever is asked for.
const PAGE_CAP: u32 = 500;

/// The rows of a page to fetch: one more than shown, which says whether there is another page.
pub(super) fn page_limit(limit: u32) -> usize {
    limit.clamp(1, PAGE_CAP) as usize
}

/// Reads a text of ours back into its type.
pub(super) fn parsed<T: FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable(what))
}

pub(super) fn time(row: &Row<'_>, column: &str) -> Result<UnixTime, StoreError> {
    Ok(UnixTime::from_secs(row.get(column)?))
}

pub(super) fn optional_time(row: &Row<'_>, column: &str) -> Result<Option<UnixTime>, StoreError> {
    Ok(row.get::<_, Option<u64>>(column)?.map(UnixTime::from_secs))
}

/// Every row of a query, each read by `read`.
macro_rules! all_rows {
    ($conn:expr, $sql:expr, $params:expr, $read:expr) => {
        $conn.prepare_cached($sql)?.query_and_then($params, $read)?.collect::<Result<Vec<_>, StoreError>>()
    };
}

/// The first row of a query, if there is one.
macro_rules! first_row {
    ($conn:expr, $sql:expr, $params:expr, $read:expr) => {
        $conn.prepare_cached($sql)?.query_and_then($params, $read)?.next().transpose()
    };
}

/// Runs a cached statement and says how many rows it changed.
macro_rules! change {
    ($conn:expr, $sql:expr, $params:expr) => {
        $conn.prepare_cached($sql)?.execute($params)
    };
}

pub(super) use {all_rows, change, first_row};
