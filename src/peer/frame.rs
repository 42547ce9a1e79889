//! Messages cut into encrypted chunks, and put together again.
//!
//! A chunk is two bytes of length and one Noise transport message of a flag (1: the message ends here) and up to 16 KiB. All but the
//! last are full, so that a message is written in one way only, and a reader knows after each chunk whether it grows too
//! long.

use super::limits::{MAX_MESSAGE, MAX_STREAM_MESSAGE};
use super::stream::STREAM;
use snow::StatelessTransportState;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

const CHUNK: usize = 16 * 1024;
const FLAG: usize = 1;
const TAG: usize = 16;
const LENGTH: usize = 2;

/// Why nothing more can be read from or written to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the other side hung up")]
    Closed,
    #[error("the other side has been silent for too long")]
    Silent,
    #[error("a message took too long")]
    Slow,
    #[error("a chunk is not what the other side encrypted")]
    Tampered,
    #[error("a message is too large, or cut in a way of its own")]
    Malformed,
}

/// The longest message that begins so.
const fn longest(first: Option<&u8>) -> usize {
    match first {
        Some(&STREAM) => MAX_STREAM_MESSAGE,
        Some(_) | None => MAX_MESSAGE,
    }
}

/// Reads what the other side writes, in its order.
pub(super) struct FrameReader<R> {
    from: R,
    noise: Arc<StatelessTransportState>,
    nonce: u64,
    cipher: Vec<u8>,
    plain: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(from: R, noise: Arc<StatelessTransportState>) -> Self {
        Self { from, noise, nonce: 0, cipher: vec![0; FLAG + CHUNK + TAG], plain: vec![0; FLAG + CHUNK] }
    }

    /// The next message. Waits up to `idle` for its first chunk to begin, and up to `whole` for the rest of it. After an error, or
    /// when dropped halfway, nothing more can be read.
    pub async fn next(&mut self, idle: Duration, whole: Duration) -> Result<Vec<u8>, FrameError> {
        let first = timeout(idle, self.from.read_u16()).await.map_err(|_| FrameError::Silent)?;
        let first = first.map_err(|_| FrameError::Closed)?;
        timeout(whole, self.message(first)).await.map_err(|_| FrameError::Slow)?
    }

    async fn message(&mut self, first: u16) -> Result<Vec<u8>, FrameError> {
        let mut message = Vec::new();
        let mut length = usize::from(first);
        loop {
            let (last, chunk) = self.chunk(length).await?;
            let most = longest(message.first().or(chunk.first()));
            if message.len() + chunk.len() > most || chunk.is_empty() || (!last && chunk.len() != CHUNK) {
                return Err(FrameError::Malformed);
            }
            message.extend_from_slice(chunk);
            if last {
                return Ok(message);
            }
            length = usize::from(self.from.read_u16().await.map_err(|_| FrameError::Closed)?);
        }
    }

    async fn chunk(&mut self, length: usize) -> Result<(bool, &[u8]), FrameError> {
        let cipher = self.cipher.get_mut(..length).ok_or(FrameError::Malformed)?;
        self.from.read_exact(cipher).await.map_err(|_| FrameError::Closed)?;
        let written = self.noise.read_message(self.nonce, cipher, &mut self.plain).map_err(|_| FrameError::Tampered)?;
        self.nonce += 1;
        match self.plain.get(..written).and_then(<[u8]>::split_first) {
            Some((0, chunk)) => Ok((false, chunk)),
            Some((1, chunk)) => Ok((true, chunk)),
            _ => Err(FrameError::Malformed),
        }
    }
}

/// Writes messages, one after another.
pub(super) struct FrameWriter<W> {
    to: W,
    noise: Arc<StatelessTransportState>,
    nonce: u64,
    plain: Vec<u8>,
    cipher: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub fn new(to: W, noise: Arc<StatelessTransportState>) -> Self {
        Self { to, noise, nonce: 0, plain: Vec::with_capacity(FLAG + CHUNK), cipher: vec![0; FLAG + CHUNK + TAG] }
    }

    /// Writes one message, which the other side has to take within `whole`. After an error nothing more can be written.
    pub async fn send(&mut self, message: &[u8], whole: Duration) -> Result<(), FrameError> {
        self.send_all([message], whole).await
    }

    /// The same with several, which go to the system at once.
    pub async fn send_all<'a>(
        &mut self,
        messages: impl IntoIterator<Item = &'a [u8]>,
        whole: Duration,
    ) -> Result<(), FrameError> {
        let mut bytes = Vec::new();
        for message in messages {
            self.encrypt(message, &mut bytes)?;
        }
        let write = async {
            self.to.write_all(&bytes).await?;
            self.to.flush().await
        };
        timeout(whole, write).await.map_err(|_| FrameError::Slow)?.map_err(|_| FrameError::Closed)
    }

    fn encrypt(&mut self, message: &[u8], bytes: &mut Vec<u8>) -> Result<(), FrameError> {
        if message.is_empty() || message.len() > longest(message.first()) {
            return Err(FrameError::Malformed);
        }
        let chunks = message.len().div_ceil(CHUNK);
        bytes.reserve(message.len() + chunks * (LENGTH + FLAG + TAG));
        for (index, chunk) in message.chunks(CHUNK).enumerate() {
            self.plain.clear();
            self.plain.push(u8::from(index + 1 == chunks));
            self.plain.extend_from_slice(chunk);
            let written = self.noise.write_message(self.nonce, &self.plain, &mut self.cipher);
            let written = written.map_err(|_| FrameError::Malformed)?;
            self.nonce += 1;
            let length = u16::try_from(written).map_err(|_| FrameError::Malformed)?;
            bytes.extend(length.to_be_bytes());
            bytes.extend_from_slice(self.cipher.get(..written).ok_or(FrameError::Malformed)?);
        }
        Ok(())
    }
}
