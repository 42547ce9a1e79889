use super::*;
use photon_chains::{Amount, IntentKey, Journal, Ledger, LockId, Purpose, SignedTx, TxId};

fn holds(path: &Path, needle: &[u8]) -> bool {
    std::fs::read(path).is_ok_and(|file| file.windows(needle.len()).any(|window| window == needle))
}

#[tokio::test]
async fn no_secret_stands_in_the_files() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let secret = "5ec2e7".repeat(10);
    let body = format!(r#"{{"secret":"{secret}"}}"#);
    let raw = b"raw transaction with a preimage in it".repeat(3);
    let rows = vec![FactRow { is_secret: true, ..fact("secret", &body) }, fact("plain", r#""found in the open""#)];
    world.store.commit_step(id, facts_step(rows)).await.unwrap();
    let tx = SignedTx {
        intent: IntentKey::new(Purpose::Redeem, LockId::from_bytes([1; 32])),
        ledger: Ledger::Bitcoin,
        txid: TxId::from_bytes([2; 32]),
        raw: raw.clone(),
        nonce: None,
        inputs: vec![],
        fee: Amount::from_units(1),
    };
    world.store.record(&tx).await.unwrap();
    let files = ["", "-wal", "-shm"].map(|suffix| connect::beside(&world.path(), suffix));
    let found = |needle: &[u8]| files.iter().any(|path| holds(path, needle));
    let check = || {
        assert!(found(b"found in the open"), "the search itself works");
        assert!(!found(secret.as_bytes()) && !found(&raw) && !found(&KEY));
    };
    check();
    world.store.close().await.unwrap();
    check();
    let store = Store::open(&world.path(), KEY).unwrap();
    let record = store.swap(id).await.unwrap().unwrap();
    assert_eq!((record.facts[0].body.as_str(), record.facts[0].is_secret), (body.as_str(), true));
    assert_eq!(store.of_intent(&tx.intent).await.unwrap(), vec![tx]);
    assert!(!format!("{record:?}").contains(&secret));
}

#[tokio::test]
async fn the_same_secret_twice_is_one_fact() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let step = facts_step(vec![FactRow { is_secret: true, ..fact("secret", "\"s\"") }]);
    assert_eq!(world.store.commit_step(id, step.clone()).await.unwrap().new_facts, 1);
    assert_eq!(world.store.commit_step(id, step).await.unwrap().new_facts, 0);
}

#[tokio::test]
async fn a_sealed_fact_moved_to_another_swap_does_not_open() {
    let world = World::new();
    let (one, two) = (world.add_swap(1).await, world.add_swap(2).await);
    world.store.commit_step(one, facts_step(vec![FactRow { is_secret: true, ..fact("secret", "\"s\"") }])).await.unwrap();
    let moved = world.store.write(|write| {
        write.conn.execute("UPDATE facts SET swap = 2", [])?;
        Ok(())
    });
    moved.await.unwrap();
    assert_eq!(world.store.swap(two).await, Err(StoreError::Unreadable("fact")));
}
