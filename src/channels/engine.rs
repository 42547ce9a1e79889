//! The loop of one ledger: what has queued goes into the core, which makes a step of it. How a step is saved and let out:
//! [`super::step`].

use super::acts::{Closing, Verdict, Wanted};
use super::chain::Lists;
use super::chart::Chart;
use super::deposits::Wish;
use super::follow::{ChainNews, PortSource};
use super::hints::{Hint, Hinted};
use super::interests::Interests;
use super::kept::{Memory, not_ended};
use super::lot::lot;
use super::orders::{Answers, Order, named};
use super::peers::{Links, Neighbours};
use super::policy::largest_transaction;
use super::sight::SightRule;
use super::step::Steps;
use super::ways::Sought;
use super::words::Told;
use crate::clock;
use crate::peer::Link;
use crate::store::Store;
use anyhow::Context;
use photon_chains::{Address, BlockHeight, Ledger, LockId, Secret, SecretHash, UnixTime};
use photon_channel::{
    ChannelId, ChannelKey, Domain, Event, Hint as PayeeHint, Key, KnownKey, Message, Moment, Node, Outcome, PaymentId, Policy,
    Progress, Row, Sight, Signer, Tie, Units,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

/// The most inputs that are taken off the queue before a step is made of them.
const MOST_INPUTS: usize = 512;
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
    /// Whether others may learn of this node's channels.
    pub announces: bool,
    /// The most that may come in by token while the chain is out of sight. None: nothing.
    pub offline_limits: BTreeMap<Option<Address>, Units>,
    /// When it is.
    pub sight: SightRule,
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
    /// Channels that this database has forgotten, each with a block before which nothing was said of it.
    Lost(Vec<(ChannelKey, BlockHeight)>),
    /// The chain was looked at.
    Chain(Box<ChainNews>),
    /// It went out of sight, or is seen again.
    Sight(Sight),
    /// What became of a call.
    Called(&'static str, LockId, Verdict),
}

/// A payment of the owner's that is under way.
pub(super) struct Running {
    pub(super) payee: Address,
    pub(super) amount: Units,
    pub(super) fee: Units,
    pub(super) channel: ChannelId,
    pub(super) token: Option<Address>,
    pub(super) secret_hash: Option<SecretHash>,
    pub(super) memo: Option<String>,
    pub(super) created_at: UnixTime,
    /// Neighbours of the payee's, as it named them. Not kept over a restart.
    pub(super) hints: Vec<PayeeHint>,
    /// Whoever waits for its end.
    pub(super) waiter: Option<oneshot::Sender<Outcome>>,
}

impl Running {
    pub(super) fn of(order: &photon_channel::Order, memo: Option<String>, created_at: UnixTime) -> Self {
        let mut running = Self {
            payee: order.payee.address(),
            amount: order.amount,
            fee: Units::ZERO,
            channel: ChannelId::from_bytes([0; 32]),
            token: order.token,
            secret_hash: match &order.tie {
                Tie::Hash(hash) => Some(*hash),
                Tie::Direct | Tie::Sealed(_) => None,
            },
            memo,
            created_at,
            hints: Vec::new(),
            waiter: None,
        };
        running.goes(order);
        running
    }

    /// Notes the way that is being tried.
    pub(super) fn goes(&mut self, order: &photon_channel::Order) {
        if let Some(way) = order.ways.first() {
            self.channel = way.channel;
            self.fee = way.amount.saturating_sub(order.amount);
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
    /// Keys of those who were paid last, by their bytes.
    pub(super) payees: HashMap<[u8; 33], KnownKey>,
    /// Others' channels, and the payments for which another way is looked for.
    pub(super) chart: Chart,
    pub(super) sought: Vec<Sought>,
    pub(super) begun: UnixTime,
    /// All that was signed in channels that opened after this block is in the database. None until the chain was first seen.
    pub(super) known_from: Option<BlockHeight>,
    /// Rises with every step that changes what a backup keeps.
    pub(super) revision: u64,
    pub(super) interests: Interests,
    pub(super) hinted: HashMap<ChannelId, Hinted>,
    /// Found in the chain's past, and not taken up yet.
    pub(super) lost: BTreeSet<ChannelId>,
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
    pub(super) calls: watch::Sender<Vec<Wanted>>,
    /// Something has happened that calls depend on.
    pub(super) is_stirred: bool,
    pub(super) notices: broadcast::Sender<Told>,
    /// On their way to the disk.
    pub(super) steps: Steps,
}

impl Engine {
    /// As the last process left it.
    pub(super) async fn take_up(
        parts: EngineParts,
        store: Store,
        neighbours: Neighbours,
        chart: Chart,
        notices: broadcast::Sender<Told>,
        calls: watch::Sender<Vec<Wanted>>,
        kept: Vec<(Key, Row)>,
    ) -> anyhow::Result<Self> {
        let EngineParts {
            ledger, signer, chain_id, contract, registry, tokens, policy, block_secs, most_channels, source, ..
        } = parts;
        let limits = parts.offline_limits;
        let domain = Domain::new(chain_id, contract).with_transactions_of(largest_transaction(ledger));
        let live = store.live_channels(ledger).await.context("the channels can't be read back")?;
        let (mut running, mut requests) = (HashMap::new(), HashMap::new());
        let (mut sent, mut noted) = (HashMap::new(), Vec::new());
        for row in &live.rows {
            match (&row.key, &row.row) {
                (Key::Payment(id), Row::Payment(payment)) => {
                    running.insert(*id, Running::of(&payment.order, row.memo.clone(), row.at));
                    noted.extend(row.memo.as_ref().map(|_| *id));
                }
                (Key::Unacked(of, nonce), _) => drop(sent.insert((*of, *nonce), row.at)),
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
        let kept = not_ended(&store, ledger, kept, &live.rows).await?;
        let rows = live.rows.into_iter().map(|live| (live.key, live.row));
        let mut node = Node::restore(signer, domain, policy, rows).with_unseen_limits(limits);
        node.take(Event::Sight(Sight::Awaited));
        for (id, payment) in node.payments() {
            let Progress::Paid(of, nonce) = payment.progress else { continue };
            // One that an update carries was ordered when that was made, or before.
            let at = sent.get(&(of, nonce)).copied().unwrap_or_default();
            running.entry(*id).or_insert_with(|| Running::of(&payment.order, None, at));
        }
        noted.into_iter().for_each(|id| node.take(Event::Keep(id)));
        let memory = Memory::of(&store, ledger).await?;
        if memory.is_copy {
            node.take(Event::PutBack);
        }
        node.take(Event::Remember(kept));
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
            payees: HashMap::new(),
            chart,
            sought: Vec::new(),
            begun: clock::now(),
            known_from: memory.known_from,
            revision: 0,
            interests: Interests::default(),
            hinted: HashMap::new(),
            lost: BTreeSet::new(),
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
            steps: Steps::default(),
        };
        let mut engine = engine.following();
        // What is pending is watched again, before the chain is looked at for the first time.
        engine.node.take(Event::Clock(clock::now()));
        engine.step().await?;
        engine.settle().await?;
        // Before anybody can be told that this node is there. Where its chain is out of sight, at the first sight of it.
        if engine.known_from.is_none()
            && let Some(port) = source()
            && let Ok(news) = port.look().await
        {
            engine.knows_from(news.heads.latest.block.height).await?;
        }
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
        // Taken off the queue, and more than the last step was to take in.
        let mut waiting = VecDeque::new();
        let mut came = Vec::with_capacity(MOST_INPUTS);
        loop {
            // What was let out may have asked for ways.
            if self.find_ways() {
                self.step().await?;
            }
            let may_begin = !self.steps.are_many();
            tokio::select! {
                biased;
                durable = self.steps.first_durable(), if !self.steps.is_empty() => {
                    durable?;
                    self.let_out_first();
                    if self.is_stirred {
                        self.settle().await?;
                    }
                    continue;
                }
                () = std::future::ready(()), if may_begin && !waiting.is_empty() => {}
                count = inputs.recv_many(&mut came, MOST_INPUTS), if may_begin => if count == 0 {
                    return self.settle().await;
                },
                _ = tick.tick(), if may_begin => {}
            }
            waiting.extend(came.drain(..));
            while waiting.len() < MOST_INPUTS
                && let Ok(input) = inputs.try_recv()
            {
                waiting.push_back(input);
            }
            let batch = lot(&mut waiting);
            let is_idle = batch.is_empty();
            if batch.iter().any(reads) {
                self.settle().await?;
            }
            self.node.take(Event::Clock(clock::now()));
            let known = self.known_before(named(&batch)).await?;
            for input in batch {
                if let Input::Chain(news) = &input {
                    self.read_lists(news).await?;
                    self.knows_from(news.tip.latest.block).await?;
                }
                self.take(input, &known);
            }
            self.step().await?;
            if self.is_stirred || is_idle {
                self.settle().await?;
            }
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
            Input::Lost(found) => self.heard_lost(found),
            Input::Chain(news) => {
                self.heard_chain(*news);
                self.is_stirred = true;
            }
            Input::Sight(sight) => self.node.take(Event::Sight(sight)),
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

    /// A channel has opened with a neighbour who may be connected already.
    pub(super) fn begin_talk(&mut self, peer: &Address) {
        if self.links.has(peer) {
            self.node.take(Event::Connected(*peer));
        }
    }
}

/// Whether it looks at what may not be durable yet, or at the database.
fn reads(input: &Input) -> bool {
    match input {
        Input::Look(_) | Input::Chain(_) => true,
        Input::Order(order) => order.names().is_some(),
        Input::Up(_)
        | Input::Down(..)
        | Input::Said(..)
        | Input::Hinted(..)
        | Input::Lost(_)
        | Input::Called(..)
        | Input::Sight(_) => false,
    }
}
