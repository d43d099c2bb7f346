//! Counting trajectories: a distribution of each quantity in each group, in one pass over a replay.
//!
//! Most trajectories have their object's score. Where there are many to each object, they are counted by object, and each
//! object's score is looked up and added to a distribution once: memory is visited in one place for a trajectory, not in four.

use crate::InspectError;
use crate::groups::Groups;
use crate::histogram::Quantity;
use crate::replay::{Filter, ObjectReader, Plan, Replay, Values};
use crate::sketch::Sketch;
use rusqlite::types::ValueRef;
use std::sync::Arc;

/// Counters of objects that a thread has at most: 16 MiB.
const MAX_COUNTERS: u64 = 1 << 22;

/// Counters that are raised together. One by one, each would wait for memory before the next row is read; a loop over many
/// waits for several at once.
const TOGETHER: usize = 256;

/// Counts of several quantities in several groups; can be extended as trajectories are added to the replay.
#[derive(Debug, Clone)]
pub struct Tally {
    /// What is split.
    pub groups: Groups,
    pub(crate) quantities: Vec<Quantity>,
    /// Group after group, a sketch for each quantity.
    pub(crate) sketches: Vec<Sketch>,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(groups: Groups, quantities: &[Quantity]) -> Self {
        Self {
            sketches: vec![Sketch::default(); groups.names.len() * quantities.len()],
            quantities: quantities.to_vec(),
            groups,
        }
    }

    /// Counts the trajectories of a plan that pass the filter.
    ///
    /// # Errors
    /// When reading fails.
    pub fn extend(&mut self, replay: &Replay, filter: &Filter, plan: &Plan) -> Result<(), InspectError> {
        // After the plan: what it holds leads to objects up to here.
        let objects = replay
            .number("SELECT coalesce(max(id), 0) + 1 FROM objects")?
            .unsigned_abs();
        let counters = objects.saturating_mul(self.groups.names.len() as u64);
        let are_few = counters <= MAX_COUNTERS.min(plan.len()) && u32::try_from(plan.len()).is_ok();
        self.count(replay, filter, plan, if are_few { objects } else { 0 })
    }

    /// Counts by object those with numbers below `objects`, where a quantity is a score.
    fn count(&mut self, replay: &Replay, filter: &Filter, plan: &Plan, objects: u64) -> Result<(), InspectError> {
        let counting = Arc::new(Counting {
            groups: self.groups.clone(),
            places: self.quantities.iter().map(|quantity| Place::of(*quantity)).collect(),
        });
        let groups = self.groups.names.len();
        let counters = objects as usize * groups;
        let counters = if counting.has_scores() { counters } else { 0 };
        let source = replay.source();
        let start = || Counts {
            sketches: vec![Sketch::default(); groups * counting.places.len()],
            by_object: vec![0; counters],
            pending: Vec::with_capacity(TOGETHER),
            scores: source.scores(),
        };
        let mut all = start();
        let row = counting.clone();
        replay.fold(
            plan,
            (&counting.columns(), filter),
            start,
            move |counts, values| row.count(counts, values),
            |more| all.merge(more),
        )?;
        counting.add_objects(&mut all).map_err(|error| replay.failed(error))?;
        let sketches = self.sketches.iter_mut().zip(&all.sketches);
        sketches.for_each(|(sketch, more)| sketch.merge(more));
        Ok(())
    }

    /// The counts of a group, in order of the quantities.
    pub fn group(&self, group: usize) -> &[Sketch] {
        let quantities = self.quantities.len();
        &self.sketches[group * quantities..(group + 1) * quantities]
    }
}

/// What a thread has counted.
struct Counts {
    /// Group after group, a sketch for each quantity.
    sketches: Vec<Sketch>,
    /// `[objects][groups]` trajectories whose scores are their object's; empty when nothing is counted by object.
    by_object: Vec<u32>,
    /// Counters still to be raised, fewer than [`TOGETHER`].
    pending: Vec<u32>,
    /// This thread's own.
    scores: ObjectReader,
}

impl Counts {
    /// Raises a counter, sooner or later.
    fn count(&mut self, counter: usize) {
        self.pending.push(counter as u32);
        if self.pending.len() == TOGETHER {
            self.settle();
        }
    }

    /// Raises what is still to be raised.
    fn settle(&mut self) {
        for counter in self.pending.drain(..) {
            self.by_object[counter as usize] += 1;
        }
    }

    fn merge(&mut self, mut other: Self) {
        other.settle();
        let sketches = self.sketches.iter_mut().zip(&other.sketches);
        sketches.for_each(|(sketch, more)| sketch.merge(more));
        let counters = self.by_object.iter_mut().zip(&other.by_object);
        counters.for_each(|(count, more)| *count += more);
    }

    /// y and log R of an object; NaN where there is none.
    fn scores_of(&self, object: usize) -> rusqlite::Result<[f32; 2]> {
        let scores = self.scores.scores(object)?;
        Ok(scores.map(|score| if score.is_finite() { score } else { f32::NAN }))
    }
}

/// Where the value of a quantity is found.
#[derive(Clone, Copy)]
enum Place {
    /// In the row.
    Column(&'static str),
    /// In this column of the row; where that is NULL, in this place of the object's scores.
    Score(&'static str, usize),
}

impl Place {
    fn of(quantity: Quantity) -> Self {
        match quantity {
            Quantity::Y => Self::Score("own_y", 0),
            Quantity::LogReward => Self::Score("own_log_reward", 1),
            other => Self::Column(other.column()),
        }
    }

    fn is_score(self) -> bool {
        matches!(self, Self::Score(..))
    }

    fn column(self) -> &'static str {
        match self {
            Self::Column(name) | Self::Score(name, _) => name,
        }
    }
}

/// How rows are counted; shared by threads.
struct Counting {
    groups: Groups,
    /// By quantity.
    places: Vec<Place>,
}

/// Columns before those of the quantities: what the group is told from, and the object.
const FIRST: usize = 2;

impl Counting {
    fn has_scores(&self) -> bool {
        self.places.iter().any(|place| place.is_score())
    }

    /// What is asked of each row.
    fn columns(&self) -> String {
        let object = if self.has_scores() { "object_id" } else { "0" };
        let columns = self.places.iter().map(|place| place.column());
        let columns: Vec<&str> = [self.groups.column(), object].into_iter().chain(columns).collect();
        columns.join(", ")
    }

    /// Counts a row.
    fn count(&self, counts: &mut Counts, row: &Values<'_>) -> rusqlite::Result<()> {
        let group = self.groups.of(row, 0)?;
        let object = usize::try_from(row.get::<i64>(1)?).unwrap_or(usize::MAX);
        let counter = object.saturating_mul(self.groups.names.len()).saturating_add(group);
        if counter >= counts.by_object.len() || !self.are_the_objects(row) {
            return self.add(counts, group, row, Some(object));
        }
        counts.count(counter);
        if self.places.iter().all(|place| place.is_score()) {
            return Ok(());
        }
        self.add(counts, group, row, None)
    }

    /// Whether all scores of a row are its object's.
    fn are_the_objects(&self, row: &Values<'_>) -> bool {
        let mut places = (FIRST..).zip(&self.places);
        places.all(|(column, place)| !place.is_score() || row.get_raw(column) == ValueRef::Null)
    }

    /// Adds the values of a row to the sketches: without `object` those that are not scores.
    fn add(&self, counts: &mut Counts, group: usize, row: &Values<'_>, object: Option<usize>) -> rusqlite::Result<()> {
        let first = group * self.places.len();
        for (number, place) in self.places.iter().enumerate() {
            let own: Option<f32> = row.get(FIRST + number)?;
            let value = match (place, own, object) {
                (Place::Score(..), None, None) => continue,
                (Place::Score(_, score), None, Some(object)) => counts.scores_of(object)?[*score],
                (_, own, _) => own.unwrap_or(f32::NAN),
            };
            counts.sketches[first + number].add(value);
        }
        Ok(())
    }

    /// Adds what was counted by object to the sketches.
    fn add_objects(&self, counts: &mut Counts) -> rusqlite::Result<()> {
        let by_object = std::mem::take(&mut counts.by_object);
        for (object, by_group) in by_object.chunks(self.groups.names.len()).enumerate() {
            if by_group.iter().all(|count| *count == 0) {
                continue;
            }
            let scores = counts.scores_of(object)?;
            for (count, sketches) in by_group.iter().zip(counts.sketches.chunks_mut(self.places.len())) {
                for (place, sketch) in self.places.iter().zip(sketches) {
                    if let Place::Score(_, score) = place {
                        sketch.add_many(scores[*score], u64::from(*count));
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::By;
    use tempfile::TempDir;
    use thermoflow::random::{Purpose, Stream};
    use thermoflow::replay::{Received, Store};
    use thermoflow::rollout::Trajectory;
    use thermoflow::units::{Incarnation, PolicyVersion, Seq};

    const OBJECTS: usize = 5;

    /// Some score their object otherwise than whoever saw it first.
    fn trajectory(stream: &mut Stream, seq: u64) -> Received {
        let object = stream.below(OBJECTS);
        let own = [0.0, 0.25][usize::from(stream.below(4) == 0)];
        let log_reward = [0.0, 0.5][usize::from(stream.below(4) == 0)];
        Received {
            incarnation: Incarnation(0),
            actor_name: "actor".into(),
            seq: Seq(seq),
            staleness: 0,
            received_us: seq,
            trainable: true,
            trajectory: Trajectory {
                beta: stream.uniform(1.0, 3.0) as f32,
                actions: vec![0; 1 + object],
                y: object as f32 + own,
                log_reward: -(object as f32) + log_reward,
                log_pf: -1.0,
                policy_version: PolicyVersion(0),
                round: 0,
                index: seq as u32,
            },
            object: "ACGTN"[object..=object].into(),
        }
    }

    fn example() -> (TempDir, Replay) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replay.sqlite");
        let mut stream = Stream::new(0, Purpose::Bench, 0, 0);
        let all: Vec<Received> = (0..2000).map(|seq| trajectory(&mut stream, seq)).collect();
        Store::open(&path).unwrap().commit(&all).unwrap();
        let replay = Replay::open(&path).unwrap();
        (dir, replay)
    }

    /// All that can be seen of a tally; sums in another order differ in their last bits.
    type Seen = (u64, Vec<u64>, Option<[f64; 4]>, i64);

    fn seen(tally: &Tally) -> Vec<Seen> {
        let edges: Vec<f64> = (-10..=20).map(|place| f64::from(place) / 2.0).collect();
        let sketches = tally.sketches.iter().map(|sketch| {
            let quantiles = sketch.quantiles();
            let mean = quantiles.map_or(0.0, |found| found.mean);
            (
                sketch.count(),
                sketch.bins(&edges),
                quantiles.map(|found| [found.min, found.p25, found.p50, found.max]),
                (mean * 1e9).round() as i64,
            )
        });
        sketches.collect()
    }

    #[test]
    fn counting_by_object_is_counting() {
        let (_dir, replay) = example();
        let mixed = [Quantity::Y, Quantity::Length, Quantity::LogReward];
        let scores = [Quantity::LogReward, Quantity::Y];
        let whole = Plan::all(&replay).unwrap();
        for by in [None, Some(By::Beta), Some(By::Actor)] {
            for (filter, quantities) in [(None, &mixed[..]), (None, &scores), (Some("y > 1.5"), &mixed)] {
                let filter = Filter::new(filter, &replay).unwrap();
                let count = |plan: &Plan, objects| {
                    let mut tally = Tally::new(Groups::new(&replay, by).unwrap(), quantities);
                    for range in &plan.ranges {
                        let plan = Plan {
                            ranges: vec![range.clone()],
                        };
                        tally.count(&replay, &filter, &plan, objects).unwrap();
                    }
                    seen(&tally)
                };
                let direct = count(&whole, 0);
                assert!(direct[0].0 > 0, "{by:?}");
                // Numbers of objects begin with 1; some of them may be newer than what is counted by.
                for objects in [3, 1 + OBJECTS as u64] {
                    assert_eq!(count(&whole, objects), direct, "{by:?} {objects}");
                    assert_eq!(
                        count(&whole.in_pieces(700), objects),
                        direct,
                        "{by:?} {objects} in pieces"
                    );
                }
            }
        }
    }

    #[test]
    fn scores_of_their_own_are_told_from_those_of_objects() {
        let (_dir, replay) = example();
        let mut tally = Tally::new(Groups::all(), &[Quantity::Y]);
        let plan = Plan::all(&replay).unwrap();
        tally.extend(&replay, &Filter::NONE, &plan).unwrap();
        let by_sql = |condition: &str| {
            let sql = format!("SELECT count(*) FROM replay WHERE {condition}");
            replay.number(&sql).unwrap() as u64
        };
        let bins = tally.group(0)[0].bins(&[0.0, 0.2, 0.3]);
        let expected = [by_sql("y < 0.2"), by_sql("y BETWEEN 0.2 AND 0.3")];
        assert!(expected.iter().all(|count| *count > 10), "{expected:?}");
        assert_eq!(bins, expected);
    }
}
