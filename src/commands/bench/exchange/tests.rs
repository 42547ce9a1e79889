//! What a maker promises to many at once.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::client::Signer;
use super::world::{FEES_WEI, GIVE_WEI, Setup, World, begin};
use crate::commands::bench::wallet;
use crate::keys::{self, Signature};
use crate::service::{Draining, NewApproval, Service, ServiceError, StatementQuery, SwapView};
use crate::store::SwapFilter;
use futures::future::join_all;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// One taker's whole way to a swap, or why there is none.
async fn swap(world: &World, taker: &Signer) -> Result<String, ServiceError> {
    let quote = world.node.quote(Signer::quote(GIVE_WEI)).await?;
    let proposal = world.node.propose(taker.take(&quote.id).unwrap()).await?;
    let acceptance = taker.accept(&proposal);
    // Said twice at once: one swap, and the same answer or a wish to be asked again.
    let (first, second) = tokio::join!(world.node.accept(acceptance.clone()), world.node.accept(acceptance.clone()));
    match (first, second) {
        (Err(first), Err(second)) => Err(if matches!(first, ServiceError::Unavailable(_)) { second } else { first }),
        (Ok(_), Ok(_)) | (Ok(_), Err(_)) | (Err(_), Ok(_)) => {
            assert_eq!(world.node.accept(acceptance).await.unwrap().swap, proposal.swap);
            Ok(proposal.swap)
        }
    }
}

/// G4, G6: of any number of takers at once only as many get a swap as there is money for, and what ends is free again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_takers_at_once_never_get_more_than_there_is() {
    const THERE: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), wallet().unwrap(), THERE as u64, Setup::default()).await.unwrap();
    let takers: Vec<Signer> = (0..10).map(|_| Signer::new().unwrap()).collect();
    let tries = (0..90).map(|number| swap(&world, &takers[number % takers.len()]));
    let got: Vec<String> = join_all(tries).await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(got.len(), THERE, "all that there is, and no more");
    let rows = world.store.list_swaps(SwapFilter::Live, None, 200).await.unwrap();
    assert_eq!(rows.items.len(), THERE);
    let held = world.node.held_for_test().await;
    assert!(held <= THERE as u128 * (GIVE_WEI + FEES_WEI), "{held}");
    assert!(swap(&world, &takers[0]).await.is_err());

    // One of them is over: room for one, not for two.
    world.node.forget_for_test(&got[0]);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let again = join_all((0..8).map(|number| swap(&world, &takers[number]))).await;
    assert_eq!(again.iter().filter(|tried| tried.is_ok()).count(), 1);
}

/// G4: quotes and proposals without number tie up nothing.
#[tokio::test]
async fn quotes_and_proposals_reserve_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), wallet().unwrap(), 1, Setup::default()).await.unwrap();
    let (idle, serious) = (Signer::new().unwrap(), Signer::new().unwrap());
    for _ in 0..40 {
        let quote = world.node.quote(Signer::quote(GIVE_WEI)).await.unwrap();
        world.node.propose(idle.take(&quote.id).unwrap()).await.unwrap();
    }
    assert_eq!(world.node.held_for_test().await, 0);
    assert!(swap(&world, &serious).await.is_ok());
    // What is gone is not even proposed any more.
    let quote = world.node.quote(Signer::quote(GIVE_WEI)).await.unwrap();
    assert!(world.node.propose(idle.take(&quote.id).unwrap()).await.is_err());
}

/// What a kill in the middle of an agreement leaves: a swap that is written down beside the database, and not in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_that_was_cut_off_while_it_was_agreed_holds_no_money_and_its_taker_is_told() {
    let (folder, taker) = (tempfile::tempdir().unwrap(), Signer::new().unwrap());
    let (setup, seed) = (Setup::default(), crate::keys::SeedWords::generate().unwrap());
    let wallet = || crate::keys::Wallet::new(&seed, photon_chains::Network::Mainnet).unwrap();
    let world = begin(folder.path(), wallet(), 1, setup).await.unwrap();
    let quote = world.node.quote(Signer::quote(GIVE_WEI)).await.unwrap();
    let acceptance = taker.accept(&world.node.propose(taker.take(&quote.id).unwrap()).await.unwrap());
    let agreed = world.node.accept(acceptance.clone()).await.unwrap();
    drop(world);

    let other = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("photon.db.recovery"), other.path().join("photon.db.recovery")).unwrap();
    let world = begin(other.path(), wallet(), 1, setup).await.unwrap();
    assert!(world.node.swap(&agreed.swap).await.is_ok(), "it is taken up again");
    for _ in 0..2 {
        let Err(ServiceError::Refused(why)) = world.node.accept(acceptance.clone()).await else { panic!("it was agreed to") };
        assert!(why.contains("don't pay in"), "{why}");
    }
    assert!(swap(&world, &taker).await.is_ok(), "there is money for one, and it is free");
    assert!(swap(&world, &taker).await.is_err());
}

/// A signature of somebody else, or on something else, agrees to nothing.
#[tokio::test]
async fn only_the_takers_own_signature_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), wallet().unwrap(), 5, Setup::default()).await.unwrap();
    let (alice, mallory) = (Signer::new().unwrap(), Signer::new().unwrap());
    let quote = world.node.quote(Signer::quote(GIVE_WEI)).await.unwrap();
    let forged =
        crate::service::NewProposal { signature: mallory.take(&quote.id).unwrap().signature, ..alice.take(&quote.id).unwrap() };
    assert!(matches!(world.node.propose(forged).await, Err(ServiceError::Refused(_))));
    let proposal = world.node.propose(alice.take(&quote.id).unwrap()).await.unwrap();
    assert!(matches!(world.node.accept(mallory.accept(&proposal)).await, Err(ServiceError::Refused(_))));
    assert!(world.node.accept(alice.accept(&proposal)).await.is_ok());
    assert!(matches!(world.node.accept(mallory.accept(&proposal)).await, Err(ServiceError::Refused(_))));
}

/// Looks at a swap until it is so.
async fn until(world: &World, id: &str, what: impl Fn(&SwapView) -> bool) -> SwapView {
    for _ in 0..1200 {
        let swap = world.node.swap(id).await.unwrap();
        if what(&swap) {
            return swap;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came to that: {:?}", world.node.swap(id).await.unwrap());
}

fn funds(swap: &SwapView) -> bool {
    swap.facts.iter().any(|fact| fact.fact == "fund_intent")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_ours_is_locked_before_somebody_has_said_yes() {
    let folder = tempfile::tempdir().unwrap();
    let (taker, setup) = (Signer::new().unwrap(), Setup { asks: true, is_paid_in: true });
    let world = begin(folder.path(), wallet().unwrap(), 5, setup).await.unwrap();
    let (yes, no) = (swap(&world, &taker).await.unwrap(), swap(&world, &taker).await.unwrap());
    for id in [&yes, &no] {
        let waiting = until(&world, id, |swap| swap.phase == "alpha_funded").await;
        assert_eq!(waiting.approval.as_deref(), Some("asked"));
    }
    let asked = world.node.events_after(0, 500).await.unwrap();
    let asked =
        |id: &str| asked.iter().any(|event| event.kind == "approval" && event.subject == id && event.data["state"] == "asked");
    assert!(asked(&yes) && asked(&no));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!funds(&world.node.swap(&yes).await.unwrap()));
    let denied = world.node.approve(&no, NewApproval { approve: false }).await.unwrap();
    assert_eq!(denied.approval.as_deref(), Some("denied"));
    assert!(matches!(world.node.approve(&no, NewApproval { approve: true }).await, Err(ServiceError::Conflict(_))));
    for _ in 0..2 {
        world.node.approve(&yes, NewApproval { approve: true }).await.unwrap();
    }
    until(&world, &yes, funds).await;
    // Nobody's no is forgotten by a restart.
    world.store.close().await.unwrap();
    drop(world);
    let world = begin(folder.path(), wallet().unwrap(), 5, setup).await.unwrap();
    let still = until(&world, &no, |swap| swap.phase == "alpha_funded").await;
    assert!(still.approval.as_deref() == Some("denied") && !funds(&still));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!funds(&world.node.swap(&no).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_that_wish_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { asks: false, is_paid_in: true };
    let world = begin(folder.path(), wallet().unwrap(), 1, setup).await.unwrap();
    let id = swap(&world, &Signer::new().unwrap()).await.unwrap();
    assert_eq!(until(&world, &id, funds).await.approval, None);
}

#[tokio::test]
async fn a_node_that_drains_begins_nothing_new_and_keeps_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), wallet().unwrap(), 5, Setup::default()).await.unwrap();
    let taker = Signer::new().unwrap();
    let id = swap(&world, &taker).await.unwrap();
    let quote = world.node.quote(Signer::quote(GIVE_WEI)).await.unwrap();
    let proposal = world.node.propose(taker.take(&quote.id).unwrap()).await.unwrap();
    let health = world.node.drain(Draining { draining: true }).await.unwrap();
    assert!(health.draining && !health.ready && health.live_swaps == 1);
    assert!(world.node.quote(Signer::quote(GIVE_WEI)).await.is_err());
    assert!(world.node.accept(taker.accept(&proposal)).await.is_err());
    assert!(world.node.swap(&id).await.unwrap().outcome.is_none());
    assert!(!world.node.drain(Draining { draining: false }).await.unwrap().draining);
    assert!(world.node.accept(taker.accept(&proposal)).await.is_ok());
}

#[tokio::test]
async fn a_taker_with_keys_of_its_own_is_told_what_to_pay() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), wallet().unwrap(), 5, Setup::default()).await.unwrap();
    let taker = Signer::new().unwrap();
    let id = swap(&world, &taker).await.unwrap();
    let payment = world.node.payment(&id).await.unwrap();
    let address = payment.address.unwrap();
    assert_eq!(payment.uri, format!("bitcoin:{address}?amount={}", payment.pay.coins.unwrap()));
    assert!(payment.qr_svg.contains("<svg") && payment.call.is_none() && payment.pay_until < payment.refund_from);
    assert!(matches!(world.node.payment(&"22".repeat(32)).await, Err(ServiceError::NotFound(_))));
    // One who has paid is not asked again.
    drop(world);
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), wallet().unwrap(), 5, Setup { asks: false, is_paid_in: true }).await.unwrap();
    let id = swap(&world, &taker).await.unwrap();
    until(&world, &id, funds).await;
    assert!(matches!(world.node.payment(&id).await, Err(ServiceError::Conflict(_))));
}

#[tokio::test]
async fn receipts_are_signed_and_statements_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (wallet, us) = (wallet().unwrap(), wallet().unwrap().identity_address());
    let store = crate::store::Store::open(&folder.path().join("photon.db"), *wallet.storage_key().expose()).unwrap();
    crate::commands::bench::swaps::write(&store, us, 0..8, true).await.unwrap();
    store.close().await.unwrap();
    let world = begin(folder.path(), wallet, 1, Setup::default()).await.unwrap();
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let query = StatementQuery { limit: Some(3), after, ..StatementQuery::default() };
        let page = world.node.statement(query).await.unwrap();
        lines.extend(page.lines);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(lines.len(), 8);
    let ended = lines[0].ended_at.secs();
    let before = StatementQuery { until: Some(ended), ..StatementQuery::default() };
    assert!(world.node.statement(before).await.unwrap().lines.is_empty());
    let receipt = world.node.receipt(&lines[0].swap).await.unwrap();
    let digest = |text: &str| Sha256::digest([b"photon receipt 1\n", text.as_bytes()].concat()).into();
    let signature = Signature::from_bytes(hex::decode(&receipt.signature).unwrap().try_into().unwrap());
    assert!(keys::verify(us, &digest(&receipt.receipt), &signature).is_ok() && receipt.signer == us);
    assert!(keys::verify(us, &digest(&format!("{} ", receipt.receipt)), &signature).is_err());
    let said: serde_json::Value = serde_json::from_str(&receipt.receipt).unwrap();
    assert!(said["swap"] == lines[0].swap && said["outcome"] == "completed" && said["gave"]["amount"] == "2000000");
    assert!(matches!(world.node.receipt(&"11".repeat(32)).await, Err(ServiceError::NotFound(_))));
}
