//! What an engine wants to hear of the chain: shared with whoever follows it.

use photon_chains::{BlockHeight, SecretHash};
use photon_channel::{ChannelId, ChannelKey};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A channel that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Followed {
    pub(super) key: ChannelKey,
    /// A block before which nothing can have been said of it.
    pub(super) since: BlockHeight,
    /// Something is awaited: its slot is read at every new block.
    pub(super) is_restless: bool,
}

#[derive(Default)]
struct Inner {
    channels: BTreeMap<ChannelId, Followed>,
    /// How often each hash is wanted: by the core, and by what is done about closed channels.
    hashes: HashMap<SecretHash, u32>,
    touched: HashSet<SecretHash>,
}

/// Clones are handles on the same.
#[derive(Clone, Default)]
pub(super) struct Interests(Arc<Mutex<Inner>>);

impl Interests {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn follow(&self, followed: Followed) {
        self.lock().channels.insert(followed.key.id(), followed);
    }

    pub(super) fn forget(&self, id: &ChannelId) {
        self.lock().channels.remove(id);
    }

    pub(super) fn followed(&self, id: &ChannelId) -> Option<Followed> {
        self.lock().channels.get(id).cloned()
    }

    pub(super) fn want(&self, hash: SecretHash) {
        let mut inner = self.lock();
        *inner.hashes.entry(hash).or_default() += 1;
        inner.touched.insert(hash);
    }

    pub(super) fn unwant(&self, hash: SecretHash) {
        let mut inner = self.lock();
        if let Some(count) = inner.hashes.get_mut(&hash) {
            *count -= 1;
            if *count == 0 {
                inner.hashes.remove(&hash);
            }
        }
        inner.touched.insert(hash);
    }

    /// Which hashes have come or gone since the last time, and all channels. What came and went in between is nothing.
    pub(super) fn drain(&self) -> (Vec<(SecretHash, bool)>, BTreeMap<ChannelId, Followed>) {
        let mut inner = self.lock();
        let touched = std::mem::take(&mut inner.touched);
        let changes = touched.into_iter().map(|hash| (hash, inner.hashes.contains_key(&hash))).collect();
        (changes, inner.channels.clone())
    }
}
