//! Which numbered messages have come: a sliding window, so that mild reordering is no loss and nothing comes twice.

use super::Unopened;

/// How far behind the newest one a message may come.
const WIDTH: u64 = 64;

/// The messages before `next`, of which the last [`WIDTH`] are remembered one by one.
#[derive(Debug, Default)]
pub(super) struct Window {
    next: u64,
    /// Bit i: message `next - 1 - i` has come.
    seen: u64,
}

impl Window {
    /// Whether message `number` may still be taken.
    pub fn check(&self, number: u64) -> Result<(), Unopened> {
        if number >= self.next {
            return Ok(());
        }
        match self.next - 1 - number {
            behind if behind >= WIDTH => Err(Unopened::Late),
            behind if self.seen >> behind & 1 == 1 => Err(Unopened::Replayed),
            _ => Ok(()),
        }
    }

    /// Message `number`, which was checked, has come.
    pub fn take(&mut self, number: u64) {
        if number >= self.next {
            let ahead = number + 1 - self.next;
            self.seen = if ahead < WIDTH { self.seen << ahead } else { 0 };
            self.next = number + 1;
        }
        self.seen |= 1 << (self.next - 1 - number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against the plain rule: not seen before, and less than 64 behind the newest.
        #[test]
        fn each_number_is_taken_once_unless_it_is_late(numbers in proptest::collection::vec(0u64..300, 1..200)) {
            let (mut window, mut seen) = (Window::default(), BTreeSet::new());
            for number in numbers {
                let newest = seen.last().copied().unwrap_or(0);
                let expected = if number + WIDTH <= newest {
                    Err(Unopened::Late)
                } else if seen.contains(&number) {
                    Err(Unopened::Replayed)
                } else {
                    Ok(())
                };
                prop_assert_eq!(window.check(number), expected.clone());
                if expected.is_ok() {
                    window.take(number);
                    seen.insert(number);
                }
            }
        }
    }
}
