//! The tales of what is done on the chain: each is done once, whoever is killed over it, and the coins there are right to the unit.

use super::asks::{self, fresh};
use super::books::Books;
use super::plan::{Part, Tale};
use super::play::{Ended, Run, Trio};
use crate::judge::{self, Held};
use crate::play::words;
use crate::seat::Seat;
use photon::service::{ChannelView, Closing};
use photon_chains::Secret;

/// A thousandth of a coin, of which a payer has some in its channel.
const MILLI: u128 = 1_000_000_000_000_000;
/// What is paid into a channel at first, and what of it is the other side's soon.
pub const OPENED: u128 = 100 * MILLI;
pub const SHARED: u128 = 40 * MILLI;
/// What is put in later, or taken out.
const MOVED: u128 = 7_000;
/// What is held when Alice closes: as much as a request of these tales asks for.
const HELD: u128 = 1_000;
/// From a registered secret: it is unlocked with, and that is deep.
const UNLOCKED_SECS: u64 = 10;
/// A settle, at depth, after a look in vain.
const SETTLED_SECS: u64 = 90;
/// Who did not close leaves it so long to the other one to settle.
const PATIENCE_SECS: u64 = 320;

fn all_counted(seat: &Seat) -> Result<(), String> {
    if judge::is_counted(&seat.database())? { Ok(()) } else { Err("not all that was sent is counted".to_owned()) }
}

impl Run<'_> {
    /// The channel of Alice and Bob, as one of them sees it.
    async fn channel(&mut self, of: Part) -> Result<ChannelView, String> {
        let (asset, with) = (self.case.asset, if of == Part::Alice { Part::Bob } else { Part::Alice });
        let look = async |trio: &Trio| {
            let found = asks::channel(trio.seat(of), trio.seat(with), asset).await.map_err(words)?;
            found.ok_or_else(|| "there is no channel".to_owned())
        };
        self.soon("shown", look).await
    }

    async fn held(&mut self, part: Part) -> Result<Held, String> {
        let look = async |trio: &Trio| {
            all_counted(trio.seat(part))?;
            let held = trio.seat(part).held().await.map_err(words)?;
            let is_at_rest = held.values().all(|one| one.incoming.is_zero() && one.locked.is_zero());
            if is_at_rest { Ok(held) } else { Err(format!("{held:?}")) }
        };
        self.mined("at rest on the chain", look).await
    }

    /// Until a party holds what it held on the chain, less what it gave, with what it got.
    async fn chain_is(&mut self, part: Part, before: &Held, gave: u128, got: u128) -> Result<(), String> {
        let asset = self.case.asset;
        let look = async |trio: &Trio| {
            all_counted(trio.seat(part))?;
            judge::is_balanced(trio.seat(part), before, &[(asset, gave)], &[(asset, got)]).await
        };
        self.mined("right on the chain", look).await
    }

    pub(super) async fn deposit(&mut self, before: Books) -> Result<(Ended, Books), String> {
        let after = before.filled(i128::try_from(MOVED).unwrap());
        let ask = async |alice: &Seat, channel: &ChannelView| asks::deposit(alice, channel, MOVED).await.map(drop).map_err(words);
        self.moves("put in", ask, (MOVED, 0), after).await
    }

    pub(super) async fn withdraw(&mut self, before: Books) -> Result<(Ended, Books), String> {
        let after = before.filled(-i128::try_from(MOVED).unwrap());
        let ask =
            async |alice: &Seat, channel: &ChannelView| asks::withdraw(alice, channel, MOVED).await.map(drop).map_err(words);
        self.moves("taken out", ask, (0, MOVED), after).await
    }

    /// Alice asks for something in her channel, until it has begun, and gives so much of what she has on the chain, or gets it.
    async fn moves(
        &mut self,
        what: &str,
        ask: impl AsyncFn(&Seat, &ChannelView) -> Result<(), String>,
        (gave, got): (u128, u128),
        after: Books,
    ) -> Result<(Ended, Books), String> {
        let (channel, held) = (self.channel(Part::Alice).await?, self.held(Part::Alice).await?);
        let asset = self.case.asset;
        let ask = async |trio: &Trio| {
            let [alice, bob, _] = &trio.seats;
            let now = asks::channel(alice, bob, asset).await.map_err(words)?.ok_or("there is no channel")?;
            // Its answer may have been lost with it.
            if now.doing.is_some() || now.balance != channel.balance {
                return Ok(());
            }
            ask(alice, &channel).await
        };
        self.soon(what, ask).await?;
        self.chain_is(Part::Alice, &held, gave, got).await?;
        self.books_are(after).await?;
        Ok((Ended::Done, after))
    }

    pub(super) async fn close_together(&mut self, before: Books) -> Result<(Ended, Books), String> {
        let (alice, bob) = (self.held(Part::Alice).await?, self.held(Part::Bob).await?);
        self.closes(Closing::Together).await?;
        self.is_gone().await?;
        let [alices, bobs] = before.alice_bob.map(i128::unsigned_abs);
        self.chain_is(Part::Alice, &alice, 0, alices).await?;
        self.chain_is(Part::Bob, &bob, 0, bobs).await?;
        self.opens_again(before).await
    }

    /// Alice wants to close until she has begun to.
    async fn closes(&mut self, how: Closing) -> Result<(), String> {
        let channel = self.channel(Part::Alice).await?;
        let asset = self.case.asset;
        let ask = async |trio: &Trio| {
            let [alice, bob, _] = &trio.seats;
            match asks::channel(alice, bob, asset).await.map_err(words)? {
                Some(now) if now.state == "open" => asks::close(alice, &channel, how).await.map(drop).map_err(words),
                Some(_) | None => Ok(()),
            }
        };
        self.soon("closing", ask).await
    }

    /// Until neither of both knows the channel any more.
    async fn is_gone(&mut self) -> Result<(), String> {
        let asset = self.case.asset;
        let look = async |trio: &Trio| {
            let [alice, bob, _] = &trio.seats;
            for (of, with) in [(alice, bob), (bob, alice)] {
                if let Some(left) = asks::channel(of, with, asset).await.map_err(words)? {
                    return Err(format!("{} still has {left:?}", of.party.name));
                }
            }
            Ok(())
        };
        self.mined("gone", look).await
    }

    /// As it was in the beginning, but for what has been paid since.
    async fn opens_again(&mut self, before: Books) -> Result<(Ended, Books), String> {
        let held = self.held(Part::Alice).await?;
        open(self, Part::Alice, Part::Bob).await?;
        self.chain_is(Part::Alice, &held, OPENED, 0).await?;
        let [opened, shared] = [OPENED, SHARED].map(|units| i128::try_from(units).unwrap());
        let after = Books { alice_bob: [opened - shared, shared], ..before };
        Ok((Ended::Done, after))
    }

    pub(super) async fn close_alone(&mut self, before: Books) -> Result<(Ended, Books), String> {
        let (alice, bob) = (self.held(Part::Alice).await?, self.held(Part::Bob).await?);
        let secret = Secret::from_bytes(fresh());
        let request = self.asks_for(Part::Bob, Some(secret.hash())).await?;
        let paid = self.pays(Part::Alice, &asks::requested(&request)).await?;
        let locked_at = self.now();
        let is_held = self.is_held(Part::Bob, secret.hash(), &paid.id).await?;
        self.closes(Closing::Alone).await?;
        let asset = self.case.asset;
        let look = async |trio: &Trio| {
            let [alice, bob, _] = &trio.seats;
            let seen = asks::channel(bob, alice, asset).await.map_err(words)?;
            let seen = seen.ok_or("there is no channel")?;
            if seen.state == "closed" { seen.settles_at.ok_or("not read yet".to_owned()) } else { Err(format!("{seen:?}")) }
        };
        let settles_at = self.mined("closed", look).await?.secs();
        if self.case.tale == Tale::Deserted {
            self.leave(Part::Alice)?;
        }
        if is_held {
            self.releases(Part::Bob, &secret).await?;
        }
        self.until_registered(locked_at).await?;
        self.passes(UNLOCKED_SECS).await?;
        let patience = if self.case.tale == Tale::Deserted { PATIENCE_SECS } else { 0 };
        self.waits_until(settles_at + patience).await?;
        if self.case.tale == Tale::Deserted {
            let look = async |trio: &Trio| {
                let [alice, bob, _] = &trio.seats;
                let left = asks::channel(bob, alice, asset).await.map_err(words)?;
                left.map_or(Ok(()), |left| Err(format!("Bob still has {left:?}")))
            };
            self.until("settled by Bob", SETTLED_SECS, look).await?;
            self.come_back(Part::Alice).await?;
        }
        self.is_gone().await?;
        let paid = self.ends(Part::Alice, &paid.id).await?;
        let ended = self.came(Part::Bob, Some(secret.hash()), &paid, HELD).await?;
        if (ended == Ended::Done) != is_held {
            return Err(format!("held and released, but {paid:?}"));
        }
        let [alices, bobs] = before.alice_bob.map(i128::unsigned_abs);
        let moved = if is_held { HELD } else { 0 };
        self.chain_is(Part::Alice, &alice, 0, alices - moved).await?;
        self.chain_is(Part::Bob, &bob, 0, bobs + moved).await?;
        self.opens_again(before).await
    }
}

/// Opens a channel and shares what is in it, so that it can be used both ways.
pub async fn open(run: &mut Run<'_>, from: Part, with: Part) -> Result<(), String> {
    let asset = run.case.asset;
    let ask = async |trio: &Trio| {
        let (one, other) = (trio.seat(from), trio.seat(with));
        match asks::channel(one, other, asset).await.map_err(words)? {
            Some(_) => Ok(()),
            None => asks::open(one, other, asset, OPENED).await.map(drop).map_err(words),
        }
    };
    run.soon("opening", ask).await?;
    let look = async |trio: &Trio| {
        for (of, peer) in [(from, with), (with, from)] {
            let seen = asks::channel(trio.seat(of), trio.seat(peer), asset).await.map_err(words)?;
            if !seen.as_ref().is_some_and(|it| it.state == "open" && it.connected && it.doing.is_none()) {
                return Err(format!("{of:?} sees {seen:?}"));
            }
        }
        Ok(())
    };
    run.mined("open", look).await?;
    let order = asks::direct(run.seat(with), asset, SHARED);
    let share = async |trio: &Trio| match asks::pay(trio.seat(from), &order).await.map_err(words)? {
        paid if paid.state == "paid" => Ok(()),
        paid => Err(format!("{paid:?}")),
    };
    run.soon("shared", share).await
}
