//! Neighbours on the local network: whoever has a channel with us is found there by multicast DNS, so that two reach each other
//! where there is no internet, under whatever addresses they have there.
//!
//! A node says which account it is and on which port it listens, and nothing else; off unless its owner wants it, since everybody
//! on that network hears it. What is heard is a hint and no more: it is used for those alone with whom there are channels, only
//! for addresses of a local network, and whoever answers there proves by the handshake who it is. A stranger is never dialled,
//! and nothing is stored: an address of this network is worth nothing on the next one.

mod mdns;

use crate::peer::{PeerAddress, PeerNet};
pub use mdns::Spot;
use photon_chains::Address;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Between two looks at who is missing.
const PACE: Duration = Duration::from_secs(2);
/// Who is on the same network answers at once.
const PATIENCE: Duration = Duration::from_secs(3);
/// Nodes that are remembered, and addresses of each.
const MOST_NODES: usize = 256;
const MOST_ADDRESSES: usize = 8;
/// Notes that wait; more of them only say the same again later.
const NOTES: usize = 64;

/// Somebody says that a node is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Who it says that it is.
    pub name: String,
    /// Where it says that it listens; nowhere: it has gone.
    pub at: Vec<SocketAddr>,
}

/// Where nodes were heard of.
#[derive(Debug, Default)]
struct Nearby(BTreeMap<Address, Vec<PeerAddress>>);

impl Nearby {
    /// Takes a note. Where there is no room, one of a stranger makes room for a neighbour.
    fn hear(&mut self, note: &Note, known: &BTreeSet<Address>) {
        let Ok(node) = note.name.parse::<Address>() else { return };
        let near = note.at.iter().filter(|at| is_near(at.ip())).filter_map(|at| PeerAddress::at(node, *at).ok());
        let near: Vec<PeerAddress> = near.take(MOST_ADDRESSES).collect();
        if near.is_empty() {
            self.0.remove(&node);
            return;
        }
        if self.0.len() >= MOST_NODES && !self.0.contains_key(&node) {
            let Some(stranger) = self.0.keys().find(|other| !known.contains(*other)).copied().filter(|_| known.contains(&node))
            else {
                return;
            };
            self.0.remove(&stranger);
        }
        self.0.insert(node, near);
    }
}

/// Whether an address can be one of a local network. What lies further off nobody is dialled for on a stranger's word.
fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        // Link-local ones are none without the name of an interface.
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback(),
    }
}

/// Announces this node from where it listens, and listens for others; what it hears comes out.
pub fn announce(spot: Spot, tasks: &mut JoinSet<anyhow::Result<()>>) -> mpsc::Receiver<Note> {
    let (out, notes) = mpsc::channel(NOTES);
    tasks.spawn(mdns::run(spot, out));
    notes
}

/// Connects with those of `known` who are heard of, as long as there is no connection with them.
pub async fn run(
    net: Arc<PeerNet>,
    known: impl Fn() -> Vec<Address> + Send,
    mut notes: mpsc::Receiver<Note>,
) -> anyhow::Result<()> {
    let mut nearby = Nearby::default();
    let (mut dials, mut dialled) = (JoinSet::new(), BTreeSet::new());
    let mut tick = tokio::time::interval(PACE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            note = notes.recv() => match note {
                Some(note) => nearby.hear(&note, &known().into_iter().collect()),
                // Nobody says anything any more: what was heard may still be so.
                None => {
                    tick.tick().await;
                }
            },
            Some(done) = dials.join_next(), if !dials.is_empty() => if let Ok(node) = done {
                dialled.remove(&node);
                continue;
            },
            _ = tick.tick() => {}
        }
        let connected: BTreeSet<Address> = net.connected().into_iter().collect();
        for node in known().into_iter().filter(|node| !connected.contains(node)) {
            let Some(near) = nearby.0.get(&node).cloned() else { continue };
            if dialled.insert(node) {
                dials.spawn(dial(net.clone(), node, near));
            }
        }
    }
}

/// One address after another.
async fn dial(net: Arc<PeerNet>, node: Address, near: Vec<PeerAddress>) -> Address {
    for address in near {
        match net.connect(&address, PATIENCE).await {
            Ok(()) => {
                tracing::info!(peer = %node, at = address.endpoint(), "found nearby");
                break;
            }
            Err(error) => tracing::debug!(peer = %node, at = address.endpoint(), %error, "not found where it was said to be"),
        }
    }
    node
}

#[cfg(test)]
mod tests;
