//! What is not begun though it could be: swaps that fees would eat up, and swaps with who lets them fail again and again.

use super::{Desk, DeskError};
use photon_chains::{Address, Amount, Asset, PortError, Purpose, UnixTime};

/// What is swapped must be worth this many times what a redeem of it costs now, or a refund: so fees may rise tenfold and still
/// eat no more than half of it (the most that a redeem ever bids).
pub const WORTH: u128 = 20;
/// Failures count for a day.
const REMEMBERED_SECS: u64 = 24 * 3600;

impl Desk {
    /// Refuses an amount that is not worth its fees. A token is not weighed: what it is worth in coins nobody here knows.
    pub async fn worth(&self, asset: Asset, amount: Amount) -> Result<(), DeskError> {
        let (Some(port), None) = (self.ledgers().port(asset.ledger()), asset.token()) else { return Ok(()) };
        let mut fee = Amount::ZERO;
        for purpose in [Purpose::Redeem, Purpose::Refund] {
            fee = fee.max(port.likely_fee(asset, purpose).await?);
        }
        let least = least(fee);
        if amount < least {
            return Err(DeskError::NotWorth { asset, amount, fee, least });
        }
        Ok(())
    }

    /// The same of both sides of an offer that is only published: where a node can't be asked, the taking of it will show.
    pub async fn worth_offering(&self, both: [(Asset, Amount); 2]) -> Result<(), DeskError> {
        for (asset, amount) in both {
            match self.worth(asset, amount).await {
                Ok(()) | Err(DeskError::Port(PortError::Unreachable { .. } | PortError::BadAnswer { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Refuses a peer with whom too many swaps came to nothing after we had paid in: each cost us fees, and it nothing or little.
    pub(super) async fn patience(&self, peer: Address, now: UnixTime) -> Result<(), DeskError> {
        let since = now.minus_secs(REMEMBERED_SECS);
        let failures = self.coordinator.store.refunded_with(peer, since, self.failures_per_peer).await?;
        if failures >= self.failures_per_peer {
            return Err(DeskError::Unreliable { peer, failures });
        }
        Ok(())
    }
}

fn least(fee: Amount) -> Amount {
    fee.units().checked_mul(WORTH).map_or(Amount::MAX, Amount::from_units)
}
