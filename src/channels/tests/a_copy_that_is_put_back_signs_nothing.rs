//! A copy of the database is old from the moment it is taken.

use super::*;
use photon_channel::Standing;

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_whose_memory_is_old_finds_out_before_it_signs() {
    let chain = Chain::new();
    let (mut alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    assert_eq!(alice.pay(&bob, 10).await, Outcome::Paid(None));
    let copy = alice.folder.path().join("copy.db");
    crate::store::back_up(&alice.database(), &copy).unwrap();
    assert_eq!(alice.pay(&bob, 20).await, Outcome::Paid(None));
    alice.kill().await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(alice.folder.path().join(format!("photon.db{suffix}")));
    }
    std::fs::copy(&copy, alice.database()).unwrap();
    alice.start().await;
    alice.meet(&bob).await;
    until(&chain, "the neighbour has shown what she said since", async || alice.view(id).await.standing == Standing::Behind)
        .await;
    let refused = alice.channels().pay(alice.payment(&bob, 1)).await;
    assert!(refused.is_err(), "nothing is signed in it any more: {refused:?}");
    assert_eq!(bob.balances(id).await, (30, 70), "and nothing that was signed is lost");
}
