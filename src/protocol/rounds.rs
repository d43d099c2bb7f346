//! Lockstep rounds: which actor rolls out which places, and what has arrived. It sends nothing and knows no addresses.
//!
//! Invariant: what a round yields depends on its places only, not on who rolled them out or when they arrived.

use crate::rollout::Trajectory;
use crate::units::{Incarnation, PolicyVersion};
use std::collections::BTreeMap;
use std::ops::Range;

/// Most trajectories kept for rounds that have not begun. They exist only after a resume, when actors and the replay
/// still hold rounds that the learner has to come to again.
const MAX_EARLY: usize = 1 << 20;

/// What became of a trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// It fills a place.
    New,
    /// Its place was filled before, or its round is over.
    Known,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    Free,
    Assigned(Incarnation),
    Filled(Box<Trajectory>),
}

#[derive(Debug)]
struct Round {
    number: u64,
    places: Vec<Place>,
    missing: usize,
}

/// The round under way, and what arrived for later ones.
#[derive(Debug)]
pub(super) struct Rounds {
    batch: usize,
    /// Rounds before this are over.
    next: u64,
    current: Option<Round>,
    early: BTreeMap<u64, BTreeMap<u32, Trajectory>>,
    early_count: usize,
}

impl Rounds {
    /// Rounds of `batch` places from `first` on; `early` are trajectories of such rounds that the replay holds already.
    pub fn new(batch: usize, first: u64, early: Vec<Trajectory>) -> Self {
        let mut rounds = Self {
            batch,
            next: first,
            current: None,
            early: BTreeMap::new(),
            early_count: 0,
        };
        for trajectory in early {
            rounds.offer(trajectory);
        }
        rounds
    }

    /// Begins a round; the one before must have been taken.
    pub fn start(&mut self, number: u64) {
        debug_assert!(self.current.is_none(), "one round at a time");
        let mut places = vec![Place::Free; self.batch];
        let early = self.early.remove(&number).unwrap_or_default();
        self.early_count -= early.len();
        let missing = self.batch - early.len();
        for (index, trajectory) in early {
            places[index as usize] = Place::Filled(Box::new(trajectory));
        }
        self.next = number;
        self.current = Some(Round {
            number,
            places,
            missing,
        });
    }

    /// True when `count` more trajectories of later rounds can be kept.
    pub fn has_room(&self, count: usize) -> bool {
        self.early_count + count <= MAX_EARLY
    }

    /// Puts a checked trajectory (`index` within the batch) where it belongs.
    pub fn offer(&mut self, trajectory: Trajectory) -> Offer {
        if let Some(round) = self.current.as_mut().filter(|round| round.number == trajectory.round) {
            let place = &mut round.places[trajectory.index as usize];
            if matches!(place, Place::Filled(_)) {
                return Offer::Known;
            }
            *place = Place::Filled(Box::new(trajectory));
            round.missing -= 1;
            return Offer::New;
        }
        if trajectory.round < self.next {
            return Offer::Known;
        }
        let places = self.early.entry(trajectory.round).or_default();
        if places.contains_key(&trajectory.index) {
            return Offer::Known;
        }
        places.insert(trajectory.index, trajectory);
        self.early_count += 1;
        Offer::New
    }

    /// Takes the round's trajectories, by place, once all are there.
    pub fn take_complete(&mut self) -> Option<(u64, Vec<Trajectory>)> {
        let round = self.current.take_if(|round| round.missing == 0)?;
        self.next = round.number + 1;
        let filled = round.places.into_iter().filter_map(|place| match place {
            Place::Filled(trajectory) => Some(*trajectory),
            _ => None,
        });
        Some((round.number, filled.collect()))
    }

    /// Spreads the free places of the round over `actors`, in runs as long as can be.
    pub fn assign(&mut self, actors: &[Incarnation]) -> Vec<(Incarnation, Range<u32>)> {
        let Some(round) = self.current.as_mut().filter(|_| !actors.is_empty()) else {
            return Vec::new();
        };
        let free: Vec<u32> = positions(&round.places, |place| *place == Place::Free).collect();
        let mut given = Vec::new();
        for (number, &actor) in actors.iter().enumerate() {
            let share = number * free.len() / actors.len()..(number + 1) * free.len() / actors.len();
            for &index in &free[share.clone()] {
                round.places[index as usize] = Place::Assigned(actor);
            }
            given.extend(runs(free[share].iter().copied()).into_iter().map(|run| (actor, run)));
        }
        given
    }

    /// What an actor still owes.
    pub fn owed(&self, actor: Incarnation) -> Vec<Range<u32>> {
        let Some(round) = &self.current else { return Vec::new() };
        runs(positions(&round.places, |place| *place == Place::Assigned(actor)))
    }

    /// Frees what an actor owes. Returns how many places.
    pub fn release(&mut self, actor: Incarnation) -> usize {
        let places = self.current.iter_mut().flat_map(|round| &mut round.places);
        places
            .filter(|place| **place == Place::Assigned(actor))
            .map(|place| *place = Place::Free)
            .count()
    }

    /// The weights of the round under way.
    pub fn version(&self) -> Option<(u64, PolicyVersion)> {
        self.current
            .as_ref()
            .map(|round| (round.number, PolicyVersion(round.number)))
    }
}

fn positions(places: &[Place], is: impl Fn(&Place) -> bool) -> impl Iterator<Item = u32> {
    places
        .iter()
        .enumerate()
        .filter(move |(_, place)| is(place))
        .map(|(index, _)| index as u32)
}

/// Rising numbers as runs of consecutive ones.
fn runs(numbers: impl Iterator<Item = u32>) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.end == number => run.end += 1,
            _ => runs.push(number..number + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::simulation::example_trajectory;

    const A: Incarnation = Incarnation(1);
    const B: Incarnation = Incarnation(2);

    #[test]
    fn places_are_spread_reassigned_and_taken_in_order() {
        let mut rounds = Rounds::new(5, 0, Vec::new());
        assert!(rounds.assign(&[A]).is_empty(), "no round yet");
        rounds.start(0);
        assert_eq!(rounds.assign(&[A, B]), [(A, 0..2), (B, 2..5)]);
        assert!(rounds.assign(&[A]).is_empty(), "all are given");

        assert_eq!(rounds.offer(example_trajectory(0, 3)), Offer::New);
        assert_eq!(rounds.offer(example_trajectory(0, 3)), Offer::Known);
        assert_eq!(rounds.owed(B), [2..3, 4..5]);
        assert_eq!(rounds.release(B), 2);
        assert_eq!(rounds.assign(&[A]), [(A, 2..3), (A, 4..5)]);

        for index in [4, 0, 2] {
            rounds.offer(example_trajectory(0, index));
        }
        assert!(rounds.take_complete().is_none());
        rounds.offer(example_trajectory(0, 1));
        let (number, taken) = rounds.take_complete().unwrap();
        assert_eq!(
            (number, taken.iter().map(|t| t.index).collect::<Vec<_>>()),
            (0, vec![0, 1, 2, 3, 4])
        );
        assert_eq!(
            rounds.offer(example_trajectory(0, 1)),
            Offer::Known,
            "the round is over"
        );
    }

    #[test]
    fn what_the_replay_holds_is_not_asked_for_again() {
        let early = vec![
            example_trajectory(7, 0),
            example_trajectory(7, 2),
            example_trajectory(6, 1),
        ];
        let mut rounds = Rounds::new(3, 7, early);
        rounds.start(7);
        assert_eq!(rounds.assign(&[A]), [(A, 1..2)]);
        assert_eq!(rounds.offer(example_trajectory(8, 0)), Offer::New, "kept for its round");
        rounds.offer(example_trajectory(7, 1));
        assert_eq!(rounds.take_complete().unwrap().1.len(), 3);
        rounds.start(8);
        assert_eq!(rounds.assign(&[A, B]), [(A, 1..2), (B, 2..3)]);
    }
}
