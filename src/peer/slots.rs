//! How many connections others may hold open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Whoever owns one IPv6 address owns its whole /64, so that counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl From<IpAddr> for Origin {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Origin::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = Ipv6Addr::segments(&ip);
                Origin::V6([a, b, c, d])
            }
        }
    }
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_origin: HashMap<Origin, usize>,
}

/// Counts connections, all together and by where they come from.
pub(super) struct Slots {
    max: usize,
    max_per_ip: usize,
    taken: Mutex<Taken>,
}

/// A place among the connections, free again when dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    origin: Origin,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSlot {
    Full,
    FullForThisIp,
}

impl Slots {
    pub fn new(max: usize, max_per_ip: usize) -> Arc<Self> {
        Arc::new(Self { max, max_per_ip, taken: Mutex::default() })
    }

    pub fn take(self: &Arc<Self>, ip: IpAddr) -> Result<Slot, NoSlot> {
        let origin = Origin::from(ip);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.by_origin.get(&origin).copied().unwrap_or(0);
        if here >= self.max_per_ip {
            return Err(NoSlot::FullForThisIp);
        }
        if taken.all >= self.max {
            return Err(NoSlot::Full);
        }
        taken.all += 1;
        taken.by_origin.insert(origin, here + 1);
        Ok(Slot { slots: Arc::clone(self), origin })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        match taken.by_origin.get(&self.origin).copied() {
            Some(count) if count > 1 => taken.by_origin.insert(self.origin, count - 1),
            _ => taken.by_origin.remove(&self.origin),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_origin_can_not_take_every_slot_and_a_dropped_one_is_free_again() {
        let slots = Slots::new(3, 2);
        let (first, _second) = (slots.take(ip("10.0.0.1")).unwrap(), slots.take(ip("::ffff:10.0.0.1")).unwrap());
        assert_eq!(slots.take(ip("10.0.0.1")).err(), Some(NoSlot::FullForThisIp));
        let _third = slots.take(ip("10.0.0.2")).unwrap();
        assert_eq!(slots.take(ip("10.0.0.3")).err(), Some(NoSlot::Full));
        drop(first);
        assert!(slots.take(ip("10.0.0.1")).is_ok());
        assert_eq!(slots.taken.lock().unwrap().by_origin.len(), 2);
    }

    #[test]
    fn a_whole_ipv6_network_is_one_origin() {
        let slots = Slots::new(9, 1);
        let _one = slots.take(ip("2001:db8:1:2::1")).unwrap();
        assert_eq!(slots.take(ip("2001:db8:1:2:ffff::9")).err(), Some(NoSlot::FullForThisIp));
        assert!(slots.take(ip("2001:db8:1:3::1")).is_ok());
    }
}
