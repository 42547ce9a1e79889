//! For fuzzing: what a stranger may tell of offers, read as it would be.

use super::{AskNotices, Notices};
use crate::clock;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a body as every kind there is, and checks what it tells; answers those that it is, written again.
pub fn bodies(bytes: &[u8]) -> Vec<Vec<u8>> {
    fn again<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Option<Vec<u8>> {
        serde_json::from_slice::<T>(bytes).ok().and_then(|body| serde_json::to_vec(&body).ok())
    }
    if let Ok(told) = serde_json::from_slice::<Notices>(bytes) {
        for notice in &told.notices {
            // Whatever it says of it, it must not fall over.
            let _ = notice.check(clock::now());
        }
    }
    [again::<AskNotices>(bytes), again::<Notices>(bytes)].into_iter().flatten().collect()
}
