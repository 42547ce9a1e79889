//! What a node writes in some lanes at once, and what must be found of it afterwards.

use super::super::*;
use super::disk::{Log, Note, Op};
use crate::service::StoredAnswer;
use photon_chains::{Amount, Asset, BlockRef, Hash32, IntentKey, Journal, Ledger, LockId, Purpose, Settlement, SignedTx, TxId};
use photon_swap::OfferId;

/// Events that are there before the lanes begin.
pub(super) const FIRST_EVENTS: u64 = 8;

/// Writes of one concern, each asked for when the one before was answered.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// What opens the store for the others: the first events.
    First,
    /// A swap with its offer and its transactions.
    Swap(u32),
    /// Calls of the API: keys, payments, peers, webhooks.
    Calls(u32),
}

impl Lane {
    pub(super) const fn writes(self) -> usize {
        match self {
            Lane::First => FIRST_EVENTS as usize,
            Lane::Swap(_) => 12,
            Lane::Calls(_) => 14,
        }
    }

    /// After so many writes its swap is there.
    pub(super) fn has_swap_after(self) -> Option<(SecretHash, usize)> {
        match self {
            Lane::Swap(number) => Some((SecretHash::from_bytes(bytes(number)), 2)),
            Lane::First | Lane::Calls(_) => None,
        }
    }

    pub(super) async fn write(self, store: &Store, step: usize) -> Result<(), StoreError> {
        match self {
            Lane::First => store.append_event(self.event(step)).await.map(|_| ()),
            Lane::Swap(number) => self.write_swap(store, number, step).await,
            Lane::Calls(number) => self.write_calls(store, number, step).await,
        }
    }

    async fn write_swap(self, store: &Store, number: u32, step: usize) -> Result<(), StoreError> {
        let step_of = |facts: &[&str], effects: &[&str]| StepRows {
            facts: facts.iter().map(|kind| FactRow { is_secret: *kind == "secret", ..fact(kind, &self.long(kind)) }).collect(),
            effects: effects.iter().map(|key| effect(key)).collect(),
            is_all_wanted: true,
            events: vec![self.event(step)],
            ..StepRows::default()
        };
        let id = swap_id(number);
        let written = match step {
            0 => return store.insert_offer(offer(number)).await,
            1 => {
                let swap = NewSwap { offer: Some(FromOffer::Ours(offer(number).id)), ..new_swap(number) };
                return store.insert_agreed(SecretHash::from_bytes(bytes(number)), swap).await.map(|_| ());
            }
            2 => return store.set_peer_signature(id, vec![2; 65]).await,
            3 => store.commit_step(id, step_of(&["agreed"], &["beta/fund"])).await,
            4 => store.commit_step(id, step_of(&["fund_intent", "note"], &["beta/fund", "beta/watch"])).await,
            5 => return journaled(store, store.record(&tx(number, Purpose::Fund)).await),
            6 => return journaled(store, store.settle(Ledger::Bitcoin, tx(number, Purpose::Fund).txid, mined()).await),
            7 => store.commit_step(id, step_of(&["secret"], &["alpha/redeem"])).await,
            8 => return journaled(store, store.record(&tx(number, Purpose::Redeem)).await),
            9 => return journaled(store, store.settle(Ledger::Bitcoin, tx(number, Purpose::Redeem).txid, mined()).await),
            10 => store.commit_step(id, step_of(&["seen"], &[])).await,
            _ => store.commit_step(id, StepRows { end: Some("completed".to_owned()), ..step_of(&["ended"], &[]) }).await,
        };
        written.map(|_| ())
    }

    async fn write_calls(self, store: &Store, number: u32, step: usize) -> Result<(), StoreError> {
        let payment = NewSend {
            id: LockId::from_bytes(bytes(number)),
            asset: Asset::Native(Ledger::Litecoin),
            amount: Amount::from_units(5),
            to: "rltc1q".to_owned(),
        };
        let answer = |status| StoredAnswer { request_hash: bytes(number), status, body: self.long("answer") };
        let (key, hook, peer) = (format!("key-{number}"), Hash32::from_bytes(bytes(number)), peer(number));
        match step {
            0 => store.store_answer(key, answer(0)).await,
            1 => store.insert_send(payment).await,
            2 => store.set_send_state(payment.id, SendState::Sent, None).await,
            3 => store.store_answer(key, answer(201)).await,
            4 => {
                let (url, secret) = ("http://127.0.0.1:1/".to_owned(), String::from("whsec").into());
                store.insert_webhook(NewWebhook { id: hook, url, kinds: String::new(), secret }).await
            }
            5 => store.set_webhook(hook, 2).await,
            6 => store.webhook_took(hook, 2, 3).await,
            7 => store.webhook_failed(hook, "503".to_owned()).await,
            8 => store.webhook_took(hook, 3, 6).await,
            9 => store.name_peer(peer, "a:1".to_owned(), format!("peer {number}")).await,
            10 => store.saw_peer(peer, "a:2".to_owned()).await,
            11 => store.append_event(self.event(step)).await.map(|_| ()),
            12 => store.set_send_state(payment.id, SendState::Done, None).await,
            _ => store.forget_peer(peer).await.map(|_| ()),
        }
    }

    fn event(self, step: usize) -> NewEvent {
        NewEvent { kind: format!("{self:?}"), swap: None, body: format!("{{\"step\":{step}}}") }
    }

    /// More than a sector, so that a row may be torn.
    fn long(self, what: &str) -> String {
        format!("\"{}\"", format!("{self:?} {what} ").repeat(120))
    }

    /// All that is there of it, times aside.
    pub(super) async fn content(self, store: &Store) -> Result<String, StoreError> {
        let own = match self {
            Lane::First => String::new(),
            Lane::Swap(number) => swap_content(store, number).await?,
            Lane::Calls(number) => calls_content(store, number).await?,
        };
        let kind = format!("{self:?}");
        let events = all_events(store).await?.into_iter().filter(|event| event.kind == kind);
        let events: Vec<String> = events.map(|event| event.body).collect();
        Ok(format!("{own} {events:?}"))
    }
}

async fn swap_content(store: &Store, number: u32) -> Result<String, StoreError> {
    let swap = store.swap(swap_id(number)).await?.map(|record| {
        let facts: Vec<_> = record.facts.into_iter().map(|fact| (fact.kind, fact.body)).collect();
        let outbox: Vec<_> = record.outbox.into_iter().map(|effect| (effect.key, effect.body)).collect();
        let swap = record.swap;
        (swap.terms, swap.own_signature, swap.peer_signature, swap.offer, swap.ended.map(|end| end.outcome), facts, outbox)
    });
    let offer = store.offer(offer(number).id).await?.map(|offer| (offer.state, offer.body));
    let mut journal = Vec::new();
    for purpose in [Purpose::Fund, Purpose::Redeem] {
        journal.extend(store.of_intent(&tx(number, purpose).intent).await.map_err(|_| StoreError::Unreadable("transaction"))?);
    }
    let ends = store.transactions_of(LockId::from_bytes(bytes(number))).await?;
    let ends: Vec<_> = ends.into_iter().map(|row| row.ended.map(|end| end.settlement)).collect();
    let raw: Vec<_> = journal.into_iter().map(|tx| (tx.txid, tx.raw)).collect();
    let hash = SecretHash::from_bytes(bytes(number));
    let is_used = store.read(move |read| {
        let sql = "SELECT count(*) FROM hashlocks WHERE hash = ?1";
        Ok(read.conn.query_row(sql, [hash.as_bytes()], |row| row.get::<_, u32>(0))?)
    });
    Ok(format!("{swap:?} {offer:?} {raw:?} {ends:?} {}", is_used.await?))
}

async fn calls_content(store: &Store, number: u32) -> Result<String, StoreError> {
    let answer = store.stored_answer(format!("key-{number}")).await?;
    let payment = store.send(LockId::from_bytes(bytes(number))).await?.map(|row| (row.send, row.state));
    let hook = store.webhook(Hash32::from_bytes(bytes(number))).await?.map(|(row, secret)| {
        // It began at the newest event, which is another one each time.
        (row.url, row.delivered.min(FIRST_EVENTS), row.failures, row.trouble, secret.len())
    });
    let peer = store.peer(peer(number)).await?.map(|peer| (peer.endpoint, peer.alias, peer.last_seen.is_some()));
    Ok(format!("{answer:?} {payment:?} {hook:?} {peer:?}"))
}

pub(super) async fn all_events(store: &Store) -> Result<Vec<StoredEvent>, StoreError> {
    let page = store.events_after(0, 400).await?;
    assert!(page.events.len() < 400, "all on one page");
    Ok(page.events)
}

fn offer(number: u32) -> NewOffer {
    let (id, valid_until) = (OfferId::from_bytes(bytes(number)), UnixTime::from_secs(1 << 40));
    NewOffer { id, body: r#"{"give":"BTC"}"#.to_owned(), valid_until }
}

fn peer(number: u32) -> Address {
    Address::from_bytes(bytes(number)[..20].try_into().unwrap())
}

fn tx(number: u32, purpose: Purpose) -> SignedTx {
    SignedTx {
        intent: IntentKey::new(purpose, LockId::from_bytes(bytes(number))),
        ledger: Ledger::Bitcoin,
        txid: TxId::from_bytes(bytes(number * 16 + purpose as u32)),
        raw: vec![0xee; 700],
        nonce: None,
        inputs: vec![format!("{}:1", "ab".repeat(32))],
        fee: Amount::from_units(1_000),
    }
}

fn mined() -> Settlement {
    let at = BlockRef { height: BlockHeight::new(7), hash: Hash32::from_bytes([7; 32]) };
    Settlement::Mined { at, fee: Amount::from_units(900), succeeded: true }
}

fn journaled(store: &Store, result: Result<(), photon_chains::JournalError>) -> Result<(), StoreError> {
    result.map_err(|_| store.failure().unwrap_or(StoreError::Closed))
}

/// What every lane looks like after each of its writes, the first entry before any.
pub(super) async fn all_contents(lanes: &[Lane]) -> Vec<Vec<String>> {
    let folder = fast_folder();
    let store = Store::open(&folder.path().join("photon.db"), KEY).unwrap();
    let mut contents = Vec::new();
    for lane in lanes {
        let mut of_lane = vec![lane.content(&store).await.unwrap()];
        for step in 0..lane.writes() {
            lane.write(&store, step).await.unwrap();
            of_lane.push(lane.content(&store).await.unwrap());
        }
        let distinct: std::collections::HashSet<_> = of_lane.iter().collect();
        assert_eq!(distinct.len(), of_lane.len(), "{lane:?}: each write can be told from the others");
        contents.push(of_lane);
    }
    store.close().await.unwrap();
    contents
}

/// In memory where there is such a folder: what is on a disk is worked out from what is asked of it, not from what it does.
pub(super) fn fast_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// How far everything had come when the power failed.
pub(super) struct Progress {
    pub(super) begun: Vec<usize>,
    pub(super) answered: Vec<usize>,
    pub(super) told: u64,
}

impl Progress {
    pub(super) fn at(log: &Log, end: usize, lanes: usize) -> Self {
        let mut progress = Self { begun: vec![0; lanes], answered: vec![0; lanes], told: 0 };
        for op in &log.ops[..end] {
            match op {
                Op::Note(Note::Begun(lane)) => progress.begun[*lane] += 1,
                Op::Note(Note::Answered(lane)) => progress.answered[*lane] += 1,
                Op::Note(Note::Told(seq)) => progress.told = progress.told.max(*seq),
                Op::Write { .. } | Op::Resize { .. } | Op::Sync { .. } | Op::SyncFolder | Op::Name(_) => {}
            }
        }
        progress
    }
}
