//! Whether a run was right: the books of all three agree to the unit, on both sides of both channels.

use super::asks;
use super::play::Trio;
use photon::service::ChannelView;

/// What stands in both channels: Alice's and Bob's in the one, Bob's and Charlie's in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    pub alice_bob: [i128; 2],
    pub bob_charlie: [i128; 2],
}

impl Books {
    /// What they are after this much went from Alice to Bob, and from Bob to Charlie.
    pub fn paid(self, to_bob: i128, to_charlie: i128) -> Self {
        let [alice, bob] = self.alice_bob;
        let [mediator, charlie] = self.bob_charlie;
        Self { alice_bob: [alice - to_bob, bob + to_bob], bob_charlie: [mediator - to_charlie, charlie + to_charlie] }
    }

    /// What they are after Alice has put that much into her channel, or taken it out.
    pub fn filled(self, units: i128) -> Self {
        let [alice, bob] = self.alice_bob;
        Self { alice_bob: [alice + units, bob], ..self }
    }
}

/// What stands in both channels, if both sides of each say the same, all are connected, and nothing is under way.
pub async fn read(trio: &Trio, asset: &str) -> Result<Books, String> {
    let [alice, bob, charlie] = &trio.seats;
    let pair = async |one, other| {
        let ones = view(one, other, asset).await?;
        let others = view(other, one, asset).await?;
        let sides = |it: &ChannelView| [it.balance.units(), it.peer_balance.units()];
        let [mine, theirs] = sides(&ones);
        let is_at_rest =
            |it: &ChannelView| it.state == "open" && it.connected && it.in_sight && it.pending == 0 && it.doing.is_none();
        if sides(&others) != [theirs, mine] || !is_at_rest(&ones) || !is_at_rest(&others) {
            return Err(format!("not at rest: {ones:?} and {others:?}"));
        }
        Ok([mine, theirs].map(|units| i128::try_from(units).unwrap()))
    };
    Ok(Books { alice_bob: pair(alice, bob).await?, bob_charlie: pair(bob, charlie).await? })
}

async fn view(of: &crate::seat::Seat, with: &crate::seat::Seat, asset: &str) -> Result<ChannelView, String> {
    let found = asks::channel(of, with, asset).await.map_err(crate::play::words)?;
    found.ok_or_else(|| format!("{} has no channel with {}", of.party.name, with.party.name))
}
