//! One connection at work: both sides ask, both answer.

use super::error::{PeerError, RefusalCode};
use super::frame::{FrameError, FrameReader, FrameWriter};
use super::handler::{PeerReply, PeerRequest};
use super::limits::Limits;
use super::message::{Envelope, Message, tidy};
use super::net::{Node, Task};
use super::stream::{Heard, STREAM};
use futures::FutureExt;
use photon_chains::{Address, PublicKey, crash};
use serde_json::Value;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

/// Messages that are written to the socket at once.
const TOGETHER: usize = 64;

/// What even the smallest message counts for among those waiting to be sent, which bounds their number too.
const LEAST_COST: usize = 512;

type Waiting = HashMap<u64, oneshot::Sender<Result<Value, PeerError>>>;

/// A message on its way out, and the room it takes until it is written.
pub(super) struct Queued {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// Our handle on a connection.
pub(super) struct Connection {
    peer: Address,
    key: PublicKey,
    number: u64,
    queue: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    stream_room: Arc<Semaphore>,
    queued_bytes: usize,
    max_pending: usize,
    /// None once it has ended.
    waiting: Mutex<Option<Waiting>>,
    next_id: AtomicU64,
    ended: watch::Sender<bool>,
    last_use: Mutex<Instant>,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum End {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it sent something that is no message")]
    NotAMessage,
    #[error("it keeps sending more than it may")]
    Flood,
    #[error("we hung up")]
    HungUp,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    pub fn new(peer: Address, key: PublicKey, limits: &Limits) -> (Arc<Self>, mpsc::UnboundedReceiver<Queued>) {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let (queue, outgoing) = mpsc::unbounded_channel();
        let connection = Self {
            peer,
            key,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            queue,
            room: Arc::new(Semaphore::new(limits.queued_bytes)),
            stream_room: Arc::new(Semaphore::new(limits.streamed_bytes)),
            queued_bytes: limits.queued_bytes,
            max_pending: limits.pending,
            waiting: Mutex::new(Some(Waiting::new())),
            next_id: AtomicU64::new(1),
            ended: watch::Sender::new(false),
            last_use: Mutex::new(Instant::now()),
        };
        (Arc::new(connection), outgoing)
    }

    pub const fn peer(&self) -> Address {
        self.peer
    }

    /// The public key of that account.
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Tells it from all others.
    pub const fn number(&self) -> u64 {
        self.number
    }

    pub fn is_live(&self) -> bool {
        !*self.ended.borrow()
    }

    /// Ends it. What waits for an answer on it is told that it is lost.
    pub fn hang_up(&self) {
        self.ended.send_replace(true);
        lock(&self.waiting).take();
        self.room.close();
        self.stream_room.close();
    }

    /// How long nobody has asked anything on it.
    pub fn unused_for(&self) -> Duration {
        lock(&self.last_use).elapsed()
    }

    fn touch(&self) {
        *lock(&self.last_use) = Instant::now();
    }

    /// Asks the peer. None if the connection had ended before, so that nothing was sent.
    pub async fn ask(&self, kind: &str, body: &Value) -> Option<Result<Value, PeerError>> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let envelope = Envelope { id, kind: kind.to_owned(), body: body.clone() };
        let Some(bytes) = Message::Ask(envelope).encode() else { return Some(Err(PeerError::TooLarge)) };
        let (answer, answered) = oneshot::channel();
        match lock(&self.waiting).as_mut() {
            None => return None,
            Some(waiting) if waiting.len() >= self.max_pending => return Some(Err(PeerError::Busy)),
            Some(waiting) => waiting.insert(id, answer),
        };
        let _forget = Forget { connection: self, id };
        self.touch();
        crash::point(format_args!("ask.before.{kind}"));
        self.push(bytes).await?;
        let answer = answered.await.unwrap_or(Err(PeerError::Lost));
        crash::point(format_args!("ask.after.{kind}"));
        Some(answer)
    }

    /// Queues bytes, waiting for room. None if the connection has ended.
    async fn push(&self, bytes: Vec<u8>) -> Option<()> {
        let cost = bytes.len().max(LEAST_COST).min(self.queued_bytes);
        let room = Arc::clone(&self.room).acquire_many_owned(u32::try_from(cost).ok()?).await.ok()?;
        self.queue.send(Queued { bytes, _room: room }).ok()
    }

    /// Queues a one-way message. False if it has ended, or ends now because the peer takes too little.
    pub fn stream(&self, message: Vec<u8>) -> bool {
        self.touch();
        let cost = message.len().max(LEAST_COST);
        let room = u32::try_from(cost).ok().and_then(|cost| Arc::clone(&self.stream_room).try_acquire_many_owned(cost).ok());
        let Some(room) = room else {
            self.hang_up();
            return false;
        };
        self.queue.send(Queued { bytes: message, _room: room }).is_ok()
    }

    async fn reply(&self, message: &Message) {
        let bytes = message.encode().or_else(|| match message {
            Message::Answer { id, .. } => {
                Message::refusal(*id, RefusalCode::TooLarge, "the answer is larger than a message may be").encode()
            }
            _ => None,
        });
        if let Some(bytes) = bytes {
            // If it has ended, nobody waits for the reply any more.
            let _ = self.push(bytes).await;
        }
    }

    /// Hands an answer to whoever asked. False if nobody did.
    fn complete(&self, id: u64, answer: Result<Value, PeerError>) -> bool {
        let asker = lock(&self.waiting).as_mut().and_then(|waiting| waiting.remove(&id));
        asker.is_some_and(|asker| asker.send(answer).is_ok())
    }
}

/// Strikes a request from the list of those that wait, however waiting for it ended.
struct Forget<'a> {
    connection: &'a Connection,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = lock(&self.connection.waiting).as_mut() {
            waiting.remove(&self.id);
        }
    }
}

/// Reads and writes until one of the two fails, we hang up, or the node stops.
pub(super) async fn run<R, W>(
    connection: &Arc<Connection>,
    reader: FrameReader<R>,
    writer: FrameWriter<W>,
    outgoing: mpsc::UnboundedReceiver<Queued>,
    node: &Arc<Node>,
) -> End
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut ended = connection.ended.subscribe();
    let end = tokio::select! {
        end = read_all(connection, reader, node) => end,
        end = write_all(writer, outgoing, &node.limits) => end,
        _ = ended.wait_for(|ended| *ended) => End::HungUp,
        () = node.stopped() => End::HungUp,
    };
    connection.hang_up();
    end
}

async fn write_all<W: AsyncWrite + Unpin>(
    mut writer: FrameWriter<W>,
    mut outgoing: mpsc::UnboundedReceiver<Queued>,
    limits: &Limits,
) -> End {
    let alive = Message::Alive {}.encode().unwrap_or_default();
    let mut batch = Vec::with_capacity(TOGETHER);
    loop {
        let sent = match timeout(limits.heartbeat, outgoing.recv_many(&mut batch, TOGETHER)).await {
            Ok(0) => return End::HungUp,
            Ok(_) => writer.send_all(batch.iter().map(|queued| queued.bytes.as_slice()), limits.message).await,
            Err(_) => writer.send(&alive, limits.message).await,
        };
        batch.clear();
        if let Err(error) = sent {
            return error.into();
        }
        crash::point(format_args!("message.written"));
    }
}

async fn read_all<R: AsyncRead + Unpin>(connection: &Arc<Connection>, mut reader: FrameReader<R>, node: &Arc<Node>) -> End {
    let desk = Desk {
        requests: Arc::new(Semaphore::new(node.limits.requests_at_once)),
        bytes: Arc::new(Semaphore::new(node.limits.request_bytes_at_once)),
    };
    let mut strikes = 0;
    loop {
        let bytes = match reader.next(node.limits.idle, node.limits.message).await {
            Ok(bytes) => bytes,
            Err(error) => return error.into(),
        };
        if let Some((&STREAM, message)) = bytes.split_first() {
            match node.streams.said(connection.peer, message).await {
                Heard::Wanted => continue,
                Heard::Unwanted if node.may_ask(connection.peer) => strikes = 0,
                Heard::Unwanted => strikes += 1,
                Heard::Nonsense => return End::NotAMessage,
            }
            if strikes > node.limits.strikes {
                return End::Flood;
            }
            continue;
        }
        let Some(message) = Message::decode(&bytes) else { return End::NotAMessage };
        let wanted = match message {
            Message::Ask(envelope) => asked(connection, envelope, bytes.len(), &desk, node).await,
            Message::Answer { id, body } => connection.complete(id, Ok(body)) || node.may_ask(connection.peer),
            Message::Refusal { id, code, reason } => {
                let refused = PeerError::Refused { code, reason: tidy(&reason) };
                connection.complete(id, Err(refused)) || node.may_ask(connection.peer)
            }
            Message::Alive {} => node.may_ask(connection.peer),
        };
        strikes = if wanted { 0 } else { strikes + 1 };
        if strikes > node.limits.strikes {
            return End::Flood;
        }
    }
}

/// What of one connection is being answered at one time.
struct Desk {
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// A place on it.
struct Place {
    _request: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Desk {
    fn place(&self, size: usize) -> Option<Place> {
        let request = Arc::clone(&self.requests).try_acquire_owned().ok()?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(u32::try_from(size).ok()?).ok()?;
        Some(Place { _request: request, _bytes: bytes })
    }
}

/// Refuses a request, or starts to answer it. False if the peer asks more than it may.
async fn asked(connection: &Arc<Connection>, envelope: Envelope, size: usize, desk: &Desk, node: &Arc<Node>) -> bool {
    let Envelope { id, kind, body } = envelope;
    if !node.may_ask(connection.peer) {
        connection.reply(&Message::refusal(id, RefusalCode::TooManyRequests, "slow down")).await;
        return false;
    }
    if !node.handler.knows(&kind) {
        connection.reply(&Message::refusal(id, RefusalCode::UnknownKind, "there is no such kind of request")).await;
        return true;
    }
    let (Some(place), Some(task)) = (desk.place(size), node.task()) else {
        connection.reply(&Message::refusal(id, RefusalCode::Busy, "try again")).await;
        return true;
    };
    connection.touch();
    tokio::spawn(answer(Arc::clone(connection), id, PeerRequest { kind, body }, Arc::clone(node), task, place));
    true
}

async fn answer(connection: Arc<Connection>, id: u64, request: PeerRequest, node: Arc<Node>, task: Task, place: Place) {
    // Peers take turns. A request whose turn has not come when the node stops has had no effect.
    let turn = tokio::select! {
        () = node.stopped() => return,
        turn = node.answering.acquire() => turn,
    };
    let kind = request.kind.clone();
    crash::point(format_args!("answer.before.{kind}"));
    let answer = AssertUnwindSafe(node.handler.handle(connection.peer, request)).catch_unwind();
    // A bug in an answer must not leave the peer without one, nor end the connection for all others.
    let reply = answer.await.unwrap_or(PeerReply::Failed);
    crash::point(format_args!("answer.after.{kind}"));
    // What is left depends on how fast the peer reads: it takes no turn from other peers, nor holds up a shutdown.
    drop((turn, task));
    let message = match reply {
        PeerReply::Answer(body) => Message::Answer { id, body },
        PeerReply::Declined(reason) => Message::refusal(id, RefusalCode::Declined, &reason),
        PeerReply::Failed => Message::refusal(id, RefusalCode::Internal, "the peer failed to answer"),
    };
    connection.reply(&message).await;
    drop(place);
}
