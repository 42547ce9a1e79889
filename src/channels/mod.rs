//! Payment channels at work: the loop that runs the pure engine [`photon_channel::Node`], one for each ledger with a channels
//! contract.
//!
//! ```mermaid
//! flowchart LR
//!   owner[owner's orders] --> queue
//!   peers[neighbours' messages] --> queue
//!   chain[chain followed] --> queue
//!   clock --> queue
//!   queue --> engine[Node::take ..., Node::finish once]
//!   engine --> save[(one transaction: all rows of the step)]
//!   save --> out[messages, calls of contracts, notices]
//! ```
//!
//! Whatever has queued while the last steps were being synced makes the next one: a thousand payments cost one signature, one
//! message and one sync. Nothing leaves before it is durable; a failed commit ends the process.
//!
//! Where to look:
//!
//! - [`Channels`]: the handle for the rest of the program. `words`: what it is told and tells.
//! - `engine`: the loop. `step`: how what it comes to is saved, and let out. `orders`: what the owner asks for. `tell`: what
//!   listeners hear. `views`: what is shown.
//! - `follow`, `interests`: what is read off the chain. `sight`: whether it can be. `chain`: what follows from it. `acts`: the
//!   calls that are wanted, made by `actor`. `deposits`: money on its way in. `fees`: what mediating has earned. `hints`: how a neighbour learns of a channel.
//! - `peers`: the connections to neighbours. `ways`: over which channels a payment goes, as the `chart` shows it, which the
//!   `herald` draws of what neighbours announce and of its `survey` of the chain.
//! - `kept`: what is left of channels when a database is lost: the backup, and from when on a database knows everything. `search`:
//!   what nobody tells of, found in the chain's past.
//! - `legs`: payments that are legs of swaps.
//! - `policy`: what the owner allows, from the configuration.
//!
//! Choices rejected: a task for each channel or payment (each would sync by itself), JSON between neighbours (it would cost
//! more than the payment), and a queue without an end (a slow disk or a fast neighbour would fill the memory).

mod actor;
mod acts;
mod chain;
mod chart;
mod deposits;
mod engine;
mod fees;
mod follow;
mod herald;
mod hints;
mod interests;
mod keeper;
mod kept;
mod legs;
mod lot;
mod orders;
mod peers;
mod policy;
mod search;
mod sight;
mod step;
mod survey;
mod tell;
mod views;
mod ways;
mod words;

#[cfg(test)]
mod tests;

pub use engine::EngineParts;
pub use follow::PortSource;
pub use kept::is_first_of_its_seed;
pub use legs::{Leg, LegOrder, LegState};
pub use peers::Switch;
pub use policy::{hop_slack_secs, policy_for, reveal_margin_secs};
pub use sight::SightRule;
pub use words::{
    ChannelView, ChannelsError, CloseHow, FoundWay, MOST_MEMO, NewDeposit, NewPayment, NewRequest, PayBy, Payee, Paying,
    PaymentState, PaymentView, RequestView, StageView, Through, Told, WayQuery,
};

use crate::lan::{self, Note};
use crate::peer::PeerNet;
use crate::store::{Page, Store};
use actor::Actor;
use chart::Chart;
use engine::{Engine, Input};
use follow::Follower;
use herald::{Herald, HeraldParts};
use orders::{Deed, Order};
use peers::{Ears, Neighbours};
use photon_chains::{Address, BlockHeight, Ledger, Secret, SecretHash};
use photon_channel::route::Edge;
use photon_channel::{Abi, ChannelId, Domain, PaymentId, Policy, Units, keccak};
use search::Search;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// Inputs that may wait for a ledger's engine; whoever comes after them waits in line.
const QUEUE: usize = 8_192;
/// Frames of announcements that may wait for a ledger's herald; what comes after them is lost.
const TIDINGS: usize = 256;
/// Notices that a listener may be behind; then it misses some, and asks for the state anew.
const NOTICES: usize = 4_096;

/// All channels of this node. Clones are handles on the same.
#[derive(Clone)]
pub struct Channels(Arc<Inner>);

/// A handle that keeps nothing running: for whoever the engines themselves lead back to.
#[derive(Clone)]
pub struct WeakChannels(Weak<Inner>);

impl WeakChannels {
    /// The channels, while the node runs.
    pub fn get(&self) -> Result<Channels, ChannelsError> {
        self.0.upgrade().map(Channels).ok_or(ChannelsError::Stopped)
    }
}

struct Inner {
    engines: BTreeMap<Ledger, Handle>,
    store: Store,
    notices: broadcast::Sender<Told>,
    neighbours: Neighbours,
}

struct Handle {
    inputs: mpsc::Sender<Input>,
    policy: Policy,
    source: PortSource,
    contract: Address,
    account: Address,
}

impl Channels {
    /// Takes up what each ledger's last process left, or what the backup in that file has kept, and starts the engines. The
    /// switch goes to the peers.
    pub async fn start(
        store: &Store,
        parts: Vec<EngineParts>,
        backup: Option<PathBuf>,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<(Channels, Arc<Switch>)> {
        let (notices, _) = broadcast::channel(NOTICES);
        let neighbours = Neighbours::default();
        let mut kept = match &backup {
            Some(path) => kept::read(store, path).await?,
            None => BTreeMap::new(),
        };
        let mut engines = BTreeMap::new();
        let mut switch = BTreeMap::new();
        for parts in parts {
            let (inputs, queue) = mpsc::channel(QUEUE);
            let (ledger, policy) = (parts.ledger, parts.policy);
            let (source, pace, contract, rule) = (parts.source.clone(), parts.pace, parts.contract, parts.sight);
            let account = parts.signer.address();
            let (calls, wanted) = watch::channel(Vec::new());
            let (heralded, heard) = mpsc::channel(TIDINGS);
            let domain = Domain::new(parts.chain_id, contract);
            let chart = Chart::new(domain);
            let herald = Herald::new(HeraldParts {
                ledger,
                signer: parts.signer.clone(),
                domain,
                contract,
                policy,
                tokens: parts.tokens.clone(),
                announces: parts.announces,
                source: source.clone(),
                engine: inputs.clone(),
                neighbours: neighbours.clone(),
                chart: chart.clone(),
            });
            let kept = kept.remove(&ledger).unwrap_or_default();
            let engine = Engine::take_up(parts, store.clone(), neighbours.clone(), chart, notices.clone(), calls, kept).await?;
            let search =
                Search { ledger, own: account, contract, source: source.clone(), store: store.clone(), engine: inputs.clone() };
            tasks.spawn(search.run(pace));
            let follower = Follower::new(ledger, source.clone(), engine.interests.clone(), inputs.clone());
            tasks.spawn(engine.run(queue));
            tasks.spawn(follower.run(pace, rule));
            tasks.spawn(Actor::new(ledger, source.clone(), wanted, inputs.clone()).run(pace));
            tasks.spawn(herald.run(heard, pace));
            switch.insert(ledger, Ears { engine: inputs.clone(), herald: heralded });
            engines.insert(ledger, Handle { inputs, policy, source, contract, account });
        }
        if let Some(path) = backup {
            // Of ledgers that are not configured now, what was kept stays.
            let inputs = engines.iter().map(|(ledger, handle): (&Ledger, &Handle)| (*ledger, handle.inputs.clone())).collect();
            tasks.spawn(kept::Keeper::new(path, store.clone(), inputs, kept).run());
        }
        let channels = Channels(Arc::new(Inner { engines, store: store.clone(), notices, neighbours: neighbours.clone() }));
        Ok((channels, Arc::new(Switch::new(switch, neighbours))))
    }

    /// A handle that keeps nothing running.
    pub fn weak(&self) -> WeakChannels {
        WeakChannels(Arc::downgrade(&self.0))
    }

    /// The ledgers on which there can be channels.
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.0.engines.keys().copied().collect()
    }

    /// What the owner allows on a ledger, and the margins kept there.
    pub fn policy(&self, ledger: Ledger) -> Result<Policy, ChannelsError> {
        Ok(self.handle(ledger)?.policy)
    }

    /// Every channel that is not over, of all ledgers.
    pub async fn list(&self) -> Result<Vec<ChannelView>, ChannelsError> {
        let mut all = Vec::new();
        for ledger in self.ledgers() {
            all.extend(self.look(ledger, |engine| engine.channel_views()).await?);
        }
        Ok(all)
    }

    /// One channel.
    pub async fn show(&self, ledger: Ledger, id: ChannelId) -> Result<Option<ChannelView>, ChannelsError> {
        self.look(ledger, move |engine| engine.channel_view(&id)).await
    }

    /// Puts money into a channel, and opens it where there is none. When this returns the wish is durable: it is sent, again and
    /// again, until it is mined. Returns the channel's name.
    pub async fn deposit(&self, deposit: NewDeposit) -> Result<ChannelId, ChannelsError> {
        let ledger = deposit.ledger;
        let by_transfer = self.must_have(&deposit).await?;
        let (answer, answered) = oneshot::channel();
        self.send(ledger, Input::Order(Box::new(Order::Deposit(deposit, by_transfer, answer)))).await?;
        answered.await.map_err(|_| ChannelsError::Stopped)?
    }

    /// The account has so much. True if the token knows no allowance, and so must bring the money by its own transfer.
    async fn must_have(&self, deposit: &NewDeposit) -> Result<bool, ChannelsError> {
        let handle = self.handle(deposit.ledger)?;
        let out_of_sight = ChannelsError::OutOfSight(deposit.ledger);
        let port = (handle.source)().ok_or(out_of_sight.clone())?;
        let has = port.holds(deposit.token).await.map_err(|_| out_of_sight.clone())?;
        if has < deposit.amount.get() {
            return Err(ChannelsError::Order("the account has not so much"));
        }
        let Some(token) = deposit.token else { return Ok(false) };
        let selector = keccak(b"allowance(address,address)");
        let words = Abi::new().address(&handle.account).address(&handle.contract).finish();
        let ask = (token, [selector.split_at(4).0, &words].concat());
        let answers = port.views(&[ask], None).await.map_err(|_| out_of_sight)?;
        Ok(answers.into_iter().next().flatten().is_none_or(|answer| answer.len() != 32))
    }

    /// Keeps a connection with everybody with whom there are channels.
    pub fn keep_connected(&self, net: Arc<PeerNet>, tasks: &mut JoinSet<anyhow::Result<()>>) {
        tasks.spawn(keeper::run(net, self.0.store.clone(), self.0.neighbours.clone()));
    }

    /// Connects with neighbours that are heard of on the local network.
    pub fn find_nearby(&self, net: Arc<PeerNet>, notes: mpsc::Receiver<Note>, tasks: &mut JoinSet<anyhow::Result<()>>) {
        let neighbours = self.0.neighbours.clone();
        tasks.spawn(lan::run(net, move || neighbours.all(), notes));
    }

    /// Brings a channel to its end. Alone: from now on nothing is signed in it or taken.
    pub async fn close(&self, ledger: Ledger, id: ChannelId, how: CloseHow) -> Result<(), ChannelsError> {
        self.deed(ledger, Deed::Close(id, how)).await
    }

    /// Takes the wish to close together back, as long as nothing is signed.
    pub async fn resume(&self, ledger: Ledger, id: ChannelId) -> Result<(), ChannelsError> {
        self.deed(ledger, Deed::Resume(id)).await
    }

    /// Begins to take so much out of a channel that stays open.
    pub async fn withdraw(&self, ledger: Ledger, id: ChannelId, amount: Units) -> Result<(), ChannelsError> {
        self.deed(ledger, Deed::Withdraw(id, amount)).await
    }

    /// Takes a payment on. When this returns it is durable: it is made, or it fails, whatever happens to this process.
    pub async fn pay(&self, payment: NewPayment) -> Result<Paying, ChannelsError> {
        let (answer, answered) = oneshot::channel();
        self.send(payment.ledger, Input::Order(Box::new(Order::Pay(payment, answer)))).await?;
        answered.await.map_err(|_| ChannelsError::Stopped)?
    }

    /// Takes a payment back, if that is still possible.
    pub async fn recall(&self, ledger: Ledger, id: PaymentId) -> Result<(), ChannelsError> {
        self.deed(ledger, Deed::Recall(id)).await
    }

    /// Begins to expect a payment. Durable when this returns.
    pub async fn expect(&self, request: NewRequest) -> Result<RequestView, ChannelsError> {
        let (answer, answered) = oneshot::channel();
        self.send(request.ledger, Input::Order(Box::new(Order::Expect(request, answer)))).await?;
        answered.await.map_err(|_| ChannelsError::Stopped)?
    }

    /// Takes a payment that is held for this secret, or will take it as soon as it comes.
    pub async fn release(&self, ledger: Ledger, secret: Secret) -> Result<(), ChannelsError> {
        self.deed(ledger, Deed::Release(secret)).await
    }

    /// Gives up a request, or a payment that is held.
    pub async fn give_up(&self, ledger: Ledger, hash: SecretHash) -> Result<(), ChannelsError> {
        self.deed(ledger, Deed::GiveUp(hash)).await
    }

    /// Requests that have not ended.
    pub async fn requests(&self, ledger: Ledger) -> Result<Vec<RequestView>, ChannelsError> {
        self.look(ledger, |engine| engine.request_views()).await
    }

    /// Payments of the owner's that are under way, at most `most` of them.
    pub async fn running(&self, ledger: Ledger, most: usize) -> Result<Vec<PaymentView>, ChannelsError> {
        self.look(ledger, move |engine| engine.running_views(most)).await
    }

    /// Payments that have ended, the newest first, at most `limit` of them, before that place.
    pub async fn payments(&self, before: Option<u64>, limit: u32) -> Result<Page<PaymentView>, ChannelsError> {
        let page = self.0.store.ended_payments(before, limit).await.map_err(|_| ChannelsError::Stopped)?;
        Ok(Page { items: page.items.into_iter().map(views::ended).collect(), next: page.next })
    }

    /// A payment of the owner's, under way or ended.
    pub async fn payment(&self, ledger: Ledger, id: PaymentId) -> Result<Option<PaymentView>, ChannelsError> {
        let running = self.look(ledger, move |engine| engine.running_view(&id)).await?;
        if running.is_some() {
            return Ok(running);
        }
        let ended = self.0.store.made_payment(ledger, id).await.map_err(|_| ChannelsError::Stopped)?;
        Ok(ended.map(views::ended))
    }

    /// The secret that proves that a payment was made, where it had one.
    pub async fn receipt(&self, ledger: Ledger, id: PaymentId) -> Result<Option<Secret>, ChannelsError> {
        self.0.store.receipt_of(ledger, id).await.map_err(|_| ChannelsError::Stopped)
    }

    /// The ways on which a payment would be tried now, the cheapest first.
    pub async fn ways(&self, query: WayQuery) -> Result<Vec<FoundWay>, ChannelsError> {
        self.look(query.ledger, move |engine| engine.ways_now(&query)).await
    }

    /// What a neighbour has announced of its channels with us, if it has: the dearest of them for so much.
    pub async fn toward_us(
        &self,
        ledger: Ledger,
        token: Option<Address>,
        peer: Address,
        amount: Units,
    ) -> Result<Option<Edge>, ChannelsError> {
        let own = self.handle(ledger)?.account;
        self.look(ledger, move |engine| engine.chart.edge(token, &peer, &own, amount)).await
    }

    /// The newest block of a ledger that its engine has taken in.
    pub async fn followed(&self, ledger: Ledger) -> Result<BlockHeight, ChannelsError> {
        self.look(ledger, |engine| engine.node.tip().latest.block).await
    }

    /// What is told from now on.
    pub fn notices(&self) -> broadcast::Receiver<Told> {
        self.0.notices.subscribe()
    }

    fn handle(&self, ledger: Ledger) -> Result<&Handle, ChannelsError> {
        self.0.engines.get(&ledger).ok_or(ChannelsError::NoLedger(ledger))
    }

    async fn send(&self, ledger: Ledger, input: Input) -> Result<(), ChannelsError> {
        self.handle(ledger)?.inputs.send(input).await.map_err(|_| ChannelsError::Stopped)
    }

    async fn deed(&self, ledger: Ledger, deed: Deed) -> Result<(), ChannelsError> {
        let (answer, answered) = oneshot::channel();
        self.send(ledger, Input::Order(Box::new(Order::Do(deed, answer)))).await?;
        answered.await.map_err(|_| ChannelsError::Stopped)?
    }

    async fn look<T, F>(&self, ledger: Ledger, work: F) -> Result<T, ChannelsError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let look = move |engine: &Engine| {
            // Who asked may be gone.
            let _ = answer.send(work(engine));
        };
        self.send(ledger, Input::Look(Box::new(look))).await?;
        answered.await.map_err(|_| ChannelsError::Stopped)
    }
}
