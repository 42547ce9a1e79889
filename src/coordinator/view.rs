//! What a decision rests on, gathered from ledgers, clock, memory and reserves.

use super::{Coordinator, Live};
use photon_chains::{ClockRule, UnixTime};
use photon_swap::{Leg, LegName, LegView, View};

impl Coordinator {
    /// The view of one swap now.
    pub(super) fn view(&self, live: &Live, now: UnixTime) -> View {
        let terms = &live.swap.terms;
        let alpha = self.leg_view(live, LegName::Alpha, &terms.alpha, now);
        let beta = self.leg_view(live, LegName::Beta, &terms.beta, now);
        // Where blocks carry their true time a tip from the future says that our clock is slow. On Bitcoin a miner may write
        // two hours ahead, which says nothing.
        let tips = [(&terms.alpha, &alpha), (&terms.beta, &beta)].into_iter().filter_map(|(leg, seen)| {
            let port = self.ledgers.port(leg.lock.asset.ledger())?;
            matches!(port.timing().rule, ClockRule::BlockTime { .. }).then_some(seen.tip?.time)
        });
        let latest = tips.fold(now, UnixTime::max);
        View {
            now_lo: now.minus_secs(self.skew_secs),
            now_hi: latest.plus_secs(self.skew_secs),
            facts: live.swap.facts.clone(),
            may_risk: self.may_risk() && live.is_approved(),
            alpha,
            beta,
        }
    }

    fn leg_view(&self, live: &Live, name: LegName, leg: &Leg, now: UnixTime) -> LegView {
        let ledger = leg.lock.asset.ledger();
        let outlook = self.ledgers.outlook(ledger);
        let ours = live.swap.role.own_leg() == name;
        LegView {
            tip: outlook.tip,
            healthy: self.ledgers.unhealthy(ledger, now).is_none(),
            sighting: self.ledgers.sighting(ledger, leg.lock.id()),
            cancelled: ours && live.cancelled,
            swept: ours && live.swept,
        }
    }
}
