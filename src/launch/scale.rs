//! Who starts and who stops when a run gets another number of actors.

use super::LaunchError;
use std::collections::BTreeSet;

/// What is to be done, both in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Numbers of tasks to start.
    pub start: Vec<u32>,
    /// Numbers of tasks to stop.
    pub stop: Vec<u32>,
}

/// The tasks that so many actors fill.
///
/// # Errors
/// When one would not be full.
pub fn tasks(actors: u32, per_task: u32) -> Result<u32, LaunchError> {
    if actors.is_multiple_of(per_task) {
        return Ok(actors / per_task);
    }
    let above = actors.next_multiple_of(per_task);
    let nearest = match above - per_task {
        0 => above.to_string(),
        below => format!("{below} or {above}"),
    };
    Err(LaunchError::Uneven {
        actors,
        per_task,
        nearest,
    })
}

/// From the tasks that are `live` to `wanted` many. The lowest free numbers start, so that what earlier actors of a
/// number left in their outboxes is delivered; the highest stop.
pub fn change(live: &BTreeSet<u32>, wanted: u32) -> Change {
    let count = live.len();
    let wanted = wanted as usize;
    let free = (0..).filter(|number| !live.contains(number));
    Change {
        start: free.take(wanted.saturating_sub(count)).collect(),
        stop: live.iter().copied().skip(wanted).collect(),
    }
}
