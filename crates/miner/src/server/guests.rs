//! Who is connected, so that one host cannot take all connections.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use super::locked;

/// Connections of one address (of one /64 network in IPv6) at once; further ones are closed.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 128;

/// Open connections by address.
#[derive(Clone, Default)]
pub(super) struct Guests(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// One connection's place, free again when dropped.
pub(super) struct Guest {
    guests: Guests,
    address: IpAddr,
}

impl Guests {
    /// A place for a connection from `address`, unless it has too many.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Guest> {
        let address = network(address);
        let mut open = locked(&self.0);
        let count = open.entry(address).or_default();
        if *count >= MAX_CONNECTIONS_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Guest { guests: self.clone(), address })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut open = locked(&self.guests.0);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// An IPv6 host has a whole /64 network of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_places_and_gets_them_back() {
        let guests = Guests::default();
        let host = |n: usize| format!("2001:db8::{n:x}").parse().unwrap();
        let mut inside: Vec<_> = (0..MAX_CONNECTIONS_PER_ADDRESS).map(|n| guests.enter(host(n)).unwrap()).collect();
        assert!(guests.enter(host(7)).is_none());
        assert!(guests.enter("2001:db8:1::".parse().unwrap()).is_some());
        assert!(guests.enter("::ffff:10.0.0.1".parse().unwrap()).is_some());
        inside.pop();
        assert!(guests.enter(host(7)).is_some());
        inside.clear();
        assert!(locked(&guests.0).is_empty());
    }
}
