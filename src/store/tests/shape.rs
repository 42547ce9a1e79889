//! Work must not grow with what is over: judged by SQLite's own plan and step counts, never by time.

use super::*;
use rusqlite::{Params, StatementStatus};

/// How SQLite means to run a query, and how many steps of its machine it took.
fn plan_and_steps(conn: &rusqlite::Connection, sql: &str, params: impl Params + Clone) -> (String, i32) {
    let mut explained = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = explained.query_map(params.clone(), |row| row.get::<_, String>("detail")).unwrap();
    let plan = lines.map(Result::unwrap).collect::<Vec<_>>().join("\n");
    let mut query = conn.prepare(sql).unwrap();
    let mut rows = query.query(params).unwrap();
    while rows.next().unwrap().is_some() {}
    drop(rows);
    (plan, query.get_status(StatementStatus::VmStep))
}

async fn measure(store: &Store, sql: &'static str, params: impl Params + Clone + Send + 'static) -> (String, i32) {
    store.read(move |read| Ok(plan_and_steps(read.conn, sql, params))).await.unwrap()
}

/// Rows written in bulk, as years of use would have.
async fn fill(store: &Store, sql: &'static str) {
    let filled = store.write(move |write| {
        write.conn.execute_batch(sql)?;
        Ok(())
    });
    filled.await.unwrap();
}

const ENDED_SWAPS: &str = "
    WITH RECURSIVE many(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM many WHERE i < 10999)
    INSERT INTO hashlocks SELECT unhex(printf('%064d', i)), 0 FROM many;
    INSERT INTO swaps(id, role, secret_hash, peer, peer_endpoint, terms, own_signature, salt, alpha_since, beta_since, created_at,
                      ended_at, outcome)
        SELECT hash, 'initiator', hash, zeroblob(20), '', '{}', x'', zeroblob(16), 0, 0, 0, 1, 'completed'
        FROM hashlocks WHERE reserved_at = 0;
    INSERT INTO facts(swap, at, kind, digest, body)
        SELECT n, 0, 'k' || value, zeroblob(32), '{}' FROM swaps, json_each('[1,2,3,4,5]') WHERE outcome IS NOT NULL;";

#[tokio::test]
async fn taking_up_live_swaps_costs_the_same_with_ten_thousand_ended_ones() {
    let world = World::new();
    for number in 0..3 {
        let id = world.add_swap(number).await;
        let step = StepRows { facts: vec![fact("a", "1"), fact("b", "2")], effects: vec![effect("e")], ..StepRows::default() };
        world.store.commit_step(id, step).await.unwrap();
    }
    let queries = [facts::LIVE_SWAPS, facts::LIVE_FACTS, facts::LIVE_OUTBOX];
    let mut before = Vec::new();
    for sql in queries {
        before.push(measure(&world.store, sql, []).await.1);
    }
    fill(&world.store, ENDED_SWAPS).await;
    let page = world.store.list_swaps(SwapFilter::Ended, None, 500).await.unwrap();
    assert_eq!((page.items.len(), page.next.is_some()), (500, true), "they are there");
    for (sql, steps_before) in queries.into_iter().zip(before) {
        let (plan, steps) = measure(&world.store, sql, []).await;
        // Finding the end of an index may take a step more or less.
        assert!(steps <= steps_before + 10, "{steps} steps, {steps_before} before\n{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
    let (plan, _) = measure(&world.store, facts::LIVE_SWAPS, []).await;
    assert!(plan.contains("USING INDEX swaps_live"), "{plan}");
    let (plan, _) = measure(&world.store, facts::LIVE_FACTS, []).await;
    assert!(plan.contains("swaps_live") && plan.contains("SEARCH f USING INDEX facts_in_order (swap=?)"), "{plan}");
    let live = world.store.live_swaps().await.unwrap();
    assert_eq!(live.iter().map(|record| (record.facts.len(), record.outbox.len())).collect::<Vec<_>>(), [(2, 1); 3]);
}

#[tokio::test]
async fn a_page_of_a_long_list_costs_a_page() {
    let world = World::new();
    fill(&world.store, ENDED_SWAPS).await;
    for number in 0..3 {
        world.add_swap(number).await;
    }
    for filter in [SwapFilter::All, SwapFilter::Live, SwapFilter::Ended] {
        let (plan, steps) = measure(&world.store, swaps::list_sql(filter), (5_000, 3)).await;
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        assert!(steps < 500, "{filter:?}: {steps} steps\n{plan}");
    }
    let (plan, steps) = measure(&world.store, swaps::REFUNDED_SINCE, ([0u8; 20], 0, 5)).await;
    assert!(plan.contains("swaps_refunded") && steps < 200, "{steps} steps\n{plan}");
    let (plan, _) = measure(&world.store, offers::OPEN_OFFERS, [0]).await;
    assert!(plan.contains("offers_open") && !plan.contains("TEMP B-TREE"), "{plan}");
    let (plan, _) = measure(&world.store, sends::UNFINISHED, []).await;
    assert!(plan.contains("sends_unfinished") && !plan.contains("TEMP B-TREE"), "{plan}");
}

const ENDED_PAYMENTS: &str = "
    WITH RECURSIVE many(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM many WHERE i < 99999)
    INSERT INTO payments(ledger, incoming, id, channel, amount, fee, hash, created_at, ended_at)
        SELECT 'smt', i % 2, unhex(printf('%032d', i)), zeroblob(32), '1', '0', unhex(printf('%064d', i)), 0, 0 FROM many;";

#[tokio::test]
async fn payments_cost_the_same_with_a_hundred_thousand_of_them() {
    let world = World::new();
    fill(&world.store, ENDED_PAYMENTS).await;
    let (plan, steps) = measure(&world.store, channels::ENDED, (50_000, 3)).await;
    assert!(!plan.contains("TEMP B-TREE") && steps < 200, "{steps} steps\n{plan}");
    let (plan, steps) = measure(&world.store, channels::MADE, ("smt", [0u8; 16])).await;
    assert!(plan.contains("payments_made") && steps < 100, "{steps} steps\n{plan}");
    let (plan, steps) = measure(&world.store, channels::RECEIVED_FOR, [[0u8; 32]]).await;
    assert!(plan.contains("payments_of_request") && steps < 100, "{steps} steps\n{plan}");
    let (plan, steps) = measure(&world.store, channels::LIVE, ["smt"]).await;
    assert!(!plan.contains("TEMP B-TREE") && steps < 100, "{steps} steps\n{plan}");
}

const SETTLED_TRANSACTIONS: &str = "
    WITH RECURSIVE many(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM many WHERE i < 99999)
    INSERT INTO transactions(intent, ledger, txid, raw, account, nonce, inputs, fee, made_at, settled_at, ending)
        SELECT 'fund/' || printf('%064d', i / 2), 'ethereum', unhex(printf('%064d', i)), x'', zeroblob(20), i, '[]', '1', 0, 1, 'replaced'
        FROM many;
    INSERT INTO transactions(intent, ledger, txid, raw, account, nonce, inputs, fee, made_at)
        SELECT intent, 'smt', txid, raw, account, nonce, inputs, fee, made_at FROM transactions WHERE nonce < 4;";

#[tokio::test]
async fn the_journal_is_cheap_with_a_hundred_thousand_transactions() {
    let world = World::new();
    fill(&world.store, SETTLED_TRANSACTIONS).await;
    let (plan, steps) = measure(&world.store, journal::UNSETTLED, ["smt"]).await;
    assert!(plan.contains("transactions_unsettled") && !plan.contains("TEMP B-TREE"), "{plan}");
    assert!(steps < 500, "{steps} steps\n{plan}");
    let (plan, steps) = measure(&world.store, journal::HIGHEST_NONCE, ("ethereum", [0u8; 20])).await;
    assert!(plan.contains("transactions_by_nonce"), "{plan}");
    assert!(steps < 100, "{steps} steps\n{plan}");
    let intent = format!("fund/{:064}", 7);
    let (plan, steps) = measure(&world.store, journal::OF_INTENT, [intent.clone()]).await;
    assert!(steps < 500, "{steps} steps\n{plan}");
    let intents = [intent, "b".into(), "c".into(), "d".into(), "e".into(), "f".into()];
    let (plan, steps) = measure(&world.store, journal::OF_SUBJECT, intents).await;
    assert!(plan.contains("transactions_by_intent") && steps < 1000, "{steps} steps\n{plan}");
}
