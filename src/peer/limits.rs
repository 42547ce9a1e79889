//! Everything a stranger could make grow or last, and where it ends.

use std::time::Duration;

/// The longest message, in bytes of JSON.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The longest one-way message: a channel's largest batch with the longest ways in it.
pub const MAX_STREAM_MESSAGE: usize = 320 * 1024;

/// How much, how many, how long.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections that others opened, all together.
    pub connections: usize,
    /// Of those, from one IPv4 address or one IPv6 /64.
    pub connections_per_ip: usize,
    /// Time for the whole handshake.
    pub handshake: Duration,
    /// We say something at least this often.
    pub heartbeat: Duration,
    /// A peer that says nothing for this long is gone.
    pub idle: Duration,
    /// A message that has begun must be through after this, in either direction.
    pub message: Duration,
    /// Requests a peer may make per second, in the long run.
    pub requests_per_sec: u32,
    /// Requests a peer may make at once after a rest.
    pub requests_burst: u32,
    /// Requests over that in a row before we hang up.
    pub strikes: u32,
    /// Requests of one connection that are being answered, or wait for their turn, at one time.
    pub requests_at_once: usize,
    /// Their bytes; at least [`MAX_MESSAGE`].
    pub request_bytes_at_once: usize,
    /// Requests of all connections that are being answered at one time.
    pub handlers: usize,
    /// Bytes that may wait to be sent on one connection; at least [`MAX_MESSAGE`].
    pub queued_bytes: usize,
    /// Bytes of one-way messages that may wait besides; a peer that lets more gather is hung up on.
    pub streamed_bytes: usize,
    /// Requests of ours that may wait for answers on one connection.
    pub pending: usize,
    /// Pause after the first failed dial; it doubles with each further one.
    pub backoff_first: Duration,
    /// The longest pause between dials.
    pub backoff_max: Duration,
    /// When connections are full, one that has been of no use for this long makes room.
    pub useless_after: Duration,
    /// How long a shutdown waits for requests that are being answered.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            connections_per_ip: 16,
            handshake: Duration::from_secs(10),
            heartbeat: Duration::from_secs(20),
            idle: Duration::from_secs(60),
            message: Duration::from_secs(20),
            requests_per_sec: 50,
            requests_burst: 200,
            strikes: 200,
            requests_at_once: 64,
            request_bytes_at_once: 2 * MAX_MESSAGE,
            handlers: 64,
            queued_bytes: 4 * MAX_MESSAGE,
            streamed_bytes: 16 << 20,
            pending: 256,
            backoff_first: Duration::from_millis(250),
            backoff_max: Duration::from_secs(30),
            useless_after: Duration::from_secs(60),
            shutdown: Duration::from_secs(10),
        }
    }
}
