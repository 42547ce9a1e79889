//! What is to be done on the chain: computed anew from what is known whenever something has changed, never remembered.
//!
//! Each call has a name made of what it is about and of the state that it builds on, so that asking for it again is asking for
//! the same, and a new state is a new call.

use super::engine::Engine;
use super::orders::close_key;
use photon_chains::{Address, Amount, ContractCall, IntentKey, LockId, Purpose, Secret, SecretHash, UnixTime};
use photon_channel::contract::{Call, Consent, Dispute, Folded};
use photon_channel::{
    Channel, ChannelId, ChannelKey, ChannelRef, Closing as Decision, LockNo, LockState, Moment, Side, Sight, Signature, Signed,
    Stage, keccak,
};
use std::collections::BTreeMap;

/// So many blocks a settle is left to whoever closed.
const SETTLE_PATIENCE_BLOCKS: u64 = 20;

/// A closed channel, as its logs say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) folded: Folded,
}

/// A call that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// For logs, and as points of crashes name it.
    pub(super) word: &'static str,
    /// Names it but for how often it was tried.
    pub(super) base: LockId,
    pub(super) call: ContractCall,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Mined, at final depth.
    Done,
    /// Mined, and for nothing: tried again under another name, if it is still wanted.
    Reverted,
    /// It can't be made, as the node says.
    Refused(String),
}

impl Engine {
    /// Everything that is wanted of the chain now, the most urgent first.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let mut all = Vec::new();
        for (secret, end) in self.registers.values() {
            all.push(self.registration(secret, *end));
        }
        for channel in self.node.channels() {
            all.extend(self.consented(channel));
            all.extend(self.alone(channel));
        }
        all.extend(self.deposits());
        all.sort_by_key(|wanted| wanted.call.by.map_or(u64::MAX, UnixTime::secs));
        all
    }

    fn named(&self, word: &'static str, subject: &[&[u8]], call: impl FnOnce(IntentKey) -> ContractCall) -> Wanted {
        let mut bytes = b"photon/channels/call/1".to_vec();
        bytes.extend(self.chain_id.to_be_bytes());
        bytes.extend(self.contract.as_bytes());
        bytes.extend(word.as_bytes());
        subject.iter().for_each(|part| bytes.extend(*part));
        let base = LockId::from_bytes(keccak(&bytes));
        let tries = self.tries.get(&base).copied().unwrap_or_default();
        let subject = match tries {
            0 => base,
            tries => LockId::from_bytes(keccak(&[base.as_bytes().as_slice(), &tries.to_be_bytes()].concat())),
        };
        Wanted { word, base, call: call(IntentKey::new(Purpose::Call, subject)) }
    }

    /// A call on a channel. Of a contract that takes it, the holder is the sender.
    fn on_channel(&self, word: &'static str, subject: &[&[u8]], key: &ChannelKey, call: &Call, by: Option<UnixTime>) -> Wanted {
        let input = call.input(&self.node.address(), key);
        let at_stake = key.token().is_none().then(|| self.at_stake(&key.id())).flatten();
        self.named(word, subject, |intent| ContractCall {
            intent,
            to: self.contract,
            value: Amount::ZERO,
            input,
            by,
            at_stake: by.and(at_stake),
            secret_until: None,
            allowance: None,
        })
    }

    /// What the channel holds: no more can be lost.
    fn at_stake(&self, id: &ChannelId) -> Option<Amount> {
        self.node.channel(id).map(|channel| channel.chain.holdings.total.into())
    }

    fn registration(&self, secret: &Secret, end: UnixTime) -> Wanted {
        let hash = secret.hash();
        let selector = keccak(b"registerSecret(bytes32)");
        let input = [selector.split_at(4).0, secret.expose()].concat();
        let at_stake = self.stake_of(&hash);
        self.named("register", &[hash.as_bytes()], |intent| ContractCall {
            intent,
            to: self.registry,
            value: Amount::ZERO,
            input,
            by: Some(end),
            at_stake,
            secret_until: Some(end),
            allowance: None,
        })
    }

    /// What hangs on a secret in the ledger's own coin; none where a token does.
    fn stake_of(&self, hash: &SecretHash) -> Option<Amount> {
        let mut sum = 0u128;
        for channel in self.node.channels() {
            for held in channel.incoming.locks.iter().filter(|held| held.lock.secret_hash == *hash) {
                if channel.key.token().is_some() {
                    return None;
                }
                sum = sum.saturating_add(held.lock.amount.get());
            }
        }
        Some(Amount::from_units(sum))
    }

    /// What both have signed, and the holder is to send.
    fn consented(&self, channel: &Channel) -> Vec<Wanted> {
        let (of, peer) = (channel.of, channel.peer.address());
        let mut all = Vec::new();
        if channel.chain.stage != Stage::Open {
            return all;
        }
        if let Some((close, signature)) = channel.together()
            && let Ok(signature) = signature.for_contract(&close.digest(&channel.domain), &peer)
        {
            let consent = Consent::Counterparty(signature);
            let call = Call::CooperativeClose { paid_to_a: close.paid_to_a, deadline: close.deadline, consent };
            let subject = [subject(&of), close.deadline.secs().to_be_bytes().to_vec()].concat();
            all.push(self.on_channel("close_together", &[&subject], &channel.key, &call, Some(close.deadline)));
        }
        if let Some((withdrawal, signature)) = channel.withdrawing()
            && let Ok(signature) = signature.for_contract(&withdrawal.digest(&channel.domain), &peer)
        {
            let amounts = photon_channel::Both { a: withdrawal.amount_a.get(), b: withdrawal.amount_b.get() };
            let consent = Consent::Counterparty(signature);
            let call = Call::Withdraw { amounts, deadline: withdrawal.deadline, consent };
            let subject = [subject(&of), withdrawal.number.to_be_bytes().to_vec(), deadline_bytes(withdrawal.deadline)].concat();
            all.push(self.on_channel("withdraw", &[&subject], &channel.key, &call, Some(withdrawal.deadline)));
        }
        all
    }

    /// What the holder does alone: closes where its owner wants that, and what follows a close.
    fn alone(&self, channel: &Channel) -> Option<Wanted> {
        let of = channel.of;
        // Before the chain was looked at nothing is known of what is registered there: a close would leave locks behind that it
        // could have unlocked, and they would have to wait until the window is over.
        if channel.chain.stage != Stage::Closed || self.node.sight() == Sight::Awaited {
            return None;
        }
        let tip = self.node.tip();
        let now = Moment { time: tip.latest.time.plus_secs(1).max(crate::clock::now()), block: tip.latest.block.plus(1) };
        let Some(closing) = self.closed.get(&of.channel) else {
            // Not closed on chain as far as is known: by the owner's wish, then.
            self.wishes.get(&close_key(&of))?;
            let call = channel.close_alone(now, &self.entries)?;
            return Some(self.on_channel("close", &[&subject(&of)], &channel.key, &call, None));
        };
        let disposals = self.disposals(channel, closing);
        let decision = Decision {
            channel,
            state: &closing.folded.state,
            pending: &closing.folded.pending,
            unlocked: &closing.folded.unlocked,
            disposals: &disposals,
            registered: &self.entries,
            now,
            deep: tip.deep,
            block_secs: self.block_secs,
        };
        let call = decision.next_call()?;
        let word = word_of(&call);
        let is_settle = matches!(&call, Call::Dispute(_, Dispute::Settle));
        if is_settle && closing.folded.state.closer != channel.side && !self.is_long_over(channel, closing) {
            return None;
        }
        let state = closing.folded.state.word(&channel.key);
        // Within the window what is not mined in time is lost; later there is no hurry.
        let end = closing.folded.state.since.time.plus_secs(channel.key.window().secs());
        let by = (!decision.is_over()).then_some(end);
        Some(self.on_channel(word, &[&subject(&of), &state], &channel.key, &call, by))
    }

    /// Both may settle, and one of both would pay for nothing: who did not close leaves it to the closer for a while.
    fn is_long_over(&self, channel: &Channel, closing: &Closing) -> bool {
        let end = closing.folded.state.since.time.plus_secs(channel.key.window().secs());
        self.node.tip().latest.time >= end.plus_secs(SETTLE_PATIENCE_BLOCKS * self.block_secs)
    }

    /// The counterparty's disposals of locks that its income holds, or held.
    fn disposals(&self, channel: &Channel, closing: &Closing) -> BTreeMap<LockNo, Signature> {
        let peer = channel.side.other();
        let nonce = closing.folded.state.incomes.of(peer).nonce;
        let lists = self.lists.get(&channel.of.channel);
        let listed = lists.and_then(|lists| lists.get(&(peer, nonce))).into_iter().flatten();
        let all = listed.chain(&channel.outgoing.locks);
        all.filter_map(|held| match held.state {
            LockState::Disposed(signature) => Some((held.lock.number, signature)),
            LockState::Waiting | LockState::Known(_) => None,
        })
        .collect()
    }

    /// What became of a call.
    pub(super) fn called(&mut self, word: &'static str, base: LockId, verdict: Verdict) {
        match verdict {
            Verdict::Done => self.deposit_done(&base),
            Verdict::Reverted => {
                tracing::warn!(chain = %self.ledger, call = word, "a call of a channel was mined and came to nothing");
                *self.tries.entry(base).or_default() += 1;
            }
            Verdict::Refused(reason) => {
                tracing::info!(chain = %self.ledger, call = word, %reason, "a call of a channel can't be made now");
            }
        }
    }

    /// The contract's side of a channel.
    pub(super) fn own_side(&self, key: &ChannelKey) -> Option<Side> {
        key.side_of(&self.node.address())
    }

    /// A deposit's call.
    pub(super) fn deposit_call(&self, name: &str, key: &ChannelKey, amount: Amount, by_transfer: bool) -> Option<Wanted> {
        let side = self.own_side(key)?;
        let call = Call::Deposit { of: side, amount: amount.units(), brought: photon_channel::contract::Brought::InFull };
        let own = self.node.address();
        let (to, value, input, allowance) = match key.token() {
            None => (self.contract, amount, call.input(&own, key), None),
            Some(token) if by_transfer => (token, Amount::ZERO, self.transfer_input(key, &own, amount), None),
            Some(token) => (self.contract, Amount::ZERO, call.input(&own, key), Some((token, amount))),
        };
        Some(self.named("deposit", &[name.as_bytes()], |intent| ContractCall {
            intent,
            to,
            value,
            input,
            by: None,
            at_stake: None,
            secret_until: None,
            allowance,
        }))
    }

    /// ERC223: `transfer(address,uint256,bytes)` to the contract, with (party, peer, window) for it to read.
    fn transfer_input(&self, key: &ChannelKey, own: &Address, amount: Amount) -> Vec<u8> {
        let peer = key.side_of(own).map_or(*own, |side| *key.parties().of(side.other()));
        let selector = keccak(b"transfer(address,uint256,bytes)");
        let words = photon_channel::Abi::new().address(&self.contract).u128(amount.units()).u64(96).u64(96);
        let words = words.address(own).address(&peer).u64(u64::from(key.window().minutes()));
        [selector.split_at(4).0, &words.finish()].concat()
    }
}

fn subject(of: &ChannelRef) -> Vec<u8> {
    [of.channel.as_bytes().as_slice(), &of.epoch.0.to_be_bytes()].concat()
}

fn deadline_bytes(deadline: UnixTime) -> Vec<u8> {
    deadline.secs().to_be_bytes().to_vec()
}

const fn word_of(call: &Call) -> &'static str {
    match call {
        Call::Deposit { .. } => "deposit",
        Call::CooperativeClose { .. } => "close_together",
        Call::Withdraw { .. } => "withdraw",
        Call::Close { .. } => "close",
        Call::Dispute(_, what) => match what {
            Dispute::Update { .. } => "update",
            Dispute::Unlock { .. } => "unlock",
            Dispute::UnlockLate { .. } => "unlock_late",
            Dispute::Release { .. } => "release",
            Dispute::Punish { .. } => "punish",
            Dispute::Settle => "settle",
        },
    }
}
