//! Channels that are to be closed together, and that are closed alone if that takes too long.

use super::rows::{all_rows, change, parsed};
use super::{Store, StoreError};
use photon_chains::{Ledger, UnixTime};
use photon_channel::ChannelId;

impl Store {
    /// From then on the channel is to be closed alone. Said again, the newer time counts.
    pub async fn fall_back(&self, ledger: Ledger, channel: ChannelId, at: UnixTime) -> Result<(), StoreError> {
        self.write(move |write| {
            let sql = "INSERT INTO channel_fallbacks(ledger, channel, at) VALUES(?1, ?2, ?3) \
                       ON CONFLICT(ledger, channel) DO UPDATE SET at = excluded.at";
            change!(write.conn, sql, (ledger.name(), channel.as_bytes(), at.secs()))?;
            Ok(())
        })
        .await
    }

    /// Channels whose time for a close together is over.
    pub async fn fallbacks_due(&self, now: UnixTime) -> Result<Vec<(Ledger, ChannelId)>, StoreError> {
        self.read(move |read| {
            all_rows!(read.conn, "SELECT ledger, channel FROM channel_fallbacks WHERE at <= ?1", [now.secs()], |row| {
                Ok((parsed(&row.get::<_, String>("ledger")?, "ledger")?, ChannelId::from_bytes(row.get("channel")?)))
            })
        })
        .await
    }

    /// There is nothing to fall back to any more.
    pub async fn forget_fallback(&self, ledger: Ledger, channel: ChannelId) -> Result<(), StoreError> {
        self.write(move |write| {
            let sql = "DELETE FROM channel_fallbacks WHERE ledger = ?1 AND channel = ?2";
            change!(write.conn, sql, (ledger.name(), channel.as_bytes()))?;
            Ok(())
        })
        .await
    }
}
