//! Where a peer is, and who it has to be.

use photon_chains::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// `0x…@host:port`: whoever answers there without that identity is not the peer. The host is a name, an IPv4 address, or an
/// IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerAddress {
    identity: Address,
    host: String,
    port: u16,
}

/// Why a text is no peer address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerAddressError {
    /// No `@` or no `:`.
    #[error("write a peer as 0x…@host:port")]
    Shape,
    /// What stands before the `@`.
    #[error("a peer's identity is 0x and 40 hex digits")]
    Identity,
    /// What stands between.
    #[error("a peer's host is a name, an IPv4 address, or an IPv6 address in brackets")]
    Host,
    /// What stands behind the last `:`.
    #[error("a peer's port is a number from 1 to 65535")]
    Port,
}

impl PeerAddress {
    /// Puts one together, checking the host as when it is read from a text.
    pub fn new(identity: Address, host: &str, port: u16) -> Result<Self, PeerAddressError> {
        if !is_host(host) {
            return Err(PeerAddressError::Host);
        }
        if port == 0 {
            return Err(PeerAddressError::Port);
        }
        Ok(Self { identity, host: host.to_ascii_lowercase(), port })
    }

    /// The address of a peer that listens there.
    pub fn at(identity: Address, socket: SocketAddr) -> Result<Self, PeerAddressError> {
        match socket.ip() {
            IpAddr::V4(ip) => Self::new(identity, &ip.to_string(), socket.port()),
            IpAddr::V6(ip) => Self::new(identity, &format!("[{ip}]"), socket.port()),
        }
    }

    /// Who has to answer.
    pub const fn identity(&self) -> Address {
        self.identity
    }

    /// Where it answers: `host:port`, an IPv6 address in brackets.
    pub fn endpoint(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.identity, self.host, self.port)
    }
}

impl FromStr for PeerAddress {
    type Err = PeerAddressError;
    fn from_str(text: &str) -> Result<Self, PeerAddressError> {
        let (identity, place) = text.split_once('@').ok_or(PeerAddressError::Shape)?;
        let (host, port) = place.rsplit_once(':').ok_or(PeerAddressError::Shape)?;
        let identity = identity.parse().map_err(|_| PeerAddressError::Identity)?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PeerAddressError::Port);
        }
        Self::new(identity, host, port.parse().map_err(|_| PeerAddressError::Port)?)
    }
}

impl Serialize for PeerAddress {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PeerAddress {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
