//! Neighbours whose addresses have changed find each other by what is said on the local network; a stranger, or a lie, leads nowhere.

use super::*;
use crate::lan::Note;

fn said(who: &Party, at: &Party) -> Note {
    Note { name: who.identity().to_string(), at: vec![at.runs().net.local_addr().unwrap()] }
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_find_each_other_by_what_is_said_on_the_local_network() {
    let chain = Chain::new();
    let (mut alice, mut bob, mallory) = (Party::new(&chain).await, Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    // Each listens elsewhere now.
    alice.restart().await;
    bob.restart().await;
    let (says, notes) = mpsc::channel(8);
    let mut tasks = JoinSet::new();
    alice.channels().find_nearby(alice.runs().net.clone(), notes, &mut tasks);
    says.send(said(&mallory, &mallory)).await.unwrap();
    says.send(said(&bob, &mallory)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(alice.runs().net.connected(), [], "nobody is dialled who is no neighbour, or answers for one that it is not");
    assert!(!alice.view(id).await.is_ready);
    says.send(said(&bob, &bob)).await.unwrap();
    for _ in 0..600 {
        if alice.view(id).await.is_ready && bob.view(id).await.is_ready {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(alice.runs().net.connected(), [bob.identity()]);
    assert_eq!(alice.pay(&bob, 30).await, Outcome::Paid(None));
}
