//! Connections that have not shown yet that they belong here: few in all, fewer from one address. Pure.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Most at once. Honest ones are through in milliseconds; each costs a few kilobytes.
const MOST: usize = 256;

/// Most at once from one address: no single machine, nor the many behind one gateway, takes all places.
const MOST_OF_ONE: usize = 64;

/// A queue of those who wait, the oldest first; `T` is how one is told to go.
#[derive(Debug)]
pub(super) struct Pending<T>(VecDeque<Waiting<T>>);

#[derive(Debug)]
struct Waiting<T> {
    number: u64,
    from: IpAddr,
    tell: T,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Pending<T> {
    /// Takes connection `number` in. Where there are too many, the oldest of the same address, or of all, is returned
    /// and has to go: who means well is not slow.
    pub fn enter(&mut self, number: u64, ip: IpAddr, tell: T) -> Option<T> {
        let from = network(ip);
        let same = |waiting: &Waiting<T>| waiting.from == from;
        let oldest = if self.0.iter().filter(|waiting| same(waiting)).count() >= MOST_OF_ONE {
            self.0.iter().position(same)
        } else {
            (self.0.len() >= MOST).then_some(0)
        };
        let evicted = oldest.and_then(|place| self.0.remove(place));
        self.0.push_back(Waiting { number, from, tell });
        evicted.map(|waiting| waiting.tell)
    }

    /// Connection `number` is through, or gone.
    pub fn leave(&mut self, number: u64) {
        self.0.retain(|waiting| waiting.number != number);
    }
}

/// What counts as one address: of IPv6 the first half, because whoever has one address there has the whole network.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut pending = Pending::default();
        for number in 0..MOST as u64 {
            let from = IpAddr::from([10, 0, 0, (number % 200) as u8]);
            assert_eq!(pending.enter(number, from, number), None);
        }
        assert_eq!(pending.enter(1000, ip("10.1.0.1"), 1000), Some(0));
        pending.leave(1);
        assert_eq!(
            pending.enter(1001, ip("10.1.0.1"), 1001),
            None,
            "there is a place again"
        );
        assert_eq!(pending.enter(1002, ip("10.1.0.1"), 1002), Some(2));
    }

    #[test]
    fn one_address_takes_places_from_itself_only() {
        let mut pending = Pending::default();
        assert_eq!(pending.enter(0, ip("10.0.0.1"), 0), None);
        for number in 1..=MOST_OF_ONE as u64 {
            // As they look on a socket for both kinds of address.
            let from = ip(["10.0.0.2", "::ffff:10.0.0.2"][number as usize % 2]);
            assert_eq!(pending.enter(number, from, number), None);
        }
        assert_eq!(pending.enter(100, ip("10.0.0.2"), 100), Some(1));
        assert_eq!(pending.enter(101, ip("10.0.0.2"), 101), Some(2));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let mut pending = Pending::default();
        for number in 0..MOST_OF_ONE as u64 {
            let from = IpAddr::V6((u128::from(number) | 1 << 100).into());
            assert_eq!(pending.enter(number, from, number), None);
        }
        assert_eq!(
            pending.enter(100, IpAddr::V6((1u128 << 100 | 1 << 40).into()), 100),
            Some(0)
        );
        assert_eq!(pending.enter(101, IpAddr::V6((1u128 << 101).into()), 101), None);
    }
}
