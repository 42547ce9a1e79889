//! Keeps a connection with every neighbour whose address is known: whoever of the two notices first that there is none dials.

use super::peers::Neighbours;
use crate::peer::{PeerAddress, PeerNet};
use crate::store::Store;
use photon_chains::Address;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Between two looks at who is missing.
const PACE: Duration = Duration::from_secs(2);
/// So long one dial goes on, with growing pauses.
const PATIENCE: Duration = Duration::from_secs(60);
/// Dials at one time.
const AT_ONCE: usize = 16;

pub(super) async fn run(net: Arc<PeerNet>, store: Store, neighbours: Neighbours) -> anyhow::Result<()> {
    let (mut dials, mut dialled) = (JoinSet::new(), BTreeSet::new());
    loop {
        while let Some(done) = dials.try_join_next() {
            if let Ok(peer) = done {
                dialled.remove(&peer);
            }
        }
        let connected: BTreeSet<Address> = net.connected().into_iter().collect();
        for peer in neighbours.all() {
            if connected.contains(&peer) || dials.len() >= AT_ONCE || !dialled.insert(peer) {
                continue;
            }
            match address_of(&store, peer).await? {
                Some(address) => {
                    let net = net.clone();
                    dials.spawn(async move {
                        if let Err(error) = net.connect(&address, PATIENCE).await {
                            tracing::debug!(%peer, %error, "a neighbour is not reached");
                        }
                        peer
                    });
                }
                None => {
                    dialled.remove(&peer);
                }
            }
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Where it answered last, or where the owner said that it does.
async fn address_of(store: &Store, peer: Address) -> anyhow::Result<Option<PeerAddress>> {
    let row = store.peer(peer).await?;
    Ok(row.and_then(|row| format!("{peer}@{}", row.endpoint).parse().ok()))
}
