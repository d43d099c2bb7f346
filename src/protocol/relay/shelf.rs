//! Large messages that go to a relay once: the learner's list of them, and what a relay keeps.
//!
//! Nothing here knows what they mean. A message that differs from a kept one only at its end, as the welcomes of a run do, is
//! said as the beginning of that one and the rest; weights are the same for everybody and have no rest.

use super::messages::{Shared, ToRelay};
use std::sync::Arc;

/// Messages that are kept: a welcome, the newest weights, and room for those before or in another encoding, which slower
/// actors still ask for.
pub(super) const SLOTS: usize = 4;

/// What is shorter is sent as it is, and what differs by more is kept by itself, bytes.
const WORTH_IT: usize = 1 << 10;

/// The bytes of one message, as an actor gets them.
type Bytes = Arc<Vec<u8>>;

/// The learner's: what is or will be kept by relays. The same for all of them.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// At most [`SLOTS`].
    entries: Vec<Entry>,
    stamps: u64,
}

#[derive(Debug)]
struct Entry {
    stamp: u64,
    bytes: Bytes,
    /// What tells a relay to keep it, shared by all connections.
    keep: Bytes,
}

/// How a message is said with the help of a kept one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub slot: usize,
    pub stamp: u64,
    /// So many bytes are the kept one's.
    pub length: usize,
}

impl Shelf {
    /// Where this message is kept from now on; none if it is too short for that.
    pub fn place(&mut self, message: &Bytes) -> Option<Place> {
        if message.len() < WORTH_IT {
            return None;
        }
        let alike = self.entries.iter().map(|entry| same_beginning(&entry.bytes, message));
        // Of several that are as alike, the one that is there for longest.
        let best = alike.enumerate().max_by_key(|&(slot, length)| (length, self.age(slot)));
        let slot = match best {
            Some((slot, length)) if message.len() - length < WORTH_IT => {
                let stamp = self.entries[slot].stamp;
                return Some(Place { slot, stamp, length });
            }
            // Newer weights take the place of older ones and not that of a welcome.
            Some((slot, _)) if self.entries.len() == SLOTS => slot,
            _ => self.entries.len(),
        };
        Some(self.put(slot, message))
    }

    fn put(&mut self, slot: usize, message: &Bytes) -> Place {
        self.stamps += 1;
        let stamp = self.stamps;
        let keep = ToRelay::Keep {
            slot: slot as u8,
            stamp,
            bytes: Shared(message.clone()),
        };
        let entry = Entry {
            stamp,
            bytes: message.clone(),
            keep: Arc::new(keep.encode()),
        };
        match self.entries.get_mut(slot) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
        let length = message.len();
        Place { slot, stamp, length }
    }

    fn age(&self, slot: usize) -> u64 {
        self.stamps - self.entries[slot].stamp
    }

    /// What tells a relay to keep what is in a slot, one that was just given.
    pub fn keep(&self, slot: usize) -> Bytes {
        self.entries[slot].keep.clone()
    }
}

/// How many bytes two messages have in common at their beginning.
fn same_beginning(a: &Bytes, b: &Bytes) -> usize {
    if Arc::ptr_eq(a, b) {
        return a.len();
    }
    // Whole pieces are compared much faster than single bytes.
    const PIECE: usize = 256;
    let pieces = a.chunks_exact(PIECE).zip(b.chunks_exact(PIECE));
    let same = PIECE * pieces.take_while(|(a, b)| a == b).count();
    let bytes = a[same..].iter().zip(&b[same..]);
    same + bytes.take_while(|(a, b)| a == b).count()
}

/// A relay's: what the learner told it to keep on this connection.
#[derive(Debug, Default)]
pub(super) struct Kept([Option<(u64, Bytes)>; SLOTS]);

impl Kept {
    /// Keeps bytes. False when there is no such place.
    pub fn keep(&mut self, slot: u8, stamp: u64, bytes: Bytes) -> bool {
        match self.0.get_mut(usize::from(slot)) {
            Some(place) => {
                *place = Some((stamp, bytes));
                true
            }
            None => false,
        }
    }

    /// A message said with the help of what is kept; none when that is not here.
    pub fn message(&self, slot: u8, stamp: u64, length: u64, rest: &[u8]) -> Option<Bytes> {
        let (kept, bytes) = self.0.get(usize::from(slot))?.as_ref()?;
        let beginning = bytes.get(..usize::try_from(length).ok()?)?;
        match (*kept == stamp, rest) {
            (false, _) => None,
            // Shared by all who get it.
            (true, []) if beginning.len() == bytes.len() => Some(bytes.clone()),
            (true, rest) => Some(Arc::new([beginning, rest].concat())),
        }
    }

    /// Bytes that are kept.
    pub fn size(&self) -> usize {
        self.0.iter().flatten().map(|(_, bytes)| bytes.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(first: u8, length: usize, last: u8) -> Bytes {
        let mut bytes = vec![7; length];
        (bytes[0], bytes[length - 1]) = (first, last);
        Arc::new(bytes)
    }

    /// What the learner's list says is what a relay puts together.
    fn said(shelf: &mut Shelf, kept: &mut Kept, message: &Bytes) -> Place {
        let place = shelf.place(message).unwrap();
        let keep = crate::protocol::relay::decode_to_relay(&shelf.keep(place.slot)).unwrap();
        let ToRelay::Keep { slot, stamp, bytes } = keep else {
            panic!("{keep:?}")
        };
        assert!(kept.keep(slot, stamp, bytes.0));
        let rest = &message[place.length..];
        let together = kept.message(place.slot as u8, place.stamp, place.length as u64, rest);
        assert_eq!(together.as_ref(), Some(message));
        place
    }

    #[test]
    fn what_is_alike_is_kept_once_and_what_is_new_takes_the_place_of_its_like() {
        let (mut shelf, mut kept) = (Shelf::default(), Kept::default());
        assert_eq!(shelf.place(&message(1, 100, 1)), None, "not worth it");
        let welcome = said(&mut shelf, &mut kept, &message(1, 3000, 1));
        let other = said(&mut shelf, &mut kept, &message(1, 3000, 2));
        assert_eq!((other.stamp, other.length), (welcome.stamp, 2999));
        let longer = said(&mut shelf, &mut kept, &message(1, 3001, 2));
        assert_eq!((longer.stamp, longer.length), (welcome.stamp, 2999));
        // Weights begin alike and differ in more than their end.
        let weights: Vec<_> = (0..6u8)
            .map(|version| Arc::new([vec![2; 20], vec![version; 5000]].concat()))
            .collect();
        let slots: Vec<_> = weights
            .iter()
            .map(|weights| said(&mut shelf, &mut kept, weights).slot)
            .collect();
        assert_eq!(
            slots,
            [1, 2, 3, 1, 2, 3],
            "the oldest weights go first, and the welcome stays"
        );
        assert_eq!(said(&mut shelf, &mut kept, &message(1, 3000, 3)).stamp, welcome.stamp);
        assert_eq!(kept.size(), 3000 + 3 * 5020);
    }

    #[test]
    fn what_is_not_kept_is_not_made_up() {
        let mut kept = Kept::default();
        assert!(kept.keep(3, 9, message(1, 2000, 1)));
        assert!(
            !kept.keep(SLOTS as u8, 10, message(1, 2000, 1)),
            "there is no such place"
        );
        for (slot, stamp, length) in [(0, 9, 10), (3, 8, 10), (3, 9, 2001), (3, 9, u64::MAX), (200, 9, 0)] {
            assert_eq!(kept.message(slot, stamp, length, &[]), None, "{slot} {stamp} {length}");
        }
        assert_eq!(*kept.message(3, 9, 1, &[5, 6]).unwrap(), [1, 5, 6]);
    }
}
