//! The disk is broken, and the seed is left: with the counterparty, or with a backup, every unit comes home.

use super::*;
use photon_channel::Standing;

async fn is_gone(chain: &Chain, id: ChannelId) {
    until(chain, "the channel is closed, and its money paid out", async || chain.slot(&id).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_counterparty_it_comes_back_and_both_sign_its_end() {
    let chain = Chain::new();
    let (mut alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    assert_eq!(alice.pay(&bob, 30).await, Outcome::Paid(None));
    assert_eq!(bob.pay(&alice, 5).await, Outcome::Paid(None));
    alice.kill().await;
    alice.lose().await;
    alice.start().await;
    alice.meet(&bob).await;
    bob.meet(&alice).await;
    until(&chain, "she has found it again", async || {
        let view = alice.channels().show(LEDGER, id).await.unwrap();
        view.is_some_and(|view| view.standing != Standing::Active) || chain.slot(&id).is_none()
    })
    .await;
    is_gone(&chain, id).await;
    assert_eq!(chain.coins(&alice.identity()), 1_000_000 - 25);
    assert_eq!(chain.coins(&bob.identity()), 1_000_000 + 25);
    // A new life of it has no history that anybody could have forgotten.
    until(&chain, "it is over for both", async || {
        let (here, there) = (alice.channels().show(LEDGER, id).await.unwrap(), bob.channels().show(LEDGER, id).await.unwrap());
        here.is_none() && there.is_none()
    })
    .await;
    assert_eq!(opened(&chain, &alice, &bob, 50).await, id);
    assert_eq!(alice.pay(&bob, 7).await, Outcome::Paid(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_backup_nobody_else_is_needed() {
    let chain = Chain::new();
    let (mut alice, mut bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("channels.backup");
    alice.backup = Some(backup.clone());
    alice.restart().await;
    let id = opened(&chain, &alice, &bob, 100).await;
    opened(&chain, &bob, &alice, 40).await;
    until(&chain, "both have put something in", async || alice.view(id).await.total == Units::from(140)).await;
    assert_eq!(alice.pay(&bob, 30).await, Outcome::Paid(None));
    assert_eq!(bob.pay(&alice, 5).await, Outcome::Paid(None));
    let written = std::fs::metadata(&backup).unwrap().modified().unwrap();
    until(&chain, "the backup is written anew", async || std::fs::metadata(&backup).unwrap().modified().unwrap() > written).await;
    let sealed = std::fs::read(&backup).unwrap();
    assert!(!sealed.windows(20).any(|bytes| bytes == bob.identity().as_bytes()), "it says nothing to others");
    bob.kill().await;
    alice.kill().await;
    alice.lose().await;
    alice.start().await;
    let view = alice.view(id).await;
    assert_eq!((view.standing, view.own, view.peers), (Standing::Behind, 75, 65));
    alice.channels().close(LEDGER, id, CloseHow::Alone).await.unwrap();
    is_gone(&chain, id).await;
    // She can prove what he paid. What she paid him only he could have shown, and he never came.
    assert_eq!(chain.coins(&alice.identity()), 1_000_000 + 5);
    assert_eq!(chain.coins(&bob.identity()), 1_000_000 - 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_another_seed_is_never_written_over() {
    let chain = Chain::new();
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("channels.backup");
    let mut alice = Party::new(&chain).await;
    alice.backup = Some(backup.clone());
    alice.restart().await;
    until(&chain, "there is a backup", async || backup.exists()).await;
    alice.kill().await;
    let before = std::fs::read(&backup).unwrap();
    let bob = Party::new(&chain).await;
    let refused = Channels::start(&bob.runs().store, Vec::new(), Some(backup.clone()), &mut JoinSet::new()).await;
    let said = refused.err().map(|error| format!("{error:#}")).unwrap();
    assert!(said.contains("of another seed"), "{said}");
    assert_eq!(std::fs::read(&backup).unwrap(), before);
}

// The disk with the backup was away for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_not_kept_up_brings_back_no_channel_that_has_ended() {
    let chain = Chain::new();
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("channels.backup");
    let (mut alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    alice.backup = Some(backup.clone());
    alice.restart().await;
    let id = opened(&chain, &alice, &bob, 100).await;
    let written = std::fs::metadata(&backup).unwrap().modified().unwrap();
    assert_eq!(alice.pay(&bob, 30).await, Outcome::Paid(None));
    until(&chain, "the backup is written anew", async || std::fs::metadata(&backup).unwrap().modified().unwrap() > written).await;
    let old = std::fs::read(&backup).unwrap();
    alice.channels().close(LEDGER, id, CloseHow::Together).await.unwrap();
    is_gone(&chain, id).await;
    until(&chain, "it is over for her", async || alice.channels().show(LEDGER, id).await.unwrap().is_none()).await;
    alice.kill().await;
    std::fs::write(&backup, old).unwrap();
    alice.start().await;
    assert!(alice.channels().show(LEDGER, id).await.unwrap().is_none());
}
