//! How much one token may ask in a second.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// One bucket for each token, in the order of the token file.
pub(super) struct Rates {
    per_second: f64,
    buckets: Mutex<Vec<(f64, Instant)>>,
}

impl Rates {
    /// So many requests a second for each of so many tokens; twice as many at once after a rest.
    pub(super) fn new(per_second: u32, tokens: usize) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, buckets: Mutex::new(vec![(per_second * 2.0, Instant::now()); tokens]) }
    }

    /// Takes one out of that token's bucket, if there is one.
    pub(super) fn take(&self, token: usize, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((level, since)) = buckets.get_mut(token) else { return false };
        let gained = now.saturating_duration_since(*since).as_secs_f64() * self.per_second;
        *level = (*level + gained).min(self.per_second * 2.0);
        *since = now;
        let granted = *level >= 1.0;
        if granted {
            *level -= 1.0;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_token_that_asks_too_much_waits_and_no_other_does() {
        let (rates, now) = (Rates::new(10, 2), Instant::now());
        assert_eq!((0..50).filter(|_| rates.take(0, now)).count(), 20);
        assert!(rates.take(1, now), "another token has its own");
        assert!(!rates.take(0, now + Duration::from_millis(50)) && rates.take(0, now + Duration::from_millis(150)));
        assert!(!rates.take(7, now), "a token that there is not");
    }
}
