//! What is not begun though it could be: swaps that fees would eat up, and swaps with who lets them fail again and again.

use super::{Desk, DeskError};
use crate::store::Score;
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

/// So many live swaps may somebody have with us that our owner gave no name: as many as any stranger, and one more for each four that
/// were completed, up to four times as many; divided by one more than how often it walked away after we had locked money. Who has walked
/// away comes back under another name with what any stranger has, and has to earn the rest anew.
pub fn most_live(score: Score, each: usize) -> usize {
    let earned = usize::try_from(score.completed / 4).unwrap_or(usize::MAX);
    let reached = each.saturating_add(earned).min(each.saturating_mul(4));
    let walked = usize::try_from(score.walked).unwrap_or(usize::MAX);
    (reached / walked.saturating_add(1)).max(1)
}

fn least(fee: Amount) -> Amount {
    fee.units().checked_mul(WORTH).map_or(Amount::MAX, Amount::from_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    // G1, G6
    #[test]
    fn who_completes_may_have_more_at_once_and_who_walks_away_less() {
        let most = |completed, walked| most_live(Score { completed, walked, failed: 0 }, 16);
        assert_eq!((most(0, 0), most(3, 0), most(4, 0), most(192, 0), most(1_000_000, 0)), (16, 16, 17, 64, 64));
        assert_eq!((most(0, 1), most(192, 1), most(192, 3), most(0, 1_000), most(u64::MAX, u64::MAX)), (8, 32, 16, 1, 1));
        for completed in 0..300 {
            for walked in 0..20 {
                let now = most(completed, walked);
                assert!(most(completed + 1, walked) >= now && most(completed, walked + 1) <= now && (1..=64).contains(&now));
            }
        }
        // What came to nothing before anything was locked says nothing.
        assert_eq!(most_live(Score { failed: 99, ..Score::default() }, 16), 16);
    }
}
