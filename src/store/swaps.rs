//! Swaps: what was agreed with whom, and the secret hashes that are spent for ever.

use super::facts::{SwapRecord, load_facts, load_outbox};
use super::rows::{all_rows, change, first_row, optional_time, page_limit, time};
use super::writer::Write;
use super::{Store, StoreError};
use photon_chains::{Address, BlockHeight, SecretHash, UnixTime};
use photon_swap::{OfferId, Role, Salt, SwapId};
use rusqlite::{Connection, Row, named_params};

/// Proof that a secret hash is ours to use once: it was never seen before, and no one else gets it. From
/// [`Store::reserve_hash`], spent by [`Store::insert_swap`]. A hash whose reservation is dropped is never used.
#[derive(Debug, PartialEq, Eq)]
pub struct ReservedHash(SecretHash);

impl ReservedHash {
    /// The hash.
    pub const fn hash(&self) -> SecretHash {
        self.0
    }
}

/// The offer a swap came from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FromOffer {
    /// Our own: it must be open, and is taken in the same transaction.
    Ours(OfferId),
    /// Our own, which was a quote in memory: it stands in no table.
    Quoted(OfferId),
    /// The peer's.
    Theirs(OfferId),
}

/// A swap to be written down before our signature leaves.
#[derive(Clone, Debug)]
pub struct NewSwap {
    /// Its id: the hash of its terms.
    pub id: SwapId,
    /// Which side we are.
    pub role: Role,
    /// The counterparty.
    pub peer: Address,
    /// Where it answers, as `host:port`.
    pub peer_endpoint: String,
    /// The terms, as JSON, at most 64 KiB.
    pub terms: String,
    /// Our signature on them.
    pub own_signature: Vec<u8>,
    /// The counterparty's, if it is here already: then the swap is agreed.
    pub peer_signature: Option<Vec<u8>>,
    /// What its keys (and our secret) are derived with, from the seed.
    pub salt: Salt,
    /// A block at or below which Alpha can't have been funded.
    pub alpha_since: BlockHeight,
    /// A block at or below which Beta can't have been funded.
    pub beta_since: BlockHeight,
    /// The offer it came from.
    pub offer: Option<FromOffer>,
}

/// How and when a swap ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When that was written down.
    pub at: UnixTime,
    /// In one word: `completed`, `refunded`, `void`, ...
    pub outcome: String,
}

/// A swap as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwapRow {
    /// Its place in the order in which swaps were written: the cursor of [`Store::list_swaps`].
    pub number: u64,
    /// Its id.
    pub id: SwapId,
    /// Which side we are.
    pub role: Role,
    /// The hash both legs are locked by.
    pub secret_hash: SecretHash,
    /// The counterparty.
    pub peer: Address,
    /// Where it answers.
    pub peer_endpoint: String,
    /// The terms, as JSON.
    pub terms: String,
    /// Our signature on them.
    pub own_signature: Vec<u8>,
    /// The counterparty's, once it is here.
    pub peer_signature: Option<Vec<u8>>,
    /// What its keys are derived with.
    pub salt: Salt,
    /// A block at or below which Alpha can't have been funded.
    pub alpha_since: BlockHeight,
    /// A block at or below which Beta can't have been funded.
    pub beta_since: BlockHeight,
    /// The offer it came from, ours or the peer's.
    pub offer: Option<OfferId>,
    /// When it was written down.
    pub created_at: UnixTime,
    /// When both signatures were here.
    pub agreed_at: Option<UnixTime>,
    /// How it ended. None while it is live.
    pub ended: Option<Ending>,
}

/// Which swaps to list.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum SwapFilter {
    /// Every one.
    #[default]
    All,
    /// Not ended.
    Live,
    /// Ended.
    Ended,
}

/// Part of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Ask with this for the next page. None at the end.
    pub next: Option<u64>,
}

impl<T> Page<T> {
    /// From rows of which one more than `limit` was fetched.
    pub(super) fn cut(mut items: Vec<T>, limit: usize, number: impl Fn(&T) -> u64) -> Self {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = if has_more { items.last().map(number) } else { None };
        Self { items, next }
    }
}

impl Store {
    /// Takes a secret hash out of circulation for ever, before a stranger is answered or our own is shown. Of any number of
    /// callers at once exactly one gets it; the others, now and after any restart, get [`StoreError::HashUsed`].
    pub async fn reserve_hash(&self, hash: SecretHash) -> Result<ReservedHash, StoreError> {
        self.write(move |write| reserve(write, hash)).await
    }

    /// Takes a hash for a payment over channels, or a request of one. Refused where a swap has it, for ever; the same payment's
    /// twice is harmless. No swap gets it any more.
    pub async fn pay_by_hash(&self, hash: SecretHash) -> Result<(), StoreError> {
        self.write(move |write| {
            if reserve(write, hash).is_err()
                && first_row!(write.conn, OF_HASH, [hash.as_bytes()], |_| Ok::<_, StoreError>(()))?.is_some()
            {
                return Err(StoreError::HashUsed);
            }
            Ok(())
        })
        .await
    }

    /// Whether a swap of that hash has not ended.
    pub async fn has_live_swap(&self, hash: SecretHash) -> Result<bool, StoreError> {
        self.read(move |read| {
            let swap = first_row!(read.conn, OF_HASH, [hash.as_bytes()], swap_row)?;
            Ok(swap.is_some_and(|swap| swap.ended.is_none()))
        })
        .await
    }

    /// Writes a swap down. Durable when it returns: our signature may leave then.
    pub async fn insert_swap(&self, reserved: ReservedHash, swap: NewSwap) -> Result<(), StoreError> {
        self.write(move |write| insert(write, &reserved, &swap)).await
    }

    /// The same for a swap that both have signed, its hash reserved in the same transaction: one sync, and what was written.
    pub async fn insert_agreed(&self, hash: SecretHash, swap: NewSwap) -> Result<SwapRecord, StoreError> {
        self.write(move |write| {
            let reserved = reserve(write, hash)?;
            insert(write, &reserved, &swap)?;
            let swap = find(write.conn, swap.id)?.ok_or(StoreError::NoSuch("swap"))?;
            Ok(SwapRecord { swap, facts: Vec::new(), outbox: Vec::new() })
        })
        .await
    }

    /// Adds the counterparty's signature: the swap is agreed from then on. The same signature twice is harmless, another one
    /// refused.
    pub async fn set_peer_signature(&self, id: SwapId, signature: Vec<u8>) -> Result<(), StoreError> {
        self.write(move |write| {
            let swap = find(write.conn, id)?.ok_or(StoreError::NoSuch("swap"))?;
            match (&swap.peer_signature, &swap.ended) {
                (Some(known), _) if *known == signature => Ok(()),
                (Some(_), _) => Err(StoreError::Conflict("signature")),
                (None, Some(_)) => Err(StoreError::SwapEnded),
                (None, None) => {
                    let params = (swap.number, &signature, write.now.secs());
                    change!(write.conn, "UPDATE swaps SET peer_signature = ?2, agreed_at = ?3 WHERE n = ?1", params)?;
                    Ok(())
                }
            }
        })
        .await
    }

    /// Remembers where the counterparty of a swap answers now.
    pub async fn set_peer_endpoint(&self, id: SwapId, endpoint: String) -> Result<(), StoreError> {
        self.write(move |write| {
            let changed = change!(write.conn, "UPDATE swaps SET peer_endpoint = ?2 WHERE id = ?1", (id.as_bytes(), &endpoint))?;
            if changed == 1 { Ok(()) } else { Err(StoreError::NoSuch("swap")) }
        })
        .await
    }

    /// One swap with everything known of it.
    pub async fn swap(&self, id: SwapId) -> Result<Option<SwapRecord>, StoreError> {
        self.read(move |read| {
            let Some(swap) = find(read.conn, id)? else { return Ok(None) };
            let facts = load_facts(read, &swap)?;
            let outbox = load_outbox(read.conn, swap.number)?;
            Ok(Some(SwapRecord { swap, facts, outbox }))
        })
        .await
    }

    /// Swaps, newest first; `before` is the `next` of the page before.
    pub async fn list_swaps(&self, filter: SwapFilter, before: Option<u64>, limit: u32) -> Result<Page<SwapRow>, StoreError> {
        self.read(move |read| {
            let limit = page_limit(limit);
            let sql = list_sql(filter);
            let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
            let rows = all_rows!(read.conn, sql, (before, limit + 1), swap_row)?;
            Ok(Page::cut(rows, limit, |swap| swap.number))
        })
        .await
    }

    /// The same, with one peer alone.
    pub async fn list_swaps_with(
        &self,
        peer: Address,
        filter: SwapFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page<SwapRow>, StoreError> {
        self.read(move |read| {
            let limit = page_limit(limit);
            let sql = match filter {
                SwapFilter::All => "SELECT * FROM swaps WHERE peer = ?3 AND n < ?1 ORDER BY n DESC LIMIT ?2",
                SwapFilter::Live => {
                    "SELECT * FROM swaps WHERE peer = ?3 AND ended_at IS NULL AND n < ?1 ORDER BY n DESC LIMIT ?2"
                }
                SwapFilter::Ended => {
                    "SELECT * FROM swaps WHERE peer = ?3 AND ended_at IS NOT NULL AND n < ?1 ORDER BY n DESC LIMIT ?2"
                }
            };
            let before = before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
            let rows = all_rows!(read.conn, sql, (before, limit + 1, peer.as_bytes()), swap_row)?;
            Ok(Page::cut(rows, limit, |swap| swap.number))
        })
        .await
    }

    /// Swaps that ended within those unix seconds, oldest first; `after` is the `next` of the page before.
    pub async fn ended_swaps(
        &self,
        within: std::ops::Range<u64>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Page<SwapRow>, StoreError> {
        self.read(move |read| {
            let limit = page_limit(limit);
            let signed = |secs: u64| i64::try_from(secs).unwrap_or(i64::MAX);
            let sql = "SELECT * FROM swaps WHERE ended_at IS NOT NULL AND ended_at >= ?1 AND ended_at < ?2 \
                       AND (?3 IS NULL OR (ended_at, n) > ((SELECT ended_at FROM swaps WHERE n = ?3), ?3)) \
                       ORDER BY ended_at, n LIMIT ?4";
            let params = (signed(within.start), signed(within.end), after.map(signed), limit + 1);
            Ok(Page::cut(all_rows!(read.conn, sql, params, swap_row)?, limit, |swap| swap.number))
        })
        .await
    }

    /// How many swaps with a peer came to nothing since a time after money of ours was locked; counted up to `most`.
    pub async fn refunded_with(&self, peer: Address, since: UnixTime, most: u32) -> Result<u32, StoreError> {
        self.read(move |read| {
            let params = (peer.as_bytes(), since.secs(), most);
            Ok(read.conn.prepare_cached(REFUNDED_SINCE)?.query_row(params, |row| row.get(0))?)
        })
        .await
    }

    /// Forgets swaps that ended as `void` before a time, the oldest first and at most `cap`: strangers make them, so they
    /// must not pile up. Their hashes stay used. How many were forgotten.
    pub async fn forget_void_swaps(&self, before: UnixTime, cap: u32) -> Result<usize, StoreError> {
        self.write(move |write| {
            let sql = "DELETE FROM swaps WHERE n IN (SELECT n FROM swaps INDEXED BY swaps_void \
                       WHERE outcome = 'void' AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)";
            Ok(change!(write.conn, sql, (before.secs(), cap))?)
        })
        .await
    }
}

pub(super) const REFUNDED_SINCE: &str = "SELECT count(*) FROM (SELECT 1 FROM swaps INDEXED BY swaps_refunded \
    WHERE outcome = 'refunded' AND peer = ?1 AND ended_at >= ?2 LIMIT ?3)";

pub(super) const fn list_sql(filter: SwapFilter) -> &'static str {
    match filter {
        SwapFilter::All => "SELECT * FROM swaps WHERE n < ?1 ORDER BY n DESC LIMIT ?2",
        SwapFilter::Live => {
            "SELECT * FROM swaps INDEXED BY swaps_live WHERE ended_at IS NULL AND n < ?1 ORDER BY n DESC LIMIT ?2"
        }
        SwapFilter::Ended => {
            "SELECT * FROM swaps INDEXED BY swaps_ended WHERE ended_at IS NOT NULL AND n < ?1 ORDER BY n DESC LIMIT ?2"
        }
    }
}

const OF_HASH: &str = "SELECT * FROM swaps WHERE secret_hash = ?1";

pub(super) fn reserve(write: &Write<'_>, hash: SecretHash) -> Result<ReservedHash, StoreError> {
    let sql = "INSERT INTO hashlocks(hash, reserved_at) VALUES(?1, ?2) ON CONFLICT(hash) DO NOTHING";
    let added = change!(write.conn, sql, (hash.as_bytes(), write.now.secs()))?;
    if added == 1 { Ok(ReservedHash(hash)) } else { Err(StoreError::HashUsed) }
}

pub(super) fn insert(write: &mut Write<'_>, reserved: &ReservedHash, swap: &NewSwap) -> Result<(), StoreError> {
    if find(write.conn, swap.id)?.is_some() {
        return Err(StoreError::Conflict("swap"));
    }
    let offer = match swap.offer {
        Some(FromOffer::Ours(offer)) => {
            super::offers::take(write, offer)?;
            Some(offer)
        }
        Some(FromOffer::Theirs(offer) | FromOffer::Quoted(offer)) => Some(offer),
        None => None,
    };
    write.recovery.extend(super::recovery::line(write.seals, reserved.0, swap)?);
    let now = write.now.secs();
    write
        .conn
        .prepare_cached(
            "INSERT INTO swaps(id, role, secret_hash, peer, peer_endpoint, terms, own_signature, peer_signature, salt, alpha_since, \
             beta_since, offer, created_at, agreed_at) VALUES(:id, :role, :secret_hash, :peer, :peer_endpoint, :terms, \
             :own_signature, :peer_signature, :salt, :alpha_since, :beta_since, :offer, :now, :agreed_at)",
        )?
        .execute(named_params! {
            ":id": swap.id.as_bytes(), ":role": swap.role.word(), ":secret_hash": reserved.0.as_bytes(),
            ":peer": swap.peer.as_bytes(), ":peer_endpoint": swap.peer_endpoint, ":terms": swap.terms,
            ":own_signature": swap.own_signature, ":peer_signature": swap.peer_signature, ":salt": swap.salt.as_bytes(),
            ":alpha_since": swap.alpha_since.get(), ":beta_since": swap.beta_since.get(),
            ":offer": offer.as_ref().map(OfferId::as_bytes), ":now": now,
            ":agreed_at": swap.peer_signature.as_ref().map(|_| now),
        })?;
    Ok(())
}

pub(super) fn find(conn: &Connection, id: SwapId) -> Result<Option<SwapRow>, StoreError> {
    first_row!(conn, "SELECT * FROM swaps WHERE id = ?1", [id.as_bytes()], swap_row)
}

pub(super) fn swap_row(row: &Row<'_>) -> Result<SwapRow, StoreError> {
    let ended_at = optional_time(row, "ended_at")?;
    let outcome: Option<String> = row.get("outcome")?;
    Ok(SwapRow {
        number: row.get("n")?,
        id: SwapId::from_bytes(row.get("id")?),
        role: role(&row.get::<_, String>("role")?)?,
        secret_hash: SecretHash::from_bytes(row.get("secret_hash")?),
        peer: Address::from_bytes(row.get("peer")?),
        peer_endpoint: row.get("peer_endpoint")?,
        terms: row.get("terms")?,
        own_signature: row.get("own_signature")?,
        peer_signature: row.get("peer_signature")?,
        salt: Salt::from_bytes(row.get("salt")?),
        alpha_since: BlockHeight::new(row.get("alpha_since")?),
        beta_since: BlockHeight::new(row.get("beta_since")?),
        offer: row.get::<_, Option<[u8; 32]>>("offer")?.map(OfferId::from_bytes),
        created_at: time(row, "created_at")?,
        agreed_at: optional_time(row, "agreed_at")?,
        ended: ended_at.zip(outcome).map(|(at, outcome)| Ending { at, outcome }),
    })
}

fn role(word: &str) -> Result<Role, StoreError> {
    let both = [Role::Initiator, Role::Participant];
    both.into_iter().find(|role| role.word() == word).ok_or(StoreError::Unreadable("role"))
}
