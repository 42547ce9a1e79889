//! Over which channels a payment goes, and until when its locks stand.

use super::engine::Engine;
use super::words::{ChannelsError, NewPayment, PayBy, Payee, Through};
use photon_chains::{Address, BlockHeight, Expiry};
use photon_channel::{Channel, Hop, KnownKey, MOST_HOPS, Order, PaymentId, Tie, Units, Way};

impl Engine {
    /// The order that a payment is to the core.
    pub(super) fn order_of(&self, id: PaymentId, new: &NewPayment) -> Result<Order, ChannelsError> {
        if new.amount.is_zero() {
            return Err(ChannelsError::Order("a payment of nothing"));
        }
        let payee = self.payee(&new.payee)?;
        let ways = match &new.through {
            Through::Ways(ways) => ways.clone(),
            Through::Mediators(mediators) => vec![self.way(new, payee.address(), mediators)?],
            Through::Any => vec![self.way(new, payee.address(), &[])?],
        };
        let tie = match new.by {
            PayBy::Direct => Tie::Direct,
            PayBy::Sealed => Tie::Sealed(super::orders::fresh_secret()?),
            PayBy::Hash(hash) => Tie::Hash(hash),
        };
        Ok(Order { id, payee, amount: new.amount, most_fee: new.most_fee, tie, ways })
    }

    fn payee(&self, payee: &Payee) -> Result<KnownKey, ChannelsError> {
        match payee {
            Payee::Key(key) => KnownKey::new(key).map_err(|_| ChannelsError::Order("the payee's public key is none")),
            Payee::Neighbour(address) => self.node.key_of(address).ok_or(ChannelsError::NoWay),
        }
    }

    /// The way through these mediators, each of them paid as this node would be, the last lock's end far enough away that the
    /// payee can act, and each lock before it later by what a mediator needs.
    fn way(&self, new: &NewPayment, payee: Address, mediators: &[Address]) -> Result<Way, ChannelsError> {
        if mediators.len() > MOST_HOPS {
            return Err(ChannelsError::Order("too many mediators"));
        }
        let mut amount = new.amount;
        let mut left_secs = 2 * self.policy.reveal_margin_secs;
        let mut onward = Vec::new();
        // From the payee back: who receives each lock, but the first.
        let mut receivers: Vec<Address> = mediators.iter().skip(1).copied().chain([payee]).collect();
        receivers.truncate(mediators.len());
        for to in receivers.into_iter().rev() {
            onward.insert(0, Hop { to, amount, expiry: self.expiry_in(left_secs) });
            let fee = self.policy.fee(amount).ok_or(ChannelsError::NoWay)?;
            amount = amount.checked_add(fee).ok_or(ChannelsError::NoWay)?;
            left_secs += self.policy.hop_slack_secs;
        }
        let first = mediators.first().copied().unwrap_or(payee);
        let channel = self.roomiest(&first, new.token, amount).ok_or(ChannelsError::NoWay)?;
        let expiry = match new.by {
            PayBy::Direct => self.expiry_in(0),
            PayBy::Sealed | PayBy::Hash(_) => self.expiry_in(left_secs),
        };
        Ok(Way { channel: channel.of.channel, amount, expiry, onward })
    }

    /// The channel with that neighbour that has the most to spend, if it has so much.
    fn roomiest(&self, peer: &Address, token: Option<Address>, amount: Units) -> Option<&Channel> {
        let fitting = self.node.channels_with_peer(peer).filter(|channel| channel.key.token() == token && channel.is_active());
        let free = |channel: &&Channel| channel.free(channel.side);
        fitting.max_by_key(free).filter(|channel| free(channel) >= amount.signed())
    }

    /// A lock judged by the registry, that opens after so long by both clocks.
    fn expiry_in(&self, secs: u64) -> Expiry {
        let latest = self.node.tip().latest;
        let time = crate::clock::now().max(latest.time).plus_secs(secs);
        let block = latest.block.plus(secs / self.block_secs.max(1));
        Expiry { opens_block: BlockHeight::new(block.get()), linked: true, ..Expiry::at(time) }
    }
}
