//! Who starts and who stops when a run gets another number of actors.

use std::collections::BTreeSet;

/// What is to be done, both in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Numbers of actors to start.
    pub start: Vec<u32>,
    /// Numbers of actors to stop.
    pub stop: Vec<u32>,
}

/// From the actors that are `live` to `wanted` many. The lowest free numbers start, so that what an earlier actor of a
/// number left in its outbox is delivered; the highest stop.
pub fn change(live: &BTreeSet<u32>, wanted: u32) -> Change {
    let count = live.len();
    let wanted = wanted as usize;
    let free = (0..).filter(|number| !live.contains(number));
    Change {
        start: free.take(wanted.saturating_sub(count)).collect(),
        stop: live.iter().copied().skip(wanted).collect(),
    }
}
