//! What the owner asks for: judged, given to the core, and answered once it is durable.

use super::deposits::Wish;
use super::engine::{Engine, Input, Running};
use super::tell::Refusals;
use super::words::{ChannelsError, CloseHow, MOST_MEMO, NewDeposit, NewPayment, NewRequest, PayBy, Paying, RequestView, Through};
use crate::clock;
use photon_chains::{Secret, SecretHash};
use photon_channel::{ChannelId, Event, Outcome, PaymentId, Refused, Request, Sight, Stage, Units};
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

type Answer<T> = oneshot::Sender<Result<T, ChannelsError>>;

/// An order, and where its answer goes.
pub(super) enum Order {
    /// A payment.
    Pay(NewPayment, Answer<Paying>),
    /// A payment to be expected.
    Expect(NewRequest, Answer<RequestView>),
    /// Money to be put in; whether the token brings it by its own transfer.
    Deposit(NewDeposit, bool, Answer<ChannelId>),
    /// Anything else.
    Do(Deed, Answer<()>),
}

/// Something to be done that has no answer but yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Recall(PaymentId),
    Release(Secret),
    Learn(Secret),
    GiveUp(SecretHash),
    Close(ChannelId, CloseHow),
    Resume(ChannelId),
    Withdraw(ChannelId, Units),
    KeepRoom(PaymentId, ChannelId, Units),
    FreeRoom(PaymentId),
}

/// What waits for the next step to be durable.
#[derive(Default)]
pub(super) struct Answers {
    payments: Vec<(PaymentId, oneshot::Receiver<Outcome>, Answer<Paying>)>,
    requests: Vec<(RequestView, Answer<RequestView>)>,
    deposits: Vec<(ChannelId, Answer<ChannelId>)>,
    deeds: Vec<(Refused, Answer<()>)>,
    /// Wishes to be written with it.
    pub(super) wishes: Vec<(String, Option<String>)>,
}

impl Answers {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        let Self { payments, requests, deposits, deeds, wishes } = self;
        payments.is_empty() && requests.is_empty() && deposits.is_empty() && deeds.is_empty() && wishes.is_empty()
    }
}

impl Order {
    /// The payment that is asked for by name.
    pub(super) const fn names(&self) -> Option<PaymentId> {
        match self {
            Order::Pay(payment, _) => payment.id,
            Order::Expect(..) | Order::Deposit(..) | Order::Do(..) => None,
        }
    }
}

/// The payments that are asked for by name.
pub(super) fn named(batch: &[Input]) -> Vec<PaymentId> {
    let name = |input: &Input| match input {
        Input::Order(order) => order.names(),
        _ => None,
    };
    batch.iter().filter_map(name).collect()
}

impl Engine {
    /// Which of these payments have ended before: they are not made again.
    pub(super) async fn known_before(&self, named: Vec<PaymentId>) -> anyhow::Result<BTreeSet<PaymentId>> {
        if named.is_empty() {
            return Ok(BTreeSet::new());
        }
        Ok(self.store.have_ended(self.ledger, named).await?)
    }

    pub(super) fn ordered(&mut self, order: Order, known: &BTreeSet<PaymentId>) {
        // An answer to somebody who is gone is no answer.
        match order {
            Order::Pay(payment, answer) => match self.pay(payment, known) {
                Ok((id, ended)) => self.answers.payments.push((id, ended, answer)),
                Err(error) => drop(answer.send(Err(error))),
            },
            Order::Expect(request, answer) => match self.expect(request) {
                Ok(view) => self.answers.requests.push((view, answer)),
                Err(error) => drop(answer.send(Err(error))),
            },
            Order::Deposit(deposit, by_transfer, answer) => match self.wish_deposit(&deposit, by_transfer) {
                Ok(id) => {
                    self.send_hints(&deposit.peer);
                    self.answers.deposits.push((id, answer));
                }
                Err(error) => drop(answer.send(Err(error))),
            },
            Order::Do(deed, answer) => match self.act(deed) {
                Ok(refusal) => self.answers.deeds.push((refusal, answer)),
                Err(error) => drop(answer.send(Err(error))),
            },
        }
    }

    fn pay(
        &mut self,
        new: NewPayment,
        known: &BTreeSet<PaymentId>,
    ) -> Result<(PaymentId, oneshot::Receiver<Outcome>), ChannelsError> {
        must_be_short(new.memo.as_deref())?;
        let id = match new.id {
            Some(id) if known.contains(&id) || self.running.contains_key(&id) => return Err(ChannelsError::SamePayment(id)),
            Some(id) => id,
            None => fresh_id()?,
        };
        if new.by != PayBy::Direct {
            self.must_see()?;
        }
        let order = self.order_of(id, &new)?;
        let (waiter, ended) = oneshot::channel();
        if new.memo.is_some() {
            self.node.take(Event::Keep(id));
        }
        let mut running = Running::of(&order, new.memo, clock::now());
        running.waiter = Some(waiter);
        if let Through::Hinted(hints) = new.through {
            running.hints = hints;
        }
        self.running.insert(id, running);
        self.node.take(Event::Pay(order));
        Ok((id, ended))
    }

    fn expect(&mut self, new: NewRequest) -> Result<RequestView, ChannelsError> {
        must_be_short(new.memo.as_deref())?;
        if new.amount.is_zero() {
            return Err(ChannelsError::Order("a request of nothing"));
        }
        let secret = match new.hold {
            Some(_) => None,
            None => Some(fresh_secret()?),
        };
        let hash = new.hold.or(secret.as_ref().map(Secret::hash)).ok_or(ChannelsError::Stopped)?;
        let id = match new.id {
            Some(id) => id,
            None => fresh_id()?,
        };
        let view = RequestView {
            ledger: self.ledger,
            secret_hash: hash,
            id,
            amount: new.amount,
            is_held: secret.is_none(),
            is_pending: false,
            memo: new.memo.clone(),
        };
        if self.node.request(&hash).is_none() {
            let note = super::engine::RequestNote { memo: new.memo, created_at: clock::now() };
            self.requests.insert(hash, note);
        }
        let request =
            Request { secret_hash: hash, amount: new.amount, payment: id, secret, least_secs: new.least_secs, until: new.until };
        self.node.take(Event::Expect(request));
        Ok(view)
    }

    /// Gives it to the core; returns what the core would say if it refused.
    fn act(&mut self, deed: Deed) -> Result<Refused, ChannelsError> {
        if matches!(deed, Deed::Close(..) | Deed::Withdraw(..)) {
            self.must_see()?;
        }
        let (event, refusal) = match deed {
            Deed::Recall(id) => (Event::Recall(id), Refused::Recall(id)),
            Deed::Release(secret) => {
                let hash = secret.hash();
                (Event::Release(secret), Refused::Release(hash))
            }
            Deed::Learn(secret) => {
                let hash = secret.hash();
                if self.is_shut(&hash) {
                    return Err(ChannelsError::Refused(Refused::Release(hash)));
                }
                (Event::Secret(secret), Refused::Release(hash))
            }
            Deed::GiveUp(hash) => (Event::GiveUp(hash), Refused::Request(hash)),
            Deed::Close(id, CloseHow::Together) => (Event::AskClose(id), Refused::Channel(id)),
            Deed::Close(id, CloseHow::Alone) => {
                self.wish_close(id)?;
                return Ok(Refused::Channel(id));
            }
            Deed::Resume(id) => (Event::Resume(id), Refused::Channel(id)),
            Deed::KeepRoom(payment, id, amount) => {
                let is_kept = self.node.keep_room(payment, id, amount);
                return if is_kept { Ok(Refused::Order(payment)) } else { Err(ChannelsError::NoWay) };
            }
            Deed::FreeRoom(payment) => {
                self.node.free_room(&payment);
                return Ok(Refused::Order(payment));
            }
            Deed::Withdraw(id, amount) => (Event::AskWithdraw(id, amount), Refused::Channel(id)),
        };
        self.node.take(event);
        Ok(refusal)
    }

    /// What is asked for needs the chain.
    pub(super) fn must_see(&self) -> Result<(), ChannelsError> {
        match self.node.sight() {
            Sight::Lost => Err(ChannelsError::OutOfSight(self.ledger)),
            Sight::Live | Sight::Awaited => Ok(()),
        }
    }

    /// From now on nothing is signed in this channel, and nothing of it is taken: what the counterparty said last is what the
    /// close shows, and what came later would not count.
    pub(super) fn wish_close(&mut self, id: ChannelId) -> Result<(), ChannelsError> {
        let channel = self.node.channel(&id).ok_or(ChannelsError::Channel(id))?;
        if channel.chain.stage != Stage::Open {
            return Err(ChannelsError::Channel(id));
        }
        let (of, chain) = (channel.of, channel.chain);
        self.answers.wishes.push((close_key(&of), Some(Wish::Close.to_json())));
        self.wishes.insert(close_key(&of), Wish::Close);
        self.node.take(Event::Chain(id, photon_channel::OnChain { stage: Stage::Closed, ..chain }));
        Ok(())
    }

    /// Tells those who asked, once the step with what they asked for is durable.
    pub(super) fn answer(&mut self, answers: Answers, refused: &Refusals) {
        for (id, ended, answer) in answers.payments {
            let verdict = [Refused::Order(id), Refused::SamePayment(id)].into_iter().find(|refusal| refused.contains(refusal));
            let reply = match verdict {
                Some(refusal) => {
                    self.running.remove(&id);
                    Err(ChannelsError::Refused(refusal))
                }
                None => Ok(Paying { id, ended }),
            };
            // Whoever asked may be gone; it stands all the same.
            let _ = answer.send(reply);
        }
        for (view, answer) in answers.requests {
            let refusal = Refused::Request(view.secret_hash);
            let reply = if refused.contains(&refusal) { Err(ChannelsError::Refused(refusal)) } else { Ok(view) };
            let _ = answer.send(reply);
        }
        for (id, answer) in answers.deposits {
            let _ = answer.send(Ok(id));
        }
        for (refusal, answer) in answers.deeds {
            let reply = if refused.contains(&refusal) { Err(ChannelsError::Refused(refusal)) } else { Ok(()) };
            let _ = answer.send(reply);
        }
    }
}

/// The key of the wish to close a channel alone.
pub(super) fn close_key(of: &photon_channel::ChannelRef) -> String {
    format!("close/{}/{}", of.channel, of.epoch)
}

fn must_be_short(memo: Option<&str>) -> Result<(), ChannelsError> {
    if memo.is_some_and(|memo| memo.len() > MOST_MEMO) {
        return Err(ChannelsError::Order("the note is too long"));
    }
    Ok(())
}

/// A name that nobody has used: the time first, so that names of one time stand together in the store, then chance.
pub(super) fn fresh_id() -> Result<PaymentId, ChannelsError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ChannelsError::Stopped)?;
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let [.., a, b, c, d, e, f] = millis.to_be_bytes();
    bytes.iter_mut().zip([a, b, c, d, e, f]).for_each(|(to, byte)| *to = byte);
    Ok(PaymentId::from_bytes(bytes))
}

pub(super) fn fresh_secret() -> Result<Secret, ChannelsError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| ChannelsError::Stopped)?;
    Ok(Secret::from_bytes(bytes))
}
