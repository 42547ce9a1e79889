//! Multicast DNS (RFC 6762) with service discovery (RFC 6763): `_photon._tcp.local.`, one instance for each node, named by its
//! account.

use super::Note;
use mdns_sd::{IfKind, MDNS_PORT, Receiver, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use photon_chains::Address;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;

const SERVICE: &str = "_photon._tcp.local.";
/// So long after something went wrong it is tried again.
const PAUSE: Duration = Duration::from_secs(30);
/// How often it is looked at how much strangers have made the library remember, and how much they may.
const LOOK: Duration = Duration::from_secs(5);
const MOST_RECORDS: i64 = 4_096;

/// Who is announced, and where.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The node.
    pub node: Address,
    /// Where it listens: on all interfaces, or on that of one address, which then is the only one where anything is said or heard.
    pub at: SocketAddr,
    /// The UDP port of all who are to hear each other.
    pub port: u16,
}

impl Spot {
    /// The port that everybody uses.
    pub const fn usual(node: Address, at: SocketAddr) -> Self {
        Self { node, at, port: MDNS_PORT }
    }
}

/// The library's thread. It ends with this.
struct Daemon(ServiceDaemon);

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that has ended already needs no telling.
        let _ = self.0.shutdown();
    }
}

/// Announces and listens until nobody hears the notes any more.
pub(super) async fn run(spot: Spot, out: mpsc::Sender<Note>) -> anyhow::Result<()> {
    while !out.is_closed() {
        match begin(&spot) {
            Ok((daemon, events)) => hear(&daemon, &events, &spot, &out).await,
            Err(error) => tracing::warn!(%error, "nobody is looked for on the local network: it is tried again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn begin(spot: &Spot) -> Result<(Daemon, Receiver<ServiceEvent>), mdns_sd::Error> {
    let daemon = Daemon(ServiceDaemon::new_with_port(spot.port)?);
    let ip = spot.at.ip();
    let own = if ip.is_unspecified() { String::new() } else { ip.to_string() };
    if !ip.is_unspecified() {
        daemon.0.disable_interface(IfKind::All)?;
        daemon.0.enable_interface(IfKind::Addr(ip))?;
    }
    let name = spot.node.to_string().to_lowercase();
    let info = ServiceInfo::new(SERVICE, &name, &format!("{name}.local."), own.as_str(), spot.at.port(), None)?;
    daemon.0.register(if ip.is_unspecified() { info.enable_addr_auto() } else { info })?;
    let events = daemon.0.browse(SERVICE)?;
    Ok((daemon, events))
}

/// Hands on what is heard, until the library stops, or strangers have filled it.
async fn hear(daemon: &Daemon, events: &Receiver<ServiceEvent>, spot: &Spot, out: &mpsc::Sender<Note>) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            event = events.recv_async() => {
                let Ok(event) = event else { return };
                let Some(note) = note(event).filter(|note| note.name.parse().ok() != Some(spot.node)) else { continue };
                if out.send(note).await.is_err() {
                    return;
                }
            }
            _ = look.tick() => {
                let Ok(counts) = daemon.0.get_metrics() else { return };
                let Ok(counts) = counts.recv_async().await else { return };
                let records: i64 = counts.iter().filter(|(name, _)| name.starts_with("cached-")).map(|(_, count)| count).sum();
                if records > MOST_RECORDS {
                    tracing::warn!(records, "somebody floods the local network with names: it is not listened to for a while");
                    return;
                }
            }
        }
    }
}

fn note(event: ServiceEvent) -> Option<Note> {
    match event {
        ServiceEvent::ServiceResolved(found) => {
            let at = found.addresses.iter().map(ScopedIp::to_ip_addr).map(|ip| SocketAddr::new(ip, found.port)).collect();
            Some(Note { name: instance(&found.fullname)?, at })
        }
        ServiceEvent::ServiceRemoved(_, fullname) => Some(Note { name: instance(&fullname)?, at: Vec::new() }),
        _ => None,
    }
}

fn instance(fullname: &str) -> Option<String> {
    Some(fullname.to_lowercase().strip_suffix(SERVICE)?.strip_suffix('.')?.to_owned())
}
