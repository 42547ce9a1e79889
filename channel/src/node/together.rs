//! What both sides of a channel agree on: closing it, and taking money out of it.
//!
//! A close is signed only once nothing is pending or under way on either side, and by whoever is *asked* for it: the asker sends
//! it to the contract. From the signature until the close is mined, or dead for certain, no value moves. A withdrawal needs no
//! quiet: what it takes out just can't be promised meanwhile.

use crate::chain::Stage;
use crate::channel::{Channel, Grant, Leaving, Standing};
use crate::guard::Guard;
use crate::key::{ChannelId, Side};
use crate::message::Message;
use crate::node::Node;
use crate::node::words::{Effect, Notice, Refused};
use crate::proof::{CooperativeClose, Signed, Withdraw};
use crate::sign::Signature;
use crate::units::{Nonce, Units};
use photon_chains::UnixTime;

impl Channel {
    /// Whether nothing is pending, and nothing under way.
    fn is_quiet(&self) -> bool {
        let is_quiet =
            self.outgoing.locks.is_empty() && self.incoming.locks.is_empty() && self.unacked.is_empty() && self.batch.is_empty();
        Guard::Quiet.demands(is_quiet)
    }

    /// Whether something is asked for, or agreed and neither mined nor dead yet.
    pub(super) fn wants_consent(&self) -> bool {
        self.leaving.is_some() || self.standing != Standing::Active
    }

    /// Whether the holder would end it together, and its signature of that may be given: of one that is open, by whoever begins
    /// nothing new in it. For one who has forgotten this is all that is ever signed, of what either side has shown.
    fn may_end(&self) -> bool {
        self.may_sign() || self.standing == Standing::Behind && self.chain.stage == Stage::Open
    }

    /// Whether the holder asks for the end.
    fn wants_end(&self) -> bool {
        matches!(self.standing, Standing::Stopping | Standing::Behind) && self.is_quiet() && self.leaving.is_none()
    }

    /// With a close signed.
    fn granted(&mut self, grant: Grant) {
        self.standing = if self.is_behind() { Standing::Parting(grant) } else { Standing::Granted(grant) };
    }

    /// The close by what both have paid.
    fn close(&self, deadline: UnixTime) -> CooperativeClose {
        let (own, peer) = (self.outgoing.transferred.signed(), self.incoming.transferred.signed());
        let paid_to_a = match self.side {
            Side::A => peer - own,
            Side::B => own - peer,
        };
        CooperativeClose { of: self.of, paid_to_a, deadline }
    }

    /// The cooperative close that the holder is to send to the contract, with the counterparty's signature. None where none is.
    pub fn together(&self) -> Option<(CooperativeClose, Signature)> {
        let grant = self.grant()?;
        Some((self.close(grant.deadline), grant.signature?))
    }

    /// The withdrawal that the holder is to send to the contract, with the counterparty's signature. None where none is.
    pub fn withdrawing(&self) -> Option<(Withdraw, Signature)> {
        let leaving = self.leaving.filter(|leaving| leaving.side == self.side)?;
        Some((self.withdrawal(&leaving), leaving.signature?))
    }

    fn withdrawal(&self, leaving: &Leaving) -> Withdraw {
        let (amount_a, amount_b) = match leaving.side {
            Side::A => (leaving.amount, Units::ZERO),
            Side::B => (Units::ZERO, leaving.amount),
        };
        Withdraw { of: self.of, number: leaving.number, amount_a, amount_b, deadline: leaving.deadline }
    }
}

impl Node {
    /// Nothing new is begun in this channel; once it is quiet, the counterparty is asked for its signature.
    pub(super) fn stop(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get_mut(&id).filter(|channel| channel.is_active() || channel.is_behind()) else {
            return self.tell(Notice::Refused(Refused::Channel(id)));
        };
        if channel.is_behind() {
            // It is asked for all the time.
            self.stirred.insert(id);
            return;
        }
        channel.standing = Standing::Stopping;
        self.consents.insert(id);
        self.touch(&id);
        self.fail_queue(id, crate::Reason::NoWay);
        self.stirred.insert(id);
    }

    /// The owner has changed its mind. A signature that the counterparty has given stays with it until its deadline.
    pub(super) fn resume(&mut self, id: ChannelId) {
        match self.channels.get_mut(&id) {
            Some(channel) if channel.standing == Standing::Stopping => {
                channel.standing = Standing::Active;
                self.touch(&id);
                self.stirred.insert(id);
            }
            Some(_) | None => self.tell(Notice::Refused(Refused::Channel(id))),
        }
    }

    /// A channel has done all that it could.
    pub(super) fn drained(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else { return };
        if channel.wants_end() {
            let message = Message::AskClose { of: channel.of, sent: channel.outgoing.nonce };
            self.effects.push(Effect::Send(channel.peer.address(), message));
        }
    }

    /// The counterparty wants to close. This side begins nothing new until it has answered, or the connection is gone.
    pub(super) fn close_asked(&mut self, id: ChannelId, sent: Nonce) {
        let Some(channel) = self.channels.get(&id) else { return };
        // Where both ask at once, B sends and A signs.
        if channel.wants_end() && channel.side == Side::B {
            return;
        }
        self.asked.insert(id, sent);
        self.stirred.insert(id);
        if self.channels.get(&id).and_then(Channel::grant).is_some_and(|grant| grant.signature.is_none()) {
            self.consent_again(id);
        }
    }

    /// Signs the close that the counterparty asked for, once nothing is under way.
    pub(super) fn grant_close(&mut self, id: ChannelId) {
        // The other side may see a chain on which this channel is not what it is here: that is looked at first.
        let may_consent = Guard::UnseenConsent.demands(self.sees());
        let Some(sent) = self.asked.get(&id).copied().filter(|_| may_consent) else { return };
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if !channel.is_quiet() || channel.leaving.is_some() || channel.incoming.nonce != sent || !channel.may_end() {
            return;
        }
        let deadline = self.now.max(self.tip.latest.time).plus_secs(self.policy.consent_secs);
        channel.granted(Grant { deadline, signature: None });
        self.asked.remove(&id);
        self.consents.insert(id);
        self.touch(&id);
        self.fail_queue(id, crate::Reason::NoWay);
        self.consent_again(id);
    }

    /// Says again what was consented to, and does again what the counterparty consented to.
    pub(super) fn consent_again(&mut self, id: ChannelId) {
        let Some(channel) = self.channels.get(&id) else { return };
        let (of, peer) = (channel.of, channel.peer.address());
        let mut effects = Vec::new();
        if let Some(grant) = channel.grant() {
            let close = channel.close(grant.deadline);
            effects.push(match grant.signature {
                Some(signature) => Effect::CloseTogether(close, signature),
                None => {
                    let (sent, received) = (channel.outgoing.nonce, channel.incoming.nonce);
                    let signature = self.signer.sign(&close.digest(&channel.domain));
                    Effect::Send(peer, Message::GrantClose { of, sent, received, deadline: grant.deadline, signature })
                }
            });
        }
        // Whoever has forgotten waits until it is mined or dead.
        if let Some(leaving) = channel.leaving.as_ref().filter(|_| !channel.is_behind()) {
            let withdrawal = channel.withdrawal(leaving);
            let (number, amount, deadline) = (leaving.number, leaving.amount, leaving.deadline);
            effects.push(match (leaving.side == channel.side, leaving.signature) {
                (true, Some(signature)) => Effect::Withdraw(withdrawal, signature),
                (true, None) => Effect::Send(peer, Message::AskWithdraw { of, number, amount, deadline }),
                (false, _) => {
                    let signature = self.signer.sign(&withdrawal.digest(&channel.domain));
                    Effect::Send(peer, Message::GrantWithdraw { of, number, signature })
                }
            });
        }
        self.effects.extend(effects);
    }

    /// The counterparty has signed the close that was asked for.
    pub(super) fn close_granted(
        &mut self,
        id: ChannelId,
        sent: Nonce,
        received: Nonce,
        deadline: UnixTime,
        signature: Signature,
    ) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        // A close of another state than this side's would be a gift, one way or the other.
        let is_same = Guard::CloseSame.demands(channel.incoming.nonce == sent && channel.outgoing.nonce == received);
        let is_wanted = channel.wants_end();
        let close = channel.close(deadline);
        let is_signed = || channel.peer.verify(&close.digest(&channel.domain), &signature).is_ok();
        if !is_same || !is_wanted || Guard::CloseSigned.refuses(!is_signed()) {
            return;
        }
        channel.granted(Grant { deadline, signature: Some(signature) });
        self.consents.insert(id);
        self.touch(&id);
        self.consent_again(id);
    }

    /// The owner wants to take money out.
    pub(super) fn ask_withdraw(&mut self, id: ChannelId, amount: Units) {
        let deadline = self.latest().plus_secs(self.policy.consent_secs);
        let is_kept = self.is_kept(&id, None, amount);
        let Some(channel) = self.channels.get_mut(&id) else {
            return self.tell(Notice::Refused(Refused::Channel(id)));
        };
        let has_enough = !amount.is_zero() && !is_kept && channel.free(channel.side) >= amount.signed();
        if !channel.in_step || !channel.is_active() || channel.leaving.is_some() || !has_enough {
            return self.tell(Notice::Refused(Refused::Channel(id)));
        }
        let number = channel.chain.withdrawals;
        channel.leaving = Some(Leaving { side: channel.side, amount, number, deadline, signature: None });
        self.consents.insert(id);
        self.touch(&id);
        self.consent_again(id);
    }

    /// The counterparty wants to take money out.
    pub(super) fn withdraw_asked(&mut self, id: ChannelId, number: u32, amount: Units, deadline: UnixTime) {
        let longest = self.latest().plus_secs(2 * self.policy.consent_secs);
        let sees = Guard::UnseenConsent.demands(self.sees());
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let side = channel.side.other();
        let leaving = Leaving { side, amount, number, deadline, signature: None };
        if channel.leaving == Some(leaving) {
            return self.consent_again(id);
        }
        let has_enough = !amount.is_zero() && Guard::TakeOutCovered.demands(channel.free(side) >= amount.signed());
        let is_next = Guard::TakeOutNumber.demands(number == channel.chain.withdrawals);
        let is_good = has_enough && is_next && Guard::ConsentShort.demands(deadline <= longest);
        if !sees || !channel.in_step || !channel.is_active() || channel.leaving.is_some() || !is_good {
            return;
        }
        channel.leaving = Some(leaving);
        self.consents.insert(id);
        self.touch(&id);
        self.consent_again(id);
    }

    /// The counterparty has signed the withdrawal that was asked for.
    pub(super) fn withdraw_granted(&mut self, id: ChannelId, number: u32, signature: Signature) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let Some(leaving) = channel.leaving.filter(|leaving| leaving.side == channel.side && leaving.number == number) else {
            return;
        };
        let withdrawal = channel.withdrawal(&leaving);
        let is_signed = || channel.peer.verify(&withdrawal.digest(&channel.domain), &signature).is_ok();
        if leaving.signature.is_some() || Guard::TakeOutSigned.refuses(!is_signed()) {
            return;
        }
        channel.leaving = Some(Leaving { signature: Some(signature), ..leaving });
        self.touch(&id);
        self.consent_again(id);
    }
}
