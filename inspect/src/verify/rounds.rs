//! Sync mode: each place of each round is there once. The rounds before the last complete one must be whole; what lies
//! behind it is under way.

use super::Tally;
use std::collections::BTreeMap;

/// Which places of which rounds there are.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    batch: usize,
    /// A bit per place.
    places: BTreeMap<i64, Vec<u64>>,
    tally: Tally,
}

impl Rounds {
    /// Rounds of `batch` places.
    pub fn new(batch: usize) -> Self {
        Self {
            batch,
            ..Self::default()
        }
    }

    /// Notes a trajectory's place.
    pub fn note(&mut self, round: i64, place: i64) {
        let batch = self.batch;
        let Some(place) = usize::try_from(place).ok().filter(|place| *place < batch && round >= 0) else {
            self.tally.look(Some(|| {
                format!("place {place} of round {round} is none: rounds have {batch} places")
            }));
            return;
        };
        let places = self.places.entry(round).or_insert_with(|| vec![0; batch.div_ceil(64)]);
        let (word, bit) = (&mut places[place / 64], 1 << (place % 64));
        let twice = *word & bit != 0;
        *word |= bit;
        self.tally
            .look(twice.then_some(|| format!("place {place} of round {round} is there twice")));
    }

    /// What is wrong, once all are noted.
    pub fn finish(mut self) -> Tally {
        let count = |places: &[u64]| places.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        let whole = |places: &[u64]| count(places) == self.batch;
        let complete = self.places.iter().rev().find(|(_, places)| whole(places));
        let Some(last) = complete.map(|(round, _)| *round) else {
            return self.tally;
        };
        let mut next = 0;
        for (&round, places) in self.places.range(..=last) {
            if next < round {
                let missing = round - next;
                let first = next;
                self.tally.fault(missing as u64, || {
                    format!("rounds {first} to {} are missing", round - 1)
                });
            }
            let there = count(places);
            if there < self.batch {
                let batch = self.batch;
                self.tally
                    .fault(1, || format!("round {round} has {there} of {batch} places"));
            }
            next = round + 1;
        }
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(places: &[(i64, i64)]) -> (u64, String) {
        let mut rounds = Rounds::new(2);
        for (round, place) in places {
            rounds.note(*round, *place);
        }
        let tally = rounds.finish();
        (tally.wrong, tally.examples.join("; "))
    }

    #[test]
    fn a_round_under_way_is_no_fault() {
        assert_eq!(found(&[]).0, 0);
        assert_eq!(found(&[(0, 0), (1, 1)]).0, 0, "none is complete");
        assert_eq!(found(&[(1, 0), (0, 1), (0, 0), (2, 1), (1, 1), (3, 0)]).0, 0);
    }

    #[test]
    fn what_is_missing_or_there_twice_is_found() {
        assert_eq!(
            found(&[(0, 0), (1, 0), (1, 1)]),
            (1, "round 0 has 1 of 2 places".into())
        );
        assert_eq!(found(&[(3, 0), (3, 1)]), (3, "rounds 0 to 2 are missing".into()));
        assert_eq!(
            found(&[(0, 0), (0, 0)]),
            (1, "place 0 of round 0 is there twice".into())
        );
        assert_eq!(found(&[(0, 2)]).0, 1);
        assert_eq!(found(&[(-1, 0)]).0, 1);
    }
}
