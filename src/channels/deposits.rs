//! Deposits that the owner wants: written down before anything is sent, and struck out once they are mined and the channel is
//! open here.

use super::acts::Wanted;
use super::engine::Engine;
use super::interests::Followed;
use super::words::{ChannelsError, NewDeposit};
use photon_chains::{Address, Amount, BlockHeight, LockId};
use photon_channel::{ChannelId, ChannelKey, Stage, Window};
use serde::{Deserialize, Serialize};

/// A wish as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub(super) enum Wish {
    /// Money to be put in.
    Deposit {
        token: Option<Address>,
        peer: Address,
        window: Window,
        amount: Amount,
        /// The token brings it by its own transfer.
        by_transfer: bool,
        /// The newest block when it was asked for.
        since: u64,
        /// It is mined, at final depth.
        #[serde(default)]
        is_done: bool,
    },
    /// A channel to be closed alone.
    Close,
}

impl Wish {
    pub(super) fn to_json(&self) -> String {
        // It holds numbers and texts alone, which always can be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The most deposits under way.
const MOST_DEPOSITS: usize = 256;

impl Engine {
    /// Takes a deposit on. Returns the channel's name.
    pub(super) fn wish_deposit(&mut self, new: &NewDeposit, by_transfer: bool) -> Result<ChannelId, ChannelsError> {
        if new.amount.is_zero() {
            return Err(ChannelsError::Order("a deposit of nothing"));
        }
        self.must_see()?;
        let own = self.node.address();
        let key = ChannelKey::new(new.token, own, new.peer, new.window)
            .map_err(|_| ChannelsError::Order("a channel has two different parties"))?;
        let id = key.id();
        if self.node.channel(&id).is_some_and(|channel| channel.chain.stage != Stage::Open) {
            return Err(ChannelsError::Channel(id));
        }
        if self.wishes.values().filter(|wish| matches!(wish, Wish::Deposit { .. })).count() >= MOST_DEPOSITS {
            return Err(ChannelsError::Busy);
        }
        let since = self.node.tip().latest.block.get();
        let wish = Wish::Deposit {
            token: key.token(),
            peer: new.peer,
            window: new.window,
            amount: new.amount.into(),
            by_transfer,
            since,
            is_done: false,
        };
        let name = format!("deposit/{}", super::orders::fresh_id()?);
        self.answers.wishes.push((name.clone(), Some(wish.to_json())));
        self.wishes.insert(name, wish);
        self.follow_new(key, BlockHeight::new(since));
        Ok(id)
    }

    /// Follows a channel that the core does not know yet, or awaits something of it.
    pub(super) fn follow_new(&mut self, key: ChannelKey, since: BlockHeight) {
        let since = self.node.channel(&key.id()).map_or(since, |channel| BlockHeight::new(u64::from(channel.of.epoch.0)));
        self.interests.follow(Followed { key, since, is_restless: true });
    }

    /// Whether money is on its way into a channel.
    pub(super) fn has_deposits(&self, id: &ChannelId) -> bool {
        self.wishes.values().any(|wish| self.key_of_wish(wish).is_some_and(|key| key.id() == *id))
    }

    pub(super) fn key_of_wish(&self, wish: &Wish) -> Option<ChannelKey> {
        match wish {
            Wish::Deposit { token, peer, window, .. } => ChannelKey::new(*token, self.node.address(), *peer, *window).ok(),
            Wish::Close => None,
        }
    }

    /// The calls that are wanted for them.
    pub(super) fn deposits(&self) -> Vec<Wanted> {
        let call = |(name, wish): (&String, &Wish)| match wish {
            Wish::Deposit { amount, by_transfer, is_done: false, .. } => {
                self.deposit_call(name, &self.key_of_wish(wish)?, *amount, *by_transfer)
            }
            Wish::Deposit { .. } | Wish::Close => None,
        };
        self.wishes.iter().filter_map(call).collect()
    }

    /// A deposit's call is done.
    pub(super) fn deposit_done(&mut self, base: &LockId) {
        let done = self.deposits().into_iter().zip(self.pending_deposits()).find(|(wanted, _)| wanted.base == *base);
        let Some((_, name)) = done else { return };
        if let Some(Wish::Deposit { is_done, .. }) = self.wishes.get_mut(&name) {
            *is_done = true;
        }
        if let Some(wish) = self.wishes.get(&name) {
            self.answers.wishes.push((name, Some(wish.to_json())));
        }
        self.strike_deposits();
    }

    fn pending_deposits(&self) -> Vec<String> {
        let is_pending = |wish: &Wish| matches!(wish, Wish::Deposit { is_done: false, .. }) && self.key_of_wish(wish).is_some();
        self.wishes.iter().filter(|(_, wish)| is_pending(wish)).map(|(name, _)| name.clone()).collect()
    }

    /// Strikes out those that are mined and whose channel is open here.
    pub(super) fn strike_deposits(&mut self) {
        let is_over = |wish: &Wish| {
            let is_done = matches!(wish, Wish::Deposit { is_done: true, .. });
            is_done && self.key_of_wish(wish).is_some_and(|key| self.node.channel(&key.id()).is_some())
        };
        let over: Vec<String> = self.wishes.iter().filter(|(_, wish)| is_over(wish)).map(|(name, _)| name.clone()).collect();
        for name in over {
            self.wishes.remove(&name);
            self.answers.wishes.push((name, None));
        }
    }
}
