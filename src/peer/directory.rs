//! Which peers we are connected with.

use super::connection::Connection;
use super::handshake::Role;
use photon_chains::Address;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// At most one connection in each direction: both may dial at one time, and neither has to know of the other's dial.
#[derive(Default)]
struct Both {
    dialled: Option<Arc<Connection>>,
    accepted: Option<Arc<Connection>>,
}

impl Both {
    fn side(&mut self, role: Role) -> &mut Option<Arc<Connection>> {
        match role {
            Role::Dialer => &mut self.dialled,
            Role::Listener => &mut self.accepted,
        }
    }

    fn live(&self) -> Option<&Arc<Connection>> {
        [&self.dialled, &self.accepted].into_iter().flatten().find(|connection| connection.is_live())
    }
}

#[derive(Default)]
pub(super) struct Directory(Mutex<HashMap<Address, Both>>);

impl Directory {
    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Both>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection in which we have this role. An older one of that kind is hung up: its peer has proven to be here
    /// now, so the older one is dead, or abandoned.
    pub fn add(&self, role: Role, connection: &Arc<Connection>) {
        let older = self.lock().entry(connection.peer()).or_default().side(role).replace(Arc::clone(connection));
        if let Some(older) = older {
            older.hang_up();
        }
    }

    /// Removes a connection that has ended.
    pub fn remove(&self, role: Role, connection: &Arc<Connection>) {
        let mut peers = self.lock();
        let Some(both) = peers.get_mut(&connection.peer()) else { return };
        let side = both.side(role);
        if side.as_ref().is_some_and(|known| Arc::ptr_eq(known, connection)) {
            *side = None;
        }
        if both.dialled.is_none() && both.accepted.is_none() {
            peers.remove(&connection.peer());
        }
    }

    /// A connection with this peer.
    pub fn live(&self, peer: Address) -> Option<Arc<Connection>> {
        self.lock().get(&peer).and_then(Both::live).cloned()
    }

    /// Every peer there is a connection with.
    pub fn connected(&self) -> Vec<Address> {
        let mut peers: Vec<_> = self.lock().iter().filter(|(_, both)| both.live().is_some()).map(|(peer, _)| *peer).collect();
        peers.sort_unstable();
        peers
    }

    /// Makes room: hangs up the accepted connection that has been of no use for the longest, if that is long enough.
    pub fn hang_up_useless(&self, after: Duration) {
        let peers = self.lock();
        let accepted = peers.values().filter_map(|both| both.accepted.as_ref()).filter(|connection| connection.is_live());
        let longest = accepted.map(|connection| (connection.unused_for(), connection)).max_by_key(|(unused, _)| *unused);
        if let Some((unused, connection)) = longest
            && unused >= after
        {
            connection.hang_up();
        }
    }
}
