//! Looks for channels that nobody else tells of: the database is lost, and so is the counterparty, and there is no backup.
//!
//! The contract names a channel by a hash of its parties, so its logs alone say nothing to one who has forgotten these. The calls do
//! that put money in. So a database that begins on a chain with a history reads the deposits of that history, once, each with its
//! call ([`photon_channel::contract::keys_in`]), the newest blocks first, and notes how far it has come. What it finds is taken up as
//! forgotten; its owner can close it alone, and has what was put in.
//!
//! What is found: channels that are still there and into which more was put for this account than was taken out. Without a promise
//! of the counterparty's that is all a close alone can bring, and a stranger has to give money away for each that this node takes up.
//! What is not found: a deposit of the coin by a contract whose call does not hold the parties as words; and in a token one that
//! somebody else has paid for this account, for of tokens only what it has paid itself is read: reading all that others pay would
//! cost more with every user of the token.

use super::engine::{Engine, Input};
use super::follow::{PortSource, slot_call};
use crate::store::Store;
use anyhow::Context;
use photon_chains::{Address, BlockHeight, ContractPort, Ledger, Past, PortError, TxId};
use photon_channel::contract::{Word, keys_in};
use photon_channel::{ChannelId, ChannelKey};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// So many blocks are read at once, or as many as the node answers for.
const RANGE: u64 = 2_000;
/// So many calls are asked for at once.
const TOGETHER: usize = 200;
/// How often it is said how far it has come.
const SAID_EVERY: u64 = 200;
/// Between two tries, where the node does not answer: it may have thrown old logs away, and then never will.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// What is noted where all is read.
const DONE: &str = "done";

/// Where it is noted how far the search has come.
const fn place(ledger: Ledger) -> &'static str {
    match ledger.chain() {
        Ledger::Smt | Ledger::SmtChannel => "channels_searched/smt",
        Ledger::Bitcoin | Ledger::Litecoin | Ledger::Ethereum | Ledger::EthereumChannel => "channels_searched/ethereum",
    }
}

/// Looks through one ledger's past.
pub(super) struct Search {
    pub(super) ledger: Ledger,
    pub(super) own: Address,
    pub(super) contract: Address,
    pub(super) source: PortSource,
    pub(super) store: Store,
    pub(super) engine: mpsc::Sender<Input>,
}

/// Why it stops for now.
enum Stop {
    /// The node's fault: tried again.
    Port(PortError),
    /// The blocks are not at the depth that is relied on yet: what opened in them is not seen.
    Early,
    /// The engine has ended.
    Ended,
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Stop::Port(error)
    }
}

impl Search {
    /// Searches, then does nothing until the engine has ended.
    pub(super) async fn run(self, pace: Duration) -> anyhow::Result<()> {
        self.search(pace).await?;
        self.engine.closed().await;
        Ok(())
    }

    /// Until all is read. Nothing is, where the database is as old as its seed.
    async fn search(&self, pace: Duration) -> anyhow::Result<()> {
        // Whatever opened later is in the database.
        let known_from = loop {
            match self.known_from().await {
                Some(Some(known_from)) => break known_from,
                Some(None) => tokio::time::sleep(pace).await,
                None => return Ok(()),
            }
        };
        let Some(mut next) = self.left(known_from).await? else { return Ok(()) };
        tracing::info!(chain = %self.ledger, blocks = next.get() + 1, "channels: the chain's past is searched for forgotten ones, once");
        let (mut ranges, mut pause) = (0u64, pace);
        loop {
            match self.range(next).await {
                Ok(first) => {
                    let left = first.get().checked_sub(1).map(BlockHeight::new);
                    self.note(known_from, left).await?;
                    let Some(left) = left else { break };
                    next = left;
                    (ranges, pause) = (ranges + 1, pace);
                    if ranges.is_multiple_of(SAID_EVERY) {
                        tracing::info!(chain = %self.ledger, blocks = next.get() + 1, "channels: the search goes on");
                    }
                }
                Err(Stop::Ended) => return Ok(()),
                Err(Stop::Early) => tokio::time::sleep(pace).await,
                Err(Stop::Port(error)) => {
                    tracing::warn!(chain = %self.ledger, %error, blocks = next.get() + 1, "channels: the search for forgotten ones waits");
                    tokio::time::sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
        tracing::info!(chain = %self.ledger, "channels: the chain's past is searched");
        Ok(())
    }

    /// From which block downward nothing is read yet; none where all is.
    async fn left(&self, known_from: BlockHeight) -> anyhow::Result<Option<BlockHeight>> {
        let noted = self.store.meta(place(self.ledger)).await?;
        // What was noted by a database that knew less, or more, is of another past: a copy that was put back has forgotten later blocks.
        let noted =
            noted.as_deref().and_then(|noted| noted.split_once(' ')).filter(|(from, _)| *from == known_from.get().to_string());
        match noted {
            Some((_, DONE)) => Ok(None),
            Some((_, left)) => Ok(Some(BlockHeight::new(left.parse().context("a stored block height can't be read back")?))),
            None => Ok(Some(known_from).filter(|from| from.get() > 0)),
        }
    }

    async fn note(&self, known_from: BlockHeight, left: Option<BlockHeight>) -> anyhow::Result<()> {
        let left = left.map_or_else(|| DONE.to_owned(), |left| left.get().to_string());
        Ok(self.store.set_meta(place(self.ledger), format!("{} {left}", known_from.get())).await?)
    }

    /// Some(None): the chain was not seen yet. None: the engine has ended.
    async fn known_from(&self) -> Option<Option<BlockHeight>> {
        self.look(|engine| engine.known_from).await
    }

    async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Engine) -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look = move |engine: &Engine| {
            // Who asked may be gone.
            let _ = answer.send(look(engine));
        };
        self.engine.send(Input::Look(Box::new(look))).await.ok()?;
        answered.await.ok()
    }

    /// The blocks up to this one, as many as are read at once; returns the first of them. What was found in them is durable then.
    async fn range(&self, to: BlockHeight) -> Result<BlockHeight, Stop> {
        let deep = self.look(|engine| engine.node.tip().deep.block).await.ok_or(Stop::Ended)?;
        let Some(port) = (self.source)().filter(|_| deep >= to) else { return Err(Stop::Early) };
        let from = BlockHeight::new((to.get() + 1).saturating_sub(RANGE));
        let (first, past) = port.past(from, to).await?;
        let guesses = self.guesses(&*port, &past).await?;
        let unanswered = || PortError::BadAnswer { ledger: self.ledger, reason: "a channel's slot was not answered".to_owned() };
        let mut found = Vec::new();
        for some in guesses.chunks(TOGETHER) {
            let asks: Vec<(Address, Vec<u8>)> = some.iter().map(|key| (self.contract, slot_call(&key.id()))).collect();
            for (key, answer) in some.iter().zip(port.views(&asks, Some(deep)).await?) {
                let word: [u8; 32] = answer.and_then(|answer| answer.try_into().ok()).ok_or_else(unanswered)?;
                if let Some(epoch) = self.worth(key, &Word::read(&word)) {
                    found.push((*key, epoch));
                }
            }
        }
        self.tell(found).await?;
        Ok(first)
    }

    /// From which block on it is to be followed, where there is something to be had of it.
    fn worth(&self, key: &ChannelKey, word: &Word) -> Option<BlockHeight> {
        let side = key.side_of(&self.own)?;
        let is_worth = match word {
            Word::Empty => false,
            Word::Open(open) => open.holdings.net(side) > 0,
            Word::Closed(_) => true,
        };
        word.epoch().filter(|_| is_worth).map(|epoch| BlockHeight::new(u64::from(epoch.0)))
    }

    /// The channels that the calls may have been about. Of a deposit in coins the hash in the log says whether it was.
    async fn guesses(&self, port: &dyn ContractPort, past: &[Past]) -> Result<Vec<ChannelKey>, PortError> {
        let deposits: Vec<&Past> = past.iter().filter(|past| past.by != self.contract || past.data.first() == Some(&1)).collect();
        let mut about: BTreeMap<TxId, Vec<&Past>> = BTreeMap::new();
        for deposit in deposits {
            about.entry(deposit.txid).or_default().push(deposit);
        }
        let txids: Vec<TxId> = about.keys().copied().collect();
        let mut keys = BTreeMap::new();
        for some in txids.chunks(TOGETHER) {
            for (txid, sent) in some.iter().zip(port.sent(some).await?) {
                let Some(sent) = sent else { continue };
                let said = about.get(txid).into_iter().flatten();
                let (coins, tokens): (Vec<&Past>, Vec<&Past>) = said.partition(|past| past.by == self.contract);
                if !coins.is_empty() {
                    let named: BTreeSet<ChannelId> =
                        coins.iter().map(|past| ChannelId::from_bytes(*past.name.as_bytes())).collect();
                    let guessed = keys_in(&self.own, None, &sent.from, &sent.input);
                    keys.extend(guessed.into_iter().filter(|key| named.contains(&key.id())).map(|key| (key.id(), key)));
                }
                for token in tokens.iter().map(|past| past.by).collect::<BTreeSet<_>>() {
                    let guessed = keys_in(&self.own, Some(token), &sent.from, &sent.input);
                    keys.extend(guessed.into_iter().map(|key| (key.id(), key)));
                }
            }
        }
        Ok(keys.into_values().collect())
    }

    /// Hands what was found to the engine, and waits until it has taken it up: only then is it noted that these blocks are read.
    async fn tell(&self, found: Vec<(ChannelKey, BlockHeight)>) -> Result<(), Stop> {
        if found.is_empty() {
            return Ok(());
        }
        let ids: BTreeSet<ChannelId> = found.iter().map(|(key, _)| key.id()).collect();
        self.engine.send(Input::Lost(found)).await.map_err(|_| Stop::Ended)?;
        loop {
            let ids = ids.clone();
            let awaits = move |engine: &Engine| ids.iter().any(|id| engine.lost.contains(id));
            if !self.look(awaits).await.ok_or(Stop::Ended)? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
