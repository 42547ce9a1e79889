//! What Mallory makes of a neighbour that has forgotten, or does not see the chain.

use crate::chain::{What, domain};
use crate::party::Vice;
use crate::world::World;
use photon_channel::contract::{Call, Slot};
use photon_channel::*;

impl World {
    /// What she says in the place of what her own core would. None: nothing.
    pub fn misremind(&mut self, own: usize, message: Message) -> Option<Message> {
        match (self.parties[own].vice, message) {
            (Vice::Hides, Message::Remind { .. }) => None,
            (Vice::Hides, Message::Hello { of, sent, received, waits, .. }) => {
                // As little as she can, or as if she had forgotten herself.
                let (sent, received) = if self.rng.percent(50) { (Nonce::NONE, Nonce::NONE) } else { (sent, received) };
                Some(Message::Hello { of, sent, received, waits, held: None })
            }
            (Vice::Misreminds, Message::Remind { of, sure, own: word, yours }) => {
                let lie = self.lie(own, of);
                Some(lie.unwrap_or(Message::Remind { of, sure, own: word, yours }))
            }
            (_, message) => Some(message),
        }
    }

    /// She reminds whoever may have forgotten nothing.
    pub fn remind_unasked(&mut self, own: usize) {
        let channels: Vec<(ChannelRef, usize)> =
            self.parties[own].node.channels().map(|channel| (channel.of, self.at(&channel.peer.address()))).collect();
        for (of, to) in channels {
            if self.rng.percent(20)
                && let Some(lie) = self.lie(own, of)
            {
                self.push(own, to, lie);
            }
        }
    }

    fn lie(&mut self, own: usize, of: ChannelRef) -> Option<Message> {
        let channel = self.parties[own].node.channel(&of.channel).filter(|channel| channel.of == of)?.clone();
        let signer = self.parties[own].signer.clone();
        let (side, at) = (channel.side, self.rng.next());
        let later = Nonce(channel.outgoing.nonce.0 + self.rng.between(1, 5));
        let signed = |payer: Side, nonce: Nonce, transferred: Units, locks: Vec<Pending>| {
            let pending = Commitment::of(&locks).ok()?;
            let proof = BalanceProof { of, payer, nonce, transferred, pending };
            let signature = signer.sign(&proof.digest(&domain()));
            Some(Box::new(Testimony { proof: SignedProof { proof, signature }, locks }))
        };
        let pending = |payer: Side| channel.locks(payer).iter().map(|held| held.lock).collect::<Vec<_>>();
        let (sure, word, yours) = match self.rng.between(0, 4) {
            // A later word of hers, which gives less.
            0 => (later, signed(side, later, Units::ZERO, Vec::new()), None),
            // ... as much, to have it believed that something was forgotten.
            1 => (later, signed(side, later, channel.outgoing.transferred, pending(side)), None),
            // A word of the other one's that it never said.
            2 => {
                let more = channel.incoming.transferred.checked_add(Units::from(50_000))?;
                (Nonce::NONE, None, signed(side.other(), Nonce(channel.incoming.nonce.0 + 1), more, pending(side.other())))
            }
            // An old one, with all that was ever pending in it.
            3 => {
                let (shown, locks) = self.malice.word(of, side, at)?.clone();
                let contract::Shown { nonce, transferred, pending, signature } = shown;
                let proof = BalanceProof { of, payer: side.other(), nonce, transferred, pending };
                (Nonce::NONE, None, Some(Box::new(Testimony { proof: SignedProof { proof, signature }, locks })))
            }
            _ => (Nonce::NONE, None, None),
        };
        Some(Message::Remind { of, sure, own: word, yours })
    }

    /// She closes with any word while the other one can't see it.
    pub fn close_unseen(&mut self, own: usize) {
        let from = self.address(own);
        let latest = self.chain.latest();
        let seen: Vec<(ChannelKey, ChannelRef, Side, usize)> = self.parties[own]
            .node
            .channels()
            .map(|channel| (channel.key, channel.of, channel.side, self.at(&channel.peer.address())))
            .collect();
        for (key, of, side, peer) in seen {
            let is_open = matches!(latest.contract.slot(&of.channel), Some(Slot::Open(open)) if open.epoch == of.epoch);
            if !is_open || !self.is_blind(peer) || !self.rng.percent(40) {
                continue;
            }
            let at = self.rng.next();
            let Some((shown, list)) = self.malice.word(of, side, at).cloned() else { continue };
            let records = self.any_records(&list);
            self.chain.send_once(from, What::Call(key, Box::new(Call::Close { shown, records })));
        }
    }
}
