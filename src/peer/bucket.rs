//! How much one peer may ask of us.

use photon_chains::Address;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket of tokens that fills by the clock: asking takes one out.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    since: Instant,
}

/// One bucket for each identity. They outlive connections, so that connecting anew does not fill one.
pub(super) struct Buckets {
    per_sec: f64,
    burst: f64,
    by_peer: Mutex<HashMap<Address, Bucket>>,
}

/// The most identities remembered. Beyond them the fullest bucket is forgotten, which costs its owner nothing.
const REMEMBERED: usize = 4096;

impl Buckets {
    pub fn new(per_sec: u32, burst: u32) -> Self {
        Self { per_sec: f64::from(per_sec), burst: f64::from(burst), by_peer: Mutex::default() }
    }

    /// Takes a token of this peer's, if there is one.
    pub fn take(&self, peer: Address, now: Instant) -> bool {
        let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        if by_peer.len() >= REMEMBERED && !by_peer.contains_key(&peer) {
            self.forget_full(&mut by_peer, now);
        }
        let bucket = by_peer.entry(peer).or_insert(Bucket { tokens: self.burst, since: now });
        bucket.tokens = self.level(bucket, now);
        bucket.since = now;
        let granted = bucket.tokens >= 1.0;
        if granted {
            bucket.tokens -= 1.0;
        }
        granted
    }

    fn level(&self, bucket: &Bucket, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(bucket.since).min(Duration::from_secs(3600)).as_secs_f64() * self.per_sec;
        (bucket.tokens + gained).min(self.burst)
    }

    fn forget_full(&self, by_peer: &mut HashMap<Address, Bucket>, now: Instant) {
        by_peer.retain(|_, bucket| self.level(bucket, now) < self.burst);
        if by_peer.len() < REMEMBERED {
            return;
        }
        let fullest =
            by_peer.iter().max_by(|(_, a), (_, b)| self.level(a, now).total_cmp(&self.level(b, now))).map(|(peer, _)| *peer);
        if let Some(peer) = fullest {
            by_peer.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn identity(number: u64) -> Address {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Address::from_bytes(bytes)
    }

    #[test]
    fn a_peer_gets_its_burst_and_then_its_rate_and_not_another_peers() {
        let buckets = Buckets::new(2, 5);
        let start = Instant::now();
        let granted = |peer, after_ms| {
            let now = start + Duration::from_millis(after_ms);
            (0..20).filter(|_| buckets.take(identity(peer), now)).count()
        };
        assert_eq!(granted(1, 0), 5);
        assert_eq!(granted(2, 0), 5);
        assert_eq!(granted(1, 1500), 3);
        assert_eq!(granted(1, 1_000_000_000), 5);
    }

    #[test]
    fn a_crowd_of_identities_does_not_make_it_grow_nor_refill_an_empty_bucket() {
        let buckets = Buckets::new(1, 5);
        let now = Instant::now();
        while buckets.take(identity(0), now) {}
        for number in 1..(2 * REMEMBERED as u64) {
            buckets.take(identity(number), now);
        }
        assert!(buckets.by_peer.lock().unwrap().len() <= REMEMBERED);
        assert!(!buckets.take(identity(0), now));
    }
}
