//! The notes by which the seed alone finds a swap's locks again, should the database be lost: see [`crate::rescue`].

use super::{Coordinator, Live};
use crate::rescue::note::Note;
use photon_chains::PortError;
use photon_swap::{LegName, Side, Terms};

impl Coordinator {
    /// Leaves a note about both locks, durable before any money of ours moves. Where it can't be left, nothing is funded: a lock
    /// that only this disk knows would be lost with it. (An outside wallet that pays at once may be faster.)
    pub(super) async fn leave_notes(&self, live: &Live) -> Result<(), PortError> {
        let (role, terms) = (live.swap.role, &live.swap.terms);
        for (name, side) in [(role.own_leg(), Side::Own), (role.peer_leg(), Side::Peer)] {
            let since = match name {
                LegName::Alpha => live.since.0,
                LegName::Beta => live.since.1,
            };
            let lock = terms.leg(name).lock;
            let Some(text) = Note { lock, side, salt: terms.salt(role), since }.seal(&self.wallet) else { continue };
            let ledger = lock.asset.ledger();
            let Some(port) = self.ledgers.port(ledger) else {
                return Err(PortError::Unreachable { ledger, reason: "not connected yet".to_owned() });
            };
            port.leave_note(&lock, &text).await?;
        }
        self.book.edit(live.swap.id, |live| live.noted = true);
        Ok(())
    }

    /// Takes the notes of an ended swap away, so that a rescue has less to look at. Nothing depends on it: a note that stays is found
    /// to be about a lock that is over.
    pub(super) fn strike_notes(&self, terms: Terms) {
        for leg in [terms.alpha, terms.beta] {
            let Some(port) = self.ledgers.port(leg.lock.asset.ledger()).cloned() else { continue };
            tokio::spawn(async move {
                if let Err(error) = port.leave_note(&leg.lock, "").await {
                    tracing::debug!(%error, "the note of an ended swap stays");
                }
            });
        }
    }
}
