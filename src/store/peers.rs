//! Other nodes: those the owner named, and a bounded number of strangers that called.

use super::rows::{all_rows, change, first_row, optional_time};
use super::{Store, StoreError};
use photon_chains::{Address, UnixTime};
use rusqlite::Row;

/// Peers without an alias that are remembered; who was not seen longest is forgotten first.
pub(super) const STRANGERS_KEPT: u32 = 1_000;

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// Its identity.
    pub identity: Address,
    /// Where it answers, as `host:port`.
    pub endpoint: String,
    /// What the owner calls it. None: a stranger.
    pub alias: Option<String>,
    /// When it was last connected.
    pub last_seen: Option<UnixTime>,
}

impl Store {
    /// Writes down a peer that the owner names. An alias of another peer is refused.
    pub async fn name_peer(&self, identity: Address, endpoint: String, alias: String) -> Result<(), StoreError> {
        self.write(move |write| {
            let holder = "SELECT * FROM peers WHERE alias = ?1";
            let holder = first_row!(write.conn, holder, [&alias], peer_row)?;
            if holder.is_some_and(|holder| holder.identity != identity) {
                return Err(StoreError::Conflict("alias"));
            }
            let sql = "INSERT INTO peers(identity, endpoint, alias) VALUES(?1, ?2, ?3) \
                       ON CONFLICT(identity) DO UPDATE SET endpoint = excluded.endpoint, alias = excluded.alias";
            change!(write.conn, sql, (identity.as_bytes(), &endpoint, &alias))?;
            Ok(())
        })
        .await
    }

    /// Writes down that a peer is connected, and where it answers.
    pub async fn saw_peer(&self, identity: Address, endpoint: String) -> Result<(), StoreError> {
        self.write(move |write| {
            let sql = "INSERT INTO peers(identity, endpoint, last_seen) VALUES(?1, ?2, ?3) \
                       ON CONFLICT(identity) DO UPDATE SET endpoint = excluded.endpoint, last_seen = excluded.last_seen";
            change!(write.conn, sql, (identity.as_bytes(), &endpoint, write.now.secs()))?;
            let sql = "DELETE FROM peers WHERE alias IS NULL AND identity IN (SELECT identity FROM peers INDEXED BY peers_strangers \
                       WHERE alias IS NULL ORDER BY last_seen DESC LIMIT -1 OFFSET ?1)";
            change!(write.conn, sql, [STRANGERS_KEPT])?;
            Ok(())
        })
        .await
    }

    /// Forgets a peer. False if it was not known.
    pub async fn forget_peer(&self, identity: Address) -> Result<bool, StoreError> {
        self.write(move |write| Ok(change!(write.conn, "DELETE FROM peers WHERE identity = ?1", [identity.as_bytes()])? == 1))
            .await
    }

    /// One peer.
    pub async fn peer(&self, identity: Address) -> Result<Option<PeerRow>, StoreError> {
        self.read(move |read| first_row!(read.conn, "SELECT * FROM peers WHERE identity = ?1", [identity.as_bytes()], peer_row))
            .await
    }

    /// The peer of that alias.
    pub async fn peer_named(&self, alias: String) -> Result<Option<PeerRow>, StoreError> {
        self.read(move |read| first_row!(read.conn, "SELECT * FROM peers WHERE alias = ?1", [alias], peer_row)).await
    }

    /// Every peer, the named ones first.
    pub async fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        self.read(|read| all_rows!(read.conn, "SELECT * FROM peers ORDER BY alias IS NULL, alias, last_seen DESC", [], peer_row))
            .await
    }
}

fn peer_row(row: &Row<'_>) -> Result<PeerRow, StoreError> {
    Ok(PeerRow {
        identity: Address::from_bytes(row.get("identity")?),
        endpoint: row.get("endpoint")?,
        alias: row.get("alias")?,
        last_seen: optional_time(row, "last_seen")?,
    })
}
