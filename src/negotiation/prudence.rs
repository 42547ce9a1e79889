//! What is not begun though it could be: swaps that fees would eat up, and swaps with who lets them fail again and again.

use super::{Desk, DeskError};
use photon_chains::{Address, Amount, Asset, PortError, Purpose, UnixTime};
use photon_swap::Money;

/// What is swapped must be worth this many times what a redeem of it costs now, or a refund: so fees may rise tenfold and still
/// eat no more than half of it (the most that a redeem ever bids).
pub const WORTH: u128 = 20;
/// Failures count for a day.
const REMEMBERED_SECS: u64 = 24 * 3600;

impl Desk {
    /// Refuses to swap amounts that are not worth their fees, on either side.
    pub async fn worth(&self, one: Money, other: Money) -> Result<(), DeskError> {
        self.worth_its_fees(one, other).await?;
        self.worth_its_fees(other, one).await
    }

    /// The same where it is only offered: where a node can't be asked, the taking of it will show.
    pub async fn worth_offering(&self, give: Money, want: Money) -> Result<(), DeskError> {
        for (money, against) in [(give, want), (want, give)] {
            match self.worth_its_fees(money, against).await {
                Ok(()) | Err(DeskError::Port(PortError::Unreachable { .. } | PortError::BadAnswer { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A token is worth what is given for it, where that is the coin in which its fees are paid. What it is worth in other coins nobody
    /// here knows.
    async fn worth_its_fees(&self, money: Money, against: Money) -> Result<(), DeskError> {
        let ledger = money.asset.ledger();
        let in_coins = [money, against].into_iter().find(|one| one.asset == Asset::Native(ledger));
        let (Some(port), Some(Money { asset, amount })) = (self.ledgers().port(ledger), in_coins) else { return Ok(()) };
        let mut fee = Amount::ZERO;
        for purpose in [Purpose::Redeem, Purpose::Refund] {
            fee = fee.max(port.likely_fee(money.asset, purpose).await?);
        }
        let least = least(fee);
        if amount < least {
            return Err(DeskError::NotWorth { asset, amount, fee, least });
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
