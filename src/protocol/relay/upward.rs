//! What the actors of a relay said and the learner has not been sent yet, and when it is due.

use super::messages::{Branch, FromRelay, Said};
use super::{BUNDLE, CREDIT, ITEM, LINGER, MAX_ITEMS};
use crate::protocol::HEARTBEAT;
use crate::protocol::messages::Blob;
use std::collections::VecDeque;
use std::time::Duration;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Upward {
    items: VecDeque<(Branch, Said)>,
    bytes: usize,
    /// The bundles that were sent on this connection.
    sent: u64,
    /// Those of them that the learner has handled.
    handled: u64,
    sent_at: Duration,
}

impl Upward {
    /// For a new connection: empty.
    pub fn new(now: Duration) -> Self {
        Self {
            sent_at: now,
            ..Self::default()
        }
    }

    pub fn push(&mut self, branch: Branch, said: Said) {
        self.bytes += size(&said);
        self.items.push_back((branch, said));
    }

    /// True while a message more is in order.
    pub fn has_room(&self) -> bool {
        !self.is_full()
    }

    fn is_full(&self) -> bool {
        self.bytes >= BUNDLE || self.items.len() >= MAX_ITEMS
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The learner has handled all bundles up to this number.
    pub fn handled(&mut self, number: u64) {
        self.handled = self.handled.max(number).min(self.sent);
    }

    /// When the next bundle is due; never while the learner has not handled those before.
    pub fn due(&self) -> Option<Duration> {
        if self.sent - self.handled >= CREDIT {
            return None;
        }
        Some(match self.items.len() {
            // Nothing to say, but the learner should answer now and then.
            0 => self.sent_at + HEARTBEAT,
            _ if self.is_full() => self.sent_at,
            _ => self.sent_at + LINGER,
        })
    }

    /// The next bundle, if it is due.
    pub fn next(&mut self, now: Duration) -> Option<FromRelay> {
        self.due().filter(|&due| now >= due)?;
        let (mut items, mut bytes) = (Vec::new(), 0);
        while let Some((_, said)) = self.items.front() {
            // The first message is taken however large it is.
            if !items.is_empty() && (bytes + size(said) > BUNDLE || items.len() == MAX_ITEMS) {
                break;
            }
            bytes += size(said);
            items.extend(self.items.pop_front());
        }
        self.bytes -= bytes;
        self.sent += 1;
        self.sent_at = now;
        let number = self.sent;
        Some(FromRelay::Bundle { number, items })
    }
}

fn size(said: &Said) -> usize {
    ITEM + match said {
        Said::Message(Blob(bytes)) => bytes.len(),
        Said::Gone => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MAX_TO_LEARNER;
    use crate::protocol::relay::{MAX_FROM_RELAY, decode_from_relay};

    const START: Duration = Duration::from_secs(100);

    fn message(size: usize) -> Said {
        Said::Message(Blob(vec![1; size]))
    }

    fn sizes(bundle: Option<FromRelay>) -> Vec<usize> {
        let Some(FromRelay::Bundle { items, .. }) = &bundle else {
            return Vec::new();
        };
        let bytes = bundle.as_ref().unwrap().encode();
        assert!(bytes.len() <= MAX_FROM_RELAY && decode_from_relay(&bytes) == Ok(bundle.clone().unwrap()));
        items.iter().map(|(_, said)| size(said) - ITEM).collect()
    }

    #[test]
    fn a_lone_message_goes_at_once_and_those_after_it_together() {
        let mut upward = Upward::new(START - LINGER);
        upward.push(Branch(1), message(10));
        assert_eq!(sizes(upward.next(START)), [10]);
        upward.push(Branch(1), message(11));
        upward.push(Branch(2), message(12));
        assert_eq!((upward.due(), upward.next(START)), (Some(START + LINGER), None));
        assert_eq!(sizes(upward.next(START + LINGER)), [11, 12]);
        assert_eq!(upward.due(), Some(START + LINGER + HEARTBEAT));
    }

    #[test]
    fn bundles_are_cut_where_they_are_full_and_the_largest_message_travels_alone() {
        let mut upward = Upward::new(START);
        for size in [BUNDLE / 2, BUNDLE / 2 - 3 * ITEM, MAX_TO_LEARNER] {
            assert!(upward.has_room());
            upward.push(Branch(1), message(size));
        }
        assert!(!upward.has_room());
        assert_eq!(sizes(upward.next(START)), [BUNDLE / 2, BUNDLE / 2 - 3 * ITEM]);
        assert_eq!(sizes(upward.next(START)), [MAX_TO_LEARNER]);
        assert_eq!(upward.bytes(), 0);
        for _ in 0..MAX_ITEMS {
            upward.push(Branch(u64::MAX), Said::Gone);
        }
        assert!(!upward.has_room());
        assert_eq!(sizes(upward.next(START)).len(), MAX_ITEMS);
    }

    #[test]
    fn what_the_learner_has_not_handled_holds_back_what_follows() {
        let mut upward = Upward::new(START);
        for number in 0..CREDIT + 2 {
            let now = START + Duration::from_secs(10 * (number + 1));
            assert_eq!(upward.next(now).is_some(), number < CREDIT, "{number}");
        }
        upward.handled(1);
        upward.handled(0);
        let later = START * 10;
        assert_eq!(
            (0..9).filter(|_| upward.next(later * 2).is_some()).count(),
            1,
            "as many as were handled"
        );
        upward.handled(u64::MAX);
        assert!(upward.next(later * 3).is_some(), "nonsense is harmless");
    }
}
