//! How swaps with each peer ended: counted in the transaction in which they end, and kept when they are forgotten.

use super::rows::{all_rows, change, first_row};
use super::writer::Write;
use super::{Store, StoreError};
use photon_chains::{Address, UnixTime};
use std::collections::HashMap;

/// How agreed swaps with one peer ended.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Both have what they wanted.
    pub completed: u64,
    /// We had locked money, the peer walked away, and we took it back.
    pub walked: u64,
    /// Otherwise: nothing of ours was locked, or somebody lost.
    pub failed: u64,
}

impl Store {
    /// That of one peer; all zero for one that is not known.
    pub async fn score(&self, peer: Address) -> Result<Score, StoreError> {
        Ok(self.scores(vec![peer]).await?.remove(&peer).unwrap_or_default())
    }

    /// Those of some peers; who is not in it is not known.
    pub async fn scores(&self, peers: Vec<Address>) -> Result<HashMap<Address, Score>, StoreError> {
        self.read(move |read| {
            let mut scores = HashMap::new();
            for peer in peers {
                let sql = "SELECT completed, walked, failed FROM scores WHERE peer = ?1";
                let score = first_row!(read.conn, sql, [peer.as_bytes()], |row| {
                    Ok::<_, StoreError>(Score { completed: row.get(0)?, walked: row.get(1)?, failed: row.get(2)? })
                })?;
                scores.extend(score.map(|score| (peer, score)));
            }
            Ok(scores)
        })
        .await
    }

    /// Peers that are in no list but with whom something came to something, or walked away, whose swaps ended last; at most `most`.
    pub async fn scored_strangers(&self, most: u32) -> Result<Vec<Address>, StoreError> {
        self.read(move |read| {
            let sql = "SELECT s.peer FROM scores s LEFT JOIN peers p ON p.identity = s.peer \
                       WHERE p.identity IS NULL AND (s.completed > 0 OR s.walked > 0) ORDER BY s.changed_at DESC LIMIT ?1";
            all_rows!(read.conn, sql, [most], |row| Ok::<_, StoreError>(Address::from_bytes(row.get(0)?)))
        })
        .await
    }

    /// Forgets peers with whom nothing ever came to anything, and nothing happened since a time; at most `cap`. How many were forgotten.
    pub async fn forget_scores(&self, before: UnixTime, cap: u32) -> Result<usize, StoreError> {
        self.write(move |write| {
            let sql = "DELETE FROM scores WHERE peer IN (SELECT peer FROM scores INDEXED BY scores_of_nothing \
                       WHERE completed = 0 AND walked = 0 AND changed_at < ?1 ORDER BY changed_at LIMIT ?2)";
            Ok(change!(write.conn, sql, (before.secs(), cap))?)
        })
        .await
    }
}

/// Counts a swap that ends now. One that was never agreed counts for nothing.
pub(super) fn count(write: &Write<'_>, swap: u64, outcome: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO scores(peer, completed, walked, failed, changed_at) \
                   SELECT peer, ?2 = 'completed', ?2 = 'refunded', ?2 NOT IN ('completed', 'refunded'), ?3 \
                   FROM swaps WHERE n = ?1 AND agreed_at IS NOT NULL \
               ON CONFLICT(peer) DO UPDATE SET completed = completed + excluded.completed, walked = walked + excluded.walked, \
                   failed = failed + excluded.failed, changed_at = excluded.changed_at";
    change!(write.conn, sql, (swap, outcome, write.now.secs()))?;
    Ok(())
}
