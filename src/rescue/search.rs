//! Finding every lock of ours: on the ledgers, in the notes that the nodes' wallets keep, in the recovery file if there is one.

use super::note::Note;
use crate::clock;
use crate::keys::{KeyUse, Wallet};
use crate::ledgers::Ledgers;
use crate::store::Store;
use anyhow::Context;
use photon_chains::{
    Amount, Asset, BlockHeight, Expiry, Ledger, Lock, LockId, Party, Port, PortError, Progressed, SecretHash, UnixTime,
};
use photon_swap::{LegName, Salt, Side, Terms};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A lock of ours that was found again.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// The lock.
    pub lock: Lock,
    /// Whose money it holds.
    pub side: Side,
    /// From which our key is derived; of no use on an EVM ledger, where it is our account's.
    pub salt: Salt,
    /// A block at or below which it was not funded.
    pub since: BlockHeight,
    /// False if the ledger itself shows that it is over. Kept only where it may tell the secret of another one.
    pub stands: bool,
}

/// Everything that was found, and on which ledgers it was looked for.
#[derive(Default)]
pub struct Finds {
    by_id: HashMap<LockId, Rescued>,
    searched: BTreeMap<Ledger, UnixTime>,
    /// Hashes of running swaps of this very database: the node carries those, and nobody else.
    running: HashSet<SecretHash>,
}

impl Finds {
    /// Begins with what the database and the recovery file beside it know; locks that opened before `since` are left out.
    pub async fn begin(store: &Store, since: UnixTime) -> anyhow::Result<Self> {
        let mut finds = Self::default();
        for record in store.live_swaps().await? {
            finds.running.insert(record.swap.secret_hash);
        }
        for lost in store.lost_swaps().await? {
            let terms: Terms = serde_json::from_str(&lost.swap.terms).context("the recovery file holds terms of another form")?;
            let role = lost.swap.role;
            for (name, side) in [(role.own_leg(), Side::Own), (role.peer_leg(), Side::Peer)] {
                let leg_since = match name {
                    LegName::Alpha => lost.swap.alpha_since,
                    LegName::Beta => lost.swap.beta_since,
                };
                let lock = terms.leg(name).lock;
                if lock.expiry.opens_time >= since {
                    finds.add(Rescued { lock, side, salt: lost.swap.salt, since: leg_since, stands: true });
                }
            }
        }
        Ok(finds)
    }

    /// How many swaps of the database are running, and left to the node.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// True once that ledger was searched.
    pub fn has_searched(&self, ledger: Ledger) -> bool {
        self.searched.contains_key(&ledger)
    }

    /// Searches one ledger.
    pub async fn search(
        &mut self,
        wallet: &Wallet,
        port: &Arc<dyn Port>,
        since: UnixTime,
        progressed: Progressed<'_>,
    ) -> Result<(), PortError> {
        let found = port.find(since, progressed).await?;
        let us = Party::Account(wallet.identity_address());
        for found in found.locks {
            let side = if found.lock.refundee == us { Side::Own } else { Side::Peer };
            let none = Salt::from_bytes([0; 16]);
            self.add(Rescued { lock: found.lock, side, salt: none, since: found.since, stands: found.stands });
        }
        for note in found.notes.iter().filter_map(|text| Note::open(text, wallet, port.ledger(), |key| port.party(key).ok())) {
            if note.lock.expiry.opens_time >= since {
                self.add(Rescued { lock: note.lock, side: note.side, salt: note.salt, since: note.since, stands: true });
            }
        }
        self.searched.insert(port.ledger(), clock::now());
        Ok(())
    }

    fn add(&mut self, found: Rescued) {
        if !self.running.contains(&found.lock.secret_hash) {
            self.by_id.entry(found.lock.id()).or_insert(found);
        }
    }

    /// What is worth watching: what may still hold money, and what shares its hash. By hash, so that the locks of one swap stand together.
    pub fn families(&self) -> BTreeMap<SecretHash, Vec<Rescued>> {
        let mut families: BTreeMap<SecretHash, Vec<Rescued>> = BTreeMap::new();
        for rescued in self.by_id.values() {
            families.entry(rescued.lock.secret_hash).or_default().push(*rescued);
        }
        families.retain(|_, family| family.iter().any(|rescued| rescued.stands));
        for family in families.values_mut() {
            family.sort_by_key(|rescued| (rescued.lock.asset, rescued.lock.id()));
        }
        families
    }
}

/// A lock that nobody will ever fund, watched for its hash alone: where our own lock of a swap is not known (its note is gone with the
/// node's wallet), the counterparty's redeem of it still shows the secret somewhere on that ledger.
pub fn listening_post(ledgers: &Ledgers, wallet: &Wallet, of: &Rescued, on: Ledger) -> Option<(Lock, BlockHeight)> {
    let (home, port) = (ledgers.port(of.lock.asset.ledger())?, ledgers.port(on)?);
    let (here, there) = (ledgers.outlook(of.lock.asset.ledger()).tip?, ledgers.outlook(on).tip?);
    let asset = Asset::Native(on);
    let nobody = port.party(&wallet.lock_key(of.lock.secret_hash.as_bytes().first_chunk()?, on, KeyUse::Refund)).ok()?;
    let lock = Lock {
        asset,
        amount: Amount::from_units(1_000_000),
        redeemer: nobody,
        refundee: nobody,
        secret_hash: of.lock.secret_hash,
        expiry: Expiry::at(UnixTime::from_secs(u64::from(u32::MAX))),
        template: port.template(asset).ok()?,
    };
    // From well before the lock that was found: the other may have been funded first, and blocks don't come by the clock.
    let age = here.block.height.get().saturating_sub(of.since.get()).saturating_mul(home.timing().block_secs);
    let back = age.saturating_add(DAY_SECS).saturating_mul(2) / port.timing().block_secs.max(1);
    Some((lock, there.block.height.minus(back)))
}

const DAY_SECS: u64 = 24 * 3600;
