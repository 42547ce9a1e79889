//! Lets peers in.

use super::connection::{self, Connection};
use super::frame::{FrameReader, FrameWriter};
use super::handshake::{self, Role, Session};
use super::net::{Node, Task};
use super::slots::{NoSlot, Slot, Slots};
use super::stream::Link;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tracing::debug;

/// Accepts until the node stops.
pub(super) async fn accept_all(listener: TcpListener, node: Arc<Node>, task: Task) {
    let slots = Slots::new(node.limits.connections, node.limits.connections_per_ip);
    loop {
        let accepted = tokio::select! {
            () = node.stopped() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => admit(stream, from, &slots, &node),
            // Out of file descriptors, or a peer that was gone at once: neither may end us, nor make us spin.
            Err(error) => {
                debug!(kind = %error.kind(), "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop((listener, task));
}

fn admit(stream: TcpStream, from: SocketAddr, slots: &Arc<Slots>, node: &Arc<Node>) {
    let slot = match slots.take(from.ip()) {
        Ok(slot) => slot,
        Err(reason) => {
            debug!(%from, ?reason, "a connection was turned away");
            if reason == NoSlot::Full {
                node.directory.hang_up_useless(node.limits.useless_after);
            }
            return;
        }
    };
    if let Some(task) = node.task() {
        tokio::spawn(serve(stream, from, slot, Arc::clone(node), task));
    }
}

async fn serve(mut stream: TcpStream, from: SocketAddr, slot: Slot, node: Arc<Node>, task: Task) {
    let shaken = tokio::select! {
        () = node.stopped() => return,
        shaken = timeout(node.limits.handshake, handshake::answer(&mut stream, &node.ourselves)) => shaken,
    };
    match shaken {
        Ok(Ok(session)) => hold(stream, session, Role::Listener, &node).await,
        Ok(Err(error)) => debug!(%from, %error, "a connection failed its handshake"),
        Err(_) => debug!(%from, "a connection took too long over its handshake"),
    }
    drop((slot, task));
}

/// Enters a connection into the directory, and serves it until it ends.
pub(super) async fn hold(stream: TcpStream, session: Session, role: Role, node: &Arc<Node>) {
    let (connection, outgoing) = Connection::new(session.peer, session.key, &node.limits);
    node.directory.add(role, &connection);
    run(stream, session, role, &connection, outgoing, node).await;
}

/// Serves a connection that is in the directory, and takes it out when it has ended.
pub(super) async fn run(
    stream: TcpStream,
    session: Session,
    role: Role,
    connection: &Arc<Connection>,
    outgoing: tokio::sync::mpsc::UnboundedReceiver<connection::Queued>,
    node: &Arc<Node>,
) {
    // Messages are small and somebody waits for each. A socket that can't be told so is only slower.
    let _ = stream.set_nodelay(true);
    let peer = session.peer;
    debug!(%peer, role = role.name(), "connected");
    let noise = Arc::new(session.noise);
    let (read, write) = stream.into_split();
    let reader = FrameReader::new(BufReader::new(read), Arc::clone(&noise));
    node.streams.up(Link::new(Arc::clone(connection))).await;
    let end = connection::run(connection, reader, FrameWriter::new(write, noise), outgoing, node).await;
    node.streams.down(peer, connection.number()).await;
    node.directory.remove(role, connection);
    debug!(%peer, role = role.name(), %end, "disconnected");
}
