//! Every write that a swap makes, from its first to its last, fails once. (THREATS F7, F15)

use super::poison::{hold_the_writer, until_queued};
use super::*;
use photon_chains::{
    Amount, BlockRef, Hash32, IntentKey, Journal, JournalError, Ledger, LockId, Purpose, Settlement, SignedTx, TxId,
};

/// How many writes the swap of this story makes.
const WRITES: u32 = 12;

fn tx(purpose: Purpose) -> SignedTx {
    SignedTx {
        intent: IntentKey::new(purpose, LockId::from_bytes([1; 32])),
        ledger: Ledger::Bitcoin,
        txid: TxId::from_bytes(bytes(purpose as u32)),
        raw: vec![0xee; 200],
        nonce: None,
        inputs: vec![format!("{}:1", "ab".repeat(32))],
        fee: Amount::from_units(1_000),
    }
}

fn mined() -> Settlement {
    let at = BlockRef { height: BlockHeight::new(7), hash: Hash32::from_bytes([7; 32]) };
    Settlement::Mined { at, fee: Amount::from_units(900), succeeded: true }
}

fn journaled(result: Result<(), JournalError>, store: &Store) -> Result<(), StoreError> {
    result.map_err(|_| store.failure().unwrap_or(StoreError::Closed))
}

/// One of the writes, in the order in which a swap makes them.
async fn write(store: &Store, number: u32) -> Result<(), StoreError> {
    let step = |facts: &[&str], effects: &[&str]| StepRows {
        facts: facts.iter().map(|kind| FactRow { is_secret: *kind == "secret", ..fact(kind, "{}") }).collect(),
        effects: effects.iter().map(|key| effect(key)).collect(),
        is_all_wanted: true,
        ..StepRows::default()
    };
    let id = swap_id(1);
    match number {
        0 => store.insert_agreed(SecretHash::from_bytes(bytes(1)), new_swap(1)).await.map(|_| ()),
        1 => store.set_peer_signature(id, vec![2; 65]).await,
        2 => store.commit_step(id, step(&["agreed"], &[])).await.map(|_| ()),
        3 => store.commit_step(id, step(&["fund_intent"], &["beta/fund"])).await.map(|_| ()),
        4 => journaled(store.record(&tx(Purpose::Fund)).await, store),
        5 => store.commit_step(id, step(&[], &[])).await.map(|_| ()),
        6 => journaled(store.settle(Ledger::Bitcoin, tx(Purpose::Fund).txid, mined()).await, store),
        7 => store.commit_step(id, step(&["secret"], &["alpha/redeem"])).await.map(|_| ()),
        8 => journaled(store.record(&tx(Purpose::Redeem)).await, store),
        9 => journaled(store.settle(Ledger::Bitcoin, tx(Purpose::Redeem).txid, mined()).await, store),
        10 => store.append_event(event("swap")).await.map(|_| ()),
        _ => store.commit_step(id, StepRows { end: Some("completed".to_owned()), ..step(&["ended"], &[]) }).await.map(|_| ()),
    }
}

/// All that the writes have left.
async fn content(store: &Store) -> String {
    let swap = store.swap(swap_id(1)).await.unwrap();
    let swap = swap.map(|record| {
        let facts: Vec<String> = record.facts.iter().map(|fact| fact.kind.clone()).collect();
        let outbox: Vec<String> = record.outbox.iter().map(|effect| effect.key.clone()).collect();
        let outcome = record.swap.ended.map(|end| end.outcome);
        (facts, outbox, record.swap.peer_signature, outcome)
    });
    let rows = store.transactions_of(LockId::from_bytes([1; 32])).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.txid, row.ended.as_ref().map(|end| end.settlement))).collect();
    let events = store.events_after(0, 100).await.unwrap().events.len();
    format!("{swap:?} {rows:?} {events}")
}

/// It stops at that write and says why, nothing is done on top of it, and who starts again finds all that was answered, nothing
/// that was not, and goes on to the same end.
#[tokio::test]
async fn whichever_write_of_a_swap_fails_all_stops_there_and_a_restart_goes_on() {
    let whole = World::new();
    for number in 0..WRITES {
        write(&whole.store, number).await.unwrap();
    }
    let end = content(&whole.store).await;
    for failing in 0..WRITES {
        let world = World::new();
        for number in 0..failing {
            write(&world.store, number).await.unwrap();
        }
        let before = content(&world.store).await;
        let release = hold_the_writer(&world.store).await;
        let store = world.store.clone();
        let innocent = tokio::spawn(async move { write(&store, failing).await });
        until_queued(&world.store, 1).await;
        // The commit that both share fails: a reference that leads nowhere is only looked at there.
        let store = world.store.clone();
        let guilty = tokio::spawn(async move {
            let broken = store.write(|write| {
                write.conn.execute_batch(
                    "PRAGMA defer_foreign_keys = ON; INSERT INTO outbox(swap, at, key, body) VALUES(999, 0, 'k', '{}')",
                )?;
                Ok(())
            });
            broken.await
        });
        until_queued(&world.store, 2).await;
        drop(release);
        let failed = innocent.await.unwrap().unwrap_err();
        assert!(matches!(failed, StoreError::Failed { .. }) && failed.to_string().len() > 20, "{failing}: {failed}");
        guilty.await.unwrap().unwrap_err();
        for number in failing..WRITES {
            assert_eq!(write(&world.store, number).await, Err(failed.clone()), "{number} on top of {failing}");
        }
        assert!(world.store.close().await.is_err());

        let store = Store::open(&world.path(), KEY).unwrap();
        assert_eq!(content(&store).await, before, "{failing}");
        // The recovery file may know more than was answered, never less.
        let lost = store.lost_swaps().await.unwrap().len();
        assert_eq!(lost, usize::from(failing == 0), "{failing}");
        if failing == 0 {
            continue;
        }
        for number in failing..WRITES {
            write(&store, number).await.unwrap();
        }
        assert_eq!(content(&store).await, end, "{failing}");
    }
}
