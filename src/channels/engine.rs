//! The loop of one ledger: what has queued goes into the core, the step is saved, and only then let out.

use super::acts::{Closing, Verdict, Wanted};
use super::chain::Lists;
use super::deposits::Wish;
use super::follow::{ChainNews, PortSource};
use super::hints::{Hint, Hinted};
use super::interests::Interests;
use super::orders::{Answers, Order, named};
use super::peers::{Links, Neighbours, Outgoing};
use super::tell;
use super::words::Told;
use crate::clock;
use crate::peer::Link;
use crate::store::{ChannelStep, NewEnded, Store};
use anyhow::Context;
use photon_chains::{Address, BlockHeight, Ledger, LockId, Secret, SecretHash, UnixTime, crash};
use photon_channel::{
    ChannelId, Domain, Effect, Event, Key, KnownKey, Message, Moment, Node, Outcome, Payment, PaymentId, Policy, Row, Signer,
    Tie, Units, Write,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

/// The most inputs of one step. More would make the first wait too long for the last.
const MOST_INPUTS: usize = 4_096;
/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// What an engine is made of.
pub struct EngineParts {
    /// Which ledger.
    pub ledger: Ledger,
    /// The node's account.
    pub signer: Signer,
    /// The chain's id, as signed messages name it.
    pub chain_id: u64,
    /// The channels contract there.
    pub contract: Address,
    /// The secret registry that it judges by.
    pub registry: Address,
    /// Tokens that the owner trusts.
    pub tokens: BTreeSet<Address>,
    /// What the owner allows.
    pub policy: Policy,
    /// The seconds that a block is reckoned as by the contract.
    pub block_secs: u64,
    /// The most channels, those of strangers among them.
    pub most_channels: usize,
    /// How the ledger's port is found.
    pub source: PortSource,
    /// How often the chain is looked at.
    pub pace: Duration,
}

/// Something that an engine is to take in.
pub(super) enum Input {
    /// The owner wants something.
    Order(Box<Order>),
    /// Somebody wants to look.
    Look(Box<dyn FnOnce(&Engine) + Send>),
    /// A connection is there.
    Up(Link),
    /// It is gone.
    Down(Address, u64),
    /// A neighbour says something.
    Said(Address, Vec<Message>),
    /// A peer tells of channels with this node.
    Hinted(Address, Vec<Hint>),
    /// The chain was looked at.
    Chain(Box<ChainNews>),
    /// What became of a call.
    Called(&'static str, LockId, Verdict),
}

/// A payment of the owner's that is under way.
pub(super) struct Running {
    pub(super) payee: Address,
    pub(super) amount: Units,
    pub(super) fee: Units,
    pub(super) channel: ChannelId,
    pub(super) secret_hash: Option<SecretHash>,
    pub(super) memo: Option<String>,
    pub(super) created_at: UnixTime,
    /// Whoever waits for its end.
    pub(super) waiter: Option<oneshot::Sender<Outcome>>,
}

impl Running {
    pub(super) fn of(payment: &Payment, memo: Option<String>, created_at: UnixTime) -> Self {
        let order = &payment.order;
        let mut running = Self {
            payee: order.payee.address(),
            amount: order.amount,
            fee: Units::ZERO,
            channel: ChannelId::from_bytes([0; 32]),
            secret_hash: match &order.tie {
                Tie::Hash(hash) => Some(*hash),
                Tie::Direct | Tie::Sealed(_) => None,
            },
            memo,
            created_at,
            waiter: None,
        };
        running.goes(payment);
        running
    }

    /// Notes the way that is being tried.
    fn goes(&mut self, payment: &Payment) {
        if let Some(way) = payment.order.ways.first() {
            self.channel = way.channel;
            self.fee = way.amount.saturating_sub(payment.order.amount);
        }
    }
}

/// What the owner has noted with a request.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestNote {
    pub(super) memo: Option<String>,
    pub(super) created_at: UnixTime,
}

/// One ledger's channels.
pub(super) struct Engine {
    pub(super) ledger: Ledger,
    pub(super) node: Node,
    pub(super) policy: Policy,
    pub(super) block_secs: u64,
    pub(super) chain_id: u64,
    pub(super) contract: Address,
    pub(super) registry: Address,
    pub(super) tokens: BTreeSet<Address>,
    pub(super) most_channels: usize,
    pub(super) store: Store,
    pub(super) running: HashMap<PaymentId, Running>,
    pub(super) requests: HashMap<SecretHash, RequestNote>,
    pub(super) answers: Answers,
    pub(super) links: Links,
    pub(super) neighbours: Neighbours,
    /// Keys of those who are connected.
    pub(super) keys: HashMap<Address, KnownKey>,
    pub(super) interests: Interests,
    pub(super) hinted: HashMap<ChannelId, Hinted>,
    pub(super) wishes: BTreeMap<String, Wish>,
    /// What is registered of the hashes that matter.
    pub(super) entries: BTreeMap<SecretHash, Moment>,
    /// Secrets to be registered now, and until when.
    pub(super) registers: BTreeMap<SecretHash, (Secret, UnixTime)>,
    /// Closed channels, as their logs say; the lists that they speak of; the hashes on which they hang.
    pub(super) closed: BTreeMap<ChannelId, Closing>,
    pub(super) lists: BTreeMap<ChannelId, Lists>,
    pub(super) hanging: BTreeMap<ChannelId, BTreeSet<SecretHash>>,
    /// How often a call was mined for nothing.
    pub(super) tries: HashMap<LockId, u32>,
    calls: watch::Sender<Vec<Wanted>>,
    /// Something has happened that calls depend on.
    is_stirred: bool,
    notices: broadcast::Sender<Told>,
}

impl Engine {
    /// As the last process left it.
    pub(super) async fn take_up(
        parts: EngineParts,
        store: Store,
        neighbours: Neighbours,
        notices: broadcast::Sender<Told>,
        calls: watch::Sender<Vec<Wanted>>,
    ) -> anyhow::Result<Self> {
        let EngineParts { ledger, signer, chain_id, contract, registry, tokens, policy, block_secs, most_channels, .. } = parts;
        let domain = Domain::new(chain_id, contract);
        let live = store.live_channels(ledger).await.context("the channels can't be read back")?;
        let (mut running, mut requests) = (HashMap::new(), HashMap::new());
        for row in &live.rows {
            match (&row.key, &row.row) {
                (Key::Payment(id), Row::Payment(payment)) => {
                    running.insert(*id, Running::of(payment, row.memo.clone(), row.at));
                }
                (Key::Request(hash), Row::Request(_)) => {
                    requests.insert(*hash, RequestNote { memo: row.memo.clone(), created_at: row.at });
                }
                (_, _) => {}
            }
        }
        let mut wishes = BTreeMap::new();
        for (key, body, _) in live.wishes {
            let wish: Wish = serde_json::from_str(&body).context("a stored wish can't be read back")?;
            wishes.insert(key, wish);
        }
        let rows = live.rows.into_iter().map(|live| (live.key, live.row));
        let node = Node::restore(signer, domain, policy, rows);
        tracing::info!(chain = %ledger, channels = node.channels().count(), payments = running.len(), "channels taken up");
        let engine = Self {
            ledger,
            node,
            policy,
            block_secs,
            chain_id,
            contract,
            registry,
            tokens,
            most_channels,
            store,
            running,
            requests,
            answers: Answers::default(),
            links: Links::default(),
            neighbours,
            keys: HashMap::new(),
            interests: Interests::default(),
            hinted: HashMap::new(),
            wishes,
            entries: BTreeMap::new(),
            registers: BTreeMap::new(),
            closed: BTreeMap::new(),
            lists: BTreeMap::new(),
            hanging: BTreeMap::new(),
            tries: HashMap::new(),
            calls,
            is_stirred: true,
            notices,
        };
        let mut engine = engine.following();
        // What is pending is watched again, before the chain is looked at for the first time.
        engine.node.take(Event::Clock(clock::now()));
        engine.step().await?;
        Ok(engine)
    }

    /// Begins to follow all that was followed before.
    fn following(mut self) -> Self {
        self.refollow();
        let wished: Vec<_> = self
            .wishes
            .values()
            .filter_map(|wish| match wish {
                Wish::Deposit { since, .. } => Some((self.key_of_wish(wish)?, *since)),
                Wish::Close => None,
            })
            .collect();
        for (key, since) in wished {
            self.follow_new(key, BlockHeight::new(since));
        }
        self.tell_neighbours();
        self
    }

    /// With whom this ledger has to do: their messages are taken, and a connection with them is kept.
    pub(super) fn tell_neighbours(&self) {
        let peers = self.node.channels().map(|channel| channel.peer.address());
        let wished = self.wishes.values().filter_map(|wish| match wish {
            Wish::Deposit { peer, .. } => Some(*peer),
            Wish::Close => None,
        });
        self.neighbours.set(self.ledger, peers.chain(wished));
    }

    /// Runs until every handle is gone, or the store fails.
    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(MOST_INPUTS);
        loop {
            tokio::select! {
                count = inputs.recv_many(&mut batch, MOST_INPUTS) => if count == 0 {
                    return Ok(());
                },
                _ = tick.tick() => {}
            }
            self.node.take(Event::Clock(clock::now()));
            let known = self.known_before(named(&batch)).await?;
            for input in batch.drain(..) {
                if let Input::Chain(news) = &input {
                    self.read_lists(news).await?;
                }
                self.take(input, &known);
            }
            self.step().await?;
        }
    }

    fn take(&mut self, input: Input, known: &BTreeSet<PaymentId>) {
        match input {
            Input::Order(order) => self.ordered(*order, known),
            Input::Look(look) => look(self),
            Input::Up(link) => {
                let peer = link.peer();
                if let Ok(key) = KnownKey::new(&link.key()) {
                    self.keys.insert(peer, key);
                }
                if self.links.add(link) {
                    self.send_hints(&peer);
                    self.node.take(Event::Connected(peer));
                }
            }
            Input::Down(peer, link) => {
                let Some(next) = self.links.remove(&peer, link) else { return };
                self.node.take(Event::Disconnected(peer));
                if next {
                    self.send_hints(&peer);
                    self.node.take(Event::Connected(peer));
                } else {
                    self.keys.remove(&peer);
                }
            }
            Input::Hinted(peer, hints) => self.heard_hints(peer, hints),
            Input::Chain(news) => {
                self.heard_chain(*news);
                self.is_stirred = true;
            }
            Input::Called(word, base, verdict) => {
                self.called(word, base, verdict);
                self.is_stirred = true;
            }
            Input::Said(peer, messages) => {
                for message in messages {
                    self.node.take(Event::Message(peer, message));
                }
            }
        }
    }

    /// Saves what the core has come to, then lets it out.
    async fn step(&mut self) -> anyhow::Result<()> {
        let photon_channel::Step { writes, effects } = self.node.finish();
        let mut rows = ChannelStep::of(self.ledger);
        let mut told = Vec::new();
        for effect in &effects {
            if let Effect::Tell(notice) = effect {
                told.push(notice);
            }
        }
        rows.fees = self.earned(&writes, &told);
        let mut ended = Vec::new();
        for write in writes {
            self.note(write, &mut rows, &mut ended);
        }
        rows.events = tell::events(self.ledger, &told);
        self.strike_deposits();
        rows.wishes = std::mem::take(&mut self.answers.wishes);
        self.is_stirred |= !rows.wishes.is_empty();
        let refused = tell::refused(&told);
        if !rows.is_empty() {
            self.store.commit_channels(rows).await.context("a step of the channels could not be saved")?;
        }
        self.answer(&refused);
        for (running, outcome) in ended {
            if let Some(waiter) = running.waiter {
                // Whoever waited may be gone.
                let _ = waiter.send(outcome);
            }
        }
        self.let_out(effects);
        if std::mem::take(&mut self.is_stirred) {
            self.tell_neighbours();
            self.calls.send_replace(self.wanted());
        }
        Ok(())
    }

    /// A channel has opened with a neighbour who may be connected already.
    pub(super) fn begin_talk(&mut self, peer: &Address) {
        if self.links.has(peer) {
            self.node.take(Event::Connected(*peer));
        }
    }

    /// What a row of the core's is to the store, and to the owner's list of payments.
    fn note(&mut self, write: Write, rows: &mut ChannelStep, ended: &mut Vec<(Running, Outcome)>) {
        let mut memo = None;
        match (&write.key, &write.row) {
            (Key::Payment(id), Some(Row::Payment(payment))) => {
                if let Some(running) = self.running.get_mut(id) {
                    running.goes(payment);
                    memo = running.memo.clone();
                }
            }
            (Key::Request(hash), Some(_)) => memo = self.requests.get(hash).and_then(|note| note.memo.clone()),
            (Key::Outcome(id), Some(Row::Outcome(outcome))) => {
                if let Some(running) = self.running.remove(id) {
                    rows.ended.push(paid(*id, &running, self.token_of(&running.channel), outcome));
                    ended.push((running, outcome.clone()));
                }
                return;
            }
            (Key::Received(of, _), Some(Row::Received(id, amount, secret_hash))) => {
                let note = secret_hash.and_then(|hash| self.requests.get(&hash).cloned());
                rows.ended.push(NewEnded {
                    is_incoming: true,
                    id: *id,
                    channel: of.channel,
                    token: self.token_of(&of.channel),
                    payee: None,
                    amount: *amount,
                    fee: Units::ZERO,
                    secret_hash: *secret_hash,
                    receipt: None,
                    failed: None,
                    memo: note.as_ref().and_then(|note| note.memo.clone()),
                    created_at: note.map_or_else(clock::now, |note| note.created_at),
                });
                return;
            }
            (_, _) => {}
        }
        if let (Key::Request(hash), None) = (&write.key, &write.row) {
            self.requests.remove(hash);
        }
        rows.writes.push((write, memo));
    }

    fn let_out(&mut self, effects: Vec<Effect>) {
        let mut outgoing = Outgoing::new(self.ledger);
        for effect in effects {
            match effect {
                Effect::Send(peer, message) => {
                    crash::point(format_args!("channel.send.{}", tell::message_word(&message)));
                    outgoing.add(&self.links, peer, &message);
                }
                Effect::Tell(notice) => {
                    if self.notices.receiver_count() > 0 {
                        // Whoever listened may be gone.
                        let _ = self.notices.send(Told { ledger: self.ledger, notice });
                    }
                }
                Effect::Watch(hash) => self.interests.want(hash),
                Effect::Unwatch(hash) => {
                    self.interests.unwant(hash);
                    if !self.hanging.values().any(|hashes| hashes.contains(&hash)) {
                        self.entries.remove(&hash);
                    }
                }
                Effect::Register(secret, end) => {
                    self.registers.insert(secret.hash(), (secret, end));
                    self.is_stirred = true;
                }
                // They are found in the channels themselves, after a restart too.
                Effect::CloseTogether(..) | Effect::Withdraw(..) => self.is_stirred = true,
            }
        }
        outgoing.send(&self.links);
    }
}

fn paid(id: PaymentId, running: &Running, token: Option<Address>, outcome: &Outcome) -> NewEnded {
    let (receipt, failed) = match outcome {
        Outcome::Paid(receipt) => (receipt.clone(), None),
        Outcome::Failed(reason) => (None, Some(*reason)),
    };
    NewEnded {
        is_incoming: false,
        id,
        channel: running.channel,
        token,
        payee: Some(running.payee),
        amount: running.amount,
        fee: running.fee,
        secret_hash: receipt.as_ref().map(photon_chains::Secret::hash).or(running.secret_hash),
        receipt,
        failed,
        memo: running.memo.clone(),
        created_at: running.created_at,
    }
}
