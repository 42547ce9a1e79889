//! Where a hook may lead: HTTPS to a public address, or, where the settings allow it, plain HTTP on this machine.

use crate::web::Site;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A place that may be posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Site);

/// Why a hook may not lead there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// No URL that we post to.
    #[error("a webhook's url is https://host/path, without user, password or fragment")]
    NotHttps,
    /// Plain HTTP on this machine, which the settings don't allow.
    #[error("plain http goes to this machine only, and only with webhooks_on_loopback = true in [api]")]
    Plain,
    /// An address that is not on the public internet.
    #[error("a webhook must not lead to a private address")]
    Private,
    /// The name leads nowhere.
    #[error("the host of the webhook can't be found")]
    Unknown,
}

impl Place {
    /// Reads a URL. What its name resolves to is checked at each post: see [`Place::addresses`].
    pub fn parse(url: &str, on_loopback: bool) -> Result<Self, PlaceError> {
        let site = Site::parse(url).ok_or(PlaceError::NotHttps)?;
        if !(site.is_tls() || on_loopback && site.is_here()) {
            return Err(PlaceError::Plain);
        }
        if site.is_tls() && site.literal().is_some_and(|ip| !is_public(ip)) {
            return Err(PlaceError::Private);
        }
        Ok(Self(site))
    }

    pub(super) const fn site(&self) -> &Site {
        &self.0
    }

    /// What the name resolves to now. One address that is not public refuses all: a name must not be turned against our own network.
    pub(super) async fn addresses(&self) -> Result<Vec<SocketAddr>, PlaceError> {
        let found = self.0.addresses().await;
        let may = |address: &SocketAddr| if self.0.is_tls() { is_public(address.ip()) } else { address.ip().is_loopback() };
        if found.is_empty() {
            return Err(PlaceError::Unknown);
        }
        if found.iter().all(may) { Ok(found) } else { Err(PlaceError::Private) }
    }
}

/// True for addresses that the public internet routes (IANA's special-purpose registries).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [a, b, ..] = ip.segments();
    // Global unicast only, without tunnels (6to4, Teredo and its neighbours) and documentation.
    (0x2000..=0x3fff).contains(&a) && a != 0x2002 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && a != 0x3fff
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hook_leads_to_public_https_and_nowhere_else() {
        assert!(Place::parse("https://example.com/hook?a=b", false).is_ok());
        assert!(Place::parse("https://93.184.216.34:8443/", false).is_ok());
        for url in [
            "http://example.com/",
            "http://127.0.0.1/",
            "ftp://example.com/",
            "https://",
            "example.com",
            "https://u:p@example.com/",
            "https://example.com/#f",
        ] {
            assert!(Place::parse(url, false).is_err(), "{url}");
        }
        assert!(Place::parse("http://127.0.0.1:80/x", true).is_ok() && Place::parse("http://[::1]:80/x", true).is_ok());
        assert!(Place::parse("http://10.0.0.1/", true).is_err() && Place::parse("http://127.0.0.1.example.com/", true).is_err());
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fd00::1]",
            "[ff02::1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::]",
            "[2001:db8::1]",
            "[2001::1]",
            "2130706433",
            "0x7f.1",
        ];
        for host in private {
            assert_eq!(Place::parse(&format!("https://{host}/"), true), Err(PlaceError::Private), "{host}");
        }
        assert!(
            Place::parse("https://[2606:2800:220:1::]/", false).is_ok() && Place::parse("https://172.32.0.1/", false).is_ok()
        );
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_refused_when_it_is_used() {
        let place = Place::parse("https://localhost/", false).unwrap();
        assert_eq!(place.addresses().await, Err(PlaceError::Private));
        assert!(Place::parse("http://localhost:1/", true).unwrap().addresses().await.is_ok());
    }
}
