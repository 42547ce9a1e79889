//! Offers that travel: a node asks those it is connected with which offers they know of, its own and others', and so hears of makers
//! that it has never met.
//!
//! ```mermaid
//! flowchart LR
//!   own[(own open offers)] -->|signed, for ten minutes| board
//!   neighbour -->|asked every few seconds: what is new?| check[signature, times, bounds] --> board
//!   board -->|when asked| other[another neighbour]
//!   board --> list[offers of the network] -->|taken: its maker is dialled| maker
//! ```
//!
//! Nothing is pushed. A node hears only what it asked for, so much at a time and so often as it wants, and whoever tells something
//! forged is not asked again for an hour: so nobody can make others send, and a flood ends at its first neighbour. A notice is told to a
//! neighbour once, however many ways it could take. It is never evidence: to take an offer its maker is asked for it.
//!
//! A node tells of its own offers only if its owner says where others reach it (`announce` in `[peer]`), for that becomes known.
//!
//! Choices rejected: pushing notices on (each hop multiplies what one stranger sends), hop counts (not signed, so not to be believed;
//! the end of a notice is), and keeping notices over a restart (they are ten minutes old at most, and asked for again in seconds).

#[cfg(feature = "bare")]
pub mod bare;
mod board;
mod notice;
#[cfg(test)]
mod tests;

pub use notice::Notice;

use crate::clock;
use crate::keys::Wallet;
use crate::peer::{Handler, PeerAddress, PeerError, PeerNet, PeerReply, PeerRequest, RefusalCode};
use crate::store::Store;
use async_trait::async_trait;
use board::Board;
use notice::{TOLD_SECS, Unfit};
use photon_chains::{Address, UnixTime};
use photon_swap::Offer;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The kind of request.
const NOTICES: &str = "notices";
/// The most notices in one answer.
const MOST_TOLD: usize = 40;
/// Between two questions to the same neighbour; who asks more often than half of it is declined.
const ROUND: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// So long a neighbour is not asked that told something forged, or does not know the question.
const MUTED: Duration = Duration::from_secs(3600);
/// Own offers that are told of.
const MOST_OWN: usize = board::MOST_OF_MAKER;
/// Neighbours that are remembered, of those who ask and of those who are asked.
const MOST_NEIGHBOURS: usize = 4_096;
/// Peers with a name that are dialled so that there is somebody to ask, and how often.
const MOST_DIALLED: usize = 16;
const DIAL_ROUNDS: u32 = 3;

/// What is new after a place of that board?
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskNotices {
    /// Which board the place is of. Every start makes another.
    board: u64,
    after: u64,
}

/// So much is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notices {
    board: u64,
    next: u64,
    notices: Vec<Notice>,
}

/// How far a neighbour has told us.
#[derive(Debug, Default, Clone, Copy)]
struct Heard {
    board: u64,
    after: u64,
    muted_until: Option<Instant>,
}

/// Hears and tells of offers. Clones are handles to the same.
#[derive(Clone)]
pub struct Gossip(Arc<Inner>);

struct Inner {
    wallet: Arc<Wallet>,
    /// Where others reach us. None: our own offers are not told of.
    announce: Option<PeerAddress>,
    run: u64,
    board: Mutex<Board>,
    heard: Mutex<HashMap<Address, Heard>>,
    /// When each neighbour last asked.
    asked: Mutex<HashMap<Address, Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gossip {
    /// For this identity, which others reach there.
    pub fn new(wallet: Arc<Wallet>, announce: Option<PeerAddress>) -> Self {
        let mut run = [0; 8];
        // Without random bytes neighbours may hear a little late of what is new after a restart, and nothing else.
        let _ = getrandom::fill(&mut run);
        let run = u64::from_be_bytes(run) >> 11;
        Self(Arc::new(Inner { wallet, announce, run, board: Mutex::default(), heard: Mutex::default(), asked: Mutex::default() }))
    }

    /// Tells and hears, until the store fails.
    pub async fn run(self, net: Arc<PeerNet>, store: Store) -> anyhow::Result<()> {
        let mut rounds = 0u32;
        loop {
            let now = clock::now();
            let mut own = Vec::new();
            if self.0.announce.is_some() {
                for row in store.open_offers(now).await?.into_iter().take(MOST_OWN) {
                    own.push(serde_json::from_str(&row.body)?);
                }
            }
            self.tell(&own, now);
            if rounds.is_multiple_of(DIAL_ROUNDS) {
                dial_named(&net, &store).await?;
            }
            self.round(&net, now).await;
            rounds = rounds.wrapping_add(1);
            tokio::time::sleep(ROUND).await;
        }
    }

    /// These are our own open offers now.
    fn tell(&self, own: &[Offer], now: UnixTime) {
        let Some(at) = &self.0.announce else { return };
        let mut board = lock(&self.0.board);
        board.keep_own(|id| own.iter().any(|offer| offer.id == *id));
        for offer in own {
            // Renewed in its half time, as long as the offer stands.
            let told_until = board.told_until(&offer.id);
            let is_due = told_until.is_none_or(|until| until < offer.valid_until && until < now.plus_secs(TOLD_SECS / 2));
            if is_due && offer.valid_until >= now {
                board.put(Notice::of(*offer, at.clone(), now, &self.0.wallet), None);
            }
        }
    }

    /// Asks every neighbour what is new.
    async fn round(&self, net: &PeerNet, now: UnixTime) {
        lock(&self.0.board).forget(now);
        let neighbours = net.connected();
        {
            let mut heard = lock(&self.0.heard);
            heard.retain(|peer, it| neighbours.contains(peer) || it.muted_until.is_some_and(|until| until > Instant::now()));
        }
        futures::future::join_all(neighbours.into_iter().map(|peer| self.ask(net, peer))).await;
    }

    async fn ask(&self, net: &PeerNet, peer: Address) {
        let Heard { board, after, muted_until } = lock(&self.0.heard).get(&peer).copied().unwrap_or_default();
        if muted_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        let Ok(question) = serde_json::to_value(AskNotices { board, after }) else { return };
        let answer = net.request_connected(peer, NOTICES, question, ANSWER).await;
        let taken = match answer {
            Ok(answer) => serde_json::from_value(answer).ok().and_then(|notices| self.take(peer, notices)),
            // One that does not know the question need not be asked again; any other may tell later.
            Err(PeerError::Refused { code: RefusalCode::UnknownKind, .. }) => None,
            Err(_) => return,
        };
        let heard = taken.unwrap_or_else(|| {
            tracing::debug!(%peer, "not asked for offers any more, for an hour");
            Heard { muted_until: Some(Instant::now() + MUTED), ..Heard::default() }
        });
        let mut all = lock(&self.0.heard);
        if all.len() < MOST_NEIGHBOURS || all.contains_key(&peer) {
            all.insert(peer, heard);
        }
    }

    /// Takes in what a neighbour tells. None if it is not what an honest one says; what came before that stays, for it was right.
    fn take(&self, peer: Address, told: Notices) -> Option<Heard> {
        let now = clock::now();
        if told.notices.len() > MOST_TOLD {
            return None;
        }
        for notice in told.notices {
            if notice.offer.maker == self.0.wallet.identity_address() || !lock(&self.0.board).wants(&notice, Some(peer)) {
                continue;
            }
            match notice.check(now) {
                Ok(()) => lock(&self.0.board).put(notice, Some(peer)),
                Err(Unfit::Over) => false,
                Err(Unfit::Forged) => return None,
            };
        }
        Some(Heard { board: told.board, after: told.next, muted_until: None })
    }

    /// Offers of others that stand, the newest first.
    pub fn notices(&self, now: UnixTime) -> Vec<Notice> {
        let board = lock(&self.0.board);
        board.of_others().filter(|notice| notice.until >= now && notice.offer.valid_until >= now).cloned().collect()
    }

    /// Where a maker answers that was heard of.
    pub fn address_of(&self, maker: Address) -> Option<PeerAddress> {
        lock(&self.0.board).newest_of(maker).map(|notice| notice.at.clone())
    }

    fn answer(&self, from: Address, asked: AskNotices) -> Notices {
        let after = if asked.board == self.0.run { asked.after } else { 0 };
        let (notices, next) = lock(&self.0.board).after(after, from, MOST_TOLD);
        Notices { board: self.0.run, next, notices }
    }

    /// Whether a neighbour waited long enough since it last asked.
    fn may_ask(&self, from: Address) -> bool {
        let (now, mut asked) = (Instant::now(), lock(&self.0.asked));
        let is_recent = |at: &Instant| now.duration_since(*at) < ROUND / 2;
        if asked.get(&from).is_some_and(is_recent) {
            return false;
        }
        if asked.len() >= MOST_NEIGHBOURS {
            asked.retain(|_, at| is_recent(at));
        }
        asked.insert(from, now);
        true
    }
}

#[async_trait]
impl Handler for Gossip {
    fn knows(&self, kind: &str) -> bool {
        kind == NOTICES
    }

    async fn handle(&self, from: Address, request: PeerRequest) -> PeerReply {
        if !self.may_ask(from) {
            return PeerReply::Declined("ask for offers once in five seconds".to_owned());
        }
        match serde_json::from_value(request.body) {
            Ok(asked) => serde_json::to_value(self.answer(from, asked)).map_or(PeerReply::Failed, PeerReply::Answer),
            Err(_) => PeerReply::Declined("the question is not understood".to_owned()),
        }
    }
}

/// Peers to whom our owner gave a name are kept in touch with: else there may be nobody to ask.
async fn dial_named(net: &Arc<PeerNet>, store: &Store) -> anyhow::Result<()> {
    let connected = net.connected();
    let named = store.peers().await?.into_iter().filter(|row| row.alias.is_some() && !connected.contains(&row.identity));
    for row in named.take(MOST_DIALLED) {
        if let Ok(at) = format!("{}@{}", row.identity, row.endpoint).parse::<PeerAddress>() {
            let net = net.clone();
            tokio::spawn(async move {
                if let Err(error) = net.connect(&at, ANSWER).await {
                    tracing::debug!(peer = %at.identity(), %error, "not reached");
                }
            });
        }
    }
    Ok(())
}
