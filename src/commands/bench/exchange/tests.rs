//! What a maker promises to many at once.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::client::Signer;
use super::world::{FEES_WEI, GIVE_WEI, World, begin};
use crate::commands::bench::wallet;
use crate::service::{Service, ServiceError};
use crate::store::SwapFilter;
use futures::future::join_all;

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
    let world = begin(folder.path(), wallet().unwrap(), THERE as u64).await.unwrap();
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
    let world = begin(folder.path(), wallet().unwrap(), 1).await.unwrap();
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

/// A signature of somebody else, or on something else, agrees to nothing.
#[tokio::test]
async fn only_the_takers_own_signature_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let world = begin(folder.path(), wallet().unwrap(), 5).await.unwrap();
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
