//! Free ports on loopback. They are taken from below the range from which systems give ports to outgoing connections: a node that is down for a
//! restart must find its port free when it comes back.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 16_000;
const COUNT: u16 = 16_000;

/// A port that was free a moment ago and that this process has not handed out before; `None` when thousands in a row are taken.
pub fn free() -> Option<u16> {
    static START: OnceLock<u16> = OnceLock::new();
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Other processes start elsewhere, so clashes are rare; whoever binds second tries again.
    let start = *START.get_or_init(|| (RandomState::new().hash_one(std::process::id()) % u64::from(COUNT)) as u16);
    (0..4_000).find_map(|_| {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST + offset;
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
    })
}
