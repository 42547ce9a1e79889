use super::*;
use photon_chains::{Amount, BlockRef, Hash32, IntentKey, Journal, Ledger, LockId, Purpose, Settlement, SignedTx, TxId};

const ACCOUNT: Address = Address::from_bytes([5; 20]);

fn tx(number: u32, purpose: Purpose, ledger: Ledger, nonce: Option<u64>) -> SignedTx {
    SignedTx {
        intent: IntentKey::new(purpose, LockId::from_bytes([1; 32])),
        ledger,
        txid: TxId::from_bytes(bytes(number)),
        raw: vec![0xee; 200],
        nonce: nonce.map(|nonce| (ACCOUNT, nonce)),
        inputs: vec![format!("{}:1", "ab".repeat(32))],
        fee: Amount::from_units(u128::from(number) << 70),
    }
}

fn mined(height: u64) -> Settlement {
    let at = BlockRef { height: BlockHeight::new(height), hash: Hash32::from_bytes([7; 32]) };
    Settlement::Mined { at, fee: Amount::from_units(21_000), succeeded: true }
}

#[tokio::test]
async fn transactions_come_back_by_intent_and_until_they_are_settled() {
    let world = World::new();
    let fund = tx(1, Purpose::Fund, Ledger::Ethereum, Some(4));
    let bumped = tx(2, Purpose::Fund, Ledger::Ethereum, Some(4));
    let refund = tx(3, Purpose::Refund, Ledger::Ethereum, Some(5));
    let other = tx(1, Purpose::Fund, Ledger::Smt, None);
    for tx in [&fund, &bumped, &refund, &other, &fund] {
        world.store.record(tx).await.unwrap();
    }
    let world = world.reopened().await;
    let store = &world.store;
    assert_eq!(store.of_intent(&fund.intent).await.unwrap(), vec![fund.clone(), bumped.clone(), other.clone()]);
    assert_eq!(store.unsettled(Ledger::Ethereum).await.unwrap(), vec![fund.clone(), bumped.clone(), refund.clone()]);
    assert_eq!(store.unsettled(Ledger::Bitcoin).await.unwrap(), vec![]);
    store.settle(Ledger::Ethereum, bumped.txid, mined(9)).await.unwrap();
    store.settle(Ledger::Ethereum, fund.txid, Settlement::Replaced).await.unwrap();
    store.settle(Ledger::Ethereum, fund.txid, Settlement::Replaced).await.unwrap();
    assert_eq!(store.unsettled(Ledger::Ethereum).await.unwrap(), vec![refund.clone()]);
    assert_eq!(store.unsettled(Ledger::Smt).await.unwrap(), vec![other.clone()], "a txid is of one ledger");
    let rows = store.transactions_of(LockId::from_bytes([1; 32])).await.unwrap();
    let ends: Vec<_> = rows.iter().map(|row| (row.txid, row.ended.map(|end| end.settlement))).collect();
    let expected =
        [(fund.txid, Some(Settlement::Replaced)), (bumped.txid, Some(mined(9))), (refund.txid, None), (other.txid, None)];
    assert_eq!(ends, expected);
    assert_eq!((rows[1].fee, rows[1].nonce), (bumped.fee, bumped.nonce));
    assert_eq!(store.transactions_of(LockId::from_bytes([2; 32])).await.unwrap(), vec![]);
}

#[tokio::test]
async fn the_highest_nonce_counts_settled_ones_and_is_of_one_account_and_ledger() {
    let world = World::new();
    let store = &world.store;
    assert_eq!(store.highest_nonce(Ledger::Ethereum, ACCOUNT).await, Ok(None));
    for nonce in [0, 11, 9] {
        store.record(&tx(nonce, Purpose::Send, Ledger::Ethereum, Some(u64::from(nonce)))).await.unwrap();
    }
    store.settle(Ledger::Ethereum, TxId::from_bytes(bytes(11)), mined(1)).await.unwrap();
    assert_eq!(store.highest_nonce(Ledger::Ethereum, ACCOUNT).await, Ok(Some(11)));
    assert_eq!(store.highest_nonce(Ledger::Smt, ACCOUNT).await, Ok(None));
    assert_eq!(store.highest_nonce(Ledger::Ethereum, Address::from_bytes([6; 20])).await, Ok(None));
}

#[tokio::test]
async fn a_txid_of_another_intent_and_an_unknown_one_are_refused_without_harm() {
    let world = World::new();
    world.store.record(&tx(1, Purpose::Fund, Ledger::Bitcoin, None)).await.unwrap();
    assert!(world.store.record(&tx(1, Purpose::Refund, Ledger::Bitcoin, None)).await.is_err());
    assert!(world.store.settle(Ledger::Bitcoin, TxId::from_bytes(bytes(2)), Settlement::Replaced).await.is_err());
    let huge = tx(3, Purpose::Fund, Ledger::Ethereum, Some(u64::MAX));
    assert!(world.store.record(&huge).await.is_err(), "no account has such a nonce");
    assert_eq!(world.store.failure(), None);
    assert_eq!(world.store.unsettled(Ledger::Bitcoin).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_mined_after_a_deep_reorganisation_in_another_block_says_so() {
    let world = World::new();
    let redeem = tx(1, Purpose::Redeem, Ledger::Litecoin, None);
    world.store.record(&redeem).await.unwrap();
    world.store.settle(Ledger::Litecoin, redeem.txid, mined(5)).await.unwrap();
    world.store.settle(Ledger::Litecoin, redeem.txid, mined(6)).await.unwrap();
    let rows = world.store.transactions_of(LockId::from_bytes([1; 32])).await.unwrap();
    assert_eq!(rows[0].ended.map(|end| end.settlement), Some(mined(6)));
    assert_eq!(world.store.fees_paid(Ledger::Litecoin).await.unwrap(), Amount::from_units(21_000), "it paid once");
}

#[tokio::test]
async fn fees_are_summed_up_by_ledger_and_only_of_what_was_mined() {
    let world = World::new();
    for number in 1..=3 {
        world.store.record(&tx(number, Purpose::Fund, Ledger::Smt, None)).await.unwrap();
    }
    let settle = async |number, end| world.store.settle(Ledger::Smt, TxId::from_bytes(bytes(number)), end).await.unwrap();
    settle(1, mined(5)).await;
    settle(1, mined(5)).await;
    settle(2, Settlement::Replaced).await;
    settle(3, mined(6)).await;
    assert_eq!(world.store.fees_paid(Ledger::Smt).await.unwrap(), Amount::from_units(42_000));
    settle(3, Settlement::Replaced).await;
    assert_eq!(world.store.fees_paid(Ledger::Smt).await.unwrap(), Amount::from_units(21_000));
    assert_eq!(world.store.fees_paid(Ledger::Bitcoin).await.unwrap(), Amount::ZERO);
}
