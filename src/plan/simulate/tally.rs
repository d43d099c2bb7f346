//! What is counted while a run is simulated, window by window, and when enough of it was seen.

use super::super::Prediction;
use super::super::prediction::Shares;
use crate::protocol::Waiting;
use std::collections::BTreeMap;

/// Windows that are looked at before anything is concluded.
const FEWEST: usize = 16;

/// A rate is known well enough when the half-width of its 95 % interval is below this share of it.
const PRECISION: f64 = 0.01;

/// Roll-outs and training are in balance when they differ by less than this share.
const BALANCE: f64 = 0.05;

/// Counts since the beginning.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// Trajectories let into training, which is after they were committed.
    pub trained_in: f64,
    /// Trajectories rolled out.
    pub rolled: f64,
    /// Objects scored.
    pub scored: f64,
    /// Gradient steps.
    pub steps: f64,
    /// Trajectories too stale to be trained on.
    pub stale: f64,
    /// Seconds that training waited for trajectories.
    pub training_waited: f64,
    /// Seconds that the network task computed.
    pub network: f64,
    /// Seconds that the replay computed, or waited for the disk.
    pub ingest: f64,
    /// Core-seconds of the learner's machine.
    pub learner_cores: f64,
    /// Core-seconds of all other machines.
    pub actor_cores: f64,
    /// Messages over the learner's link, to it and from it.
    pub messages: [f64; 2],
    /// Bytes to the learner.
    pub up: f64,
    /// Bytes from the learner.
    pub down: f64,
    /// Seconds in which the link was in use, up and down.
    pub link_used: [f64; 2],
    /// Rows of metrics.
    pub reports: f64,
    /// Looks at actors, and what they were doing.
    pub looks: f64,
    pub doing: [f64; DOINGS],
    /// Trajectories that came again.
    pub resent: f64,
}

const DOINGS: usize = 5;

/// What an actor does when it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Rolling = 0,
    Scoring = 1,
    WaitingForAcks = 2,
    WaitingForWeights = 3,
    Other = 4,
}

impl From<Waiting> for Doing {
    fn from(waiting: Waiting) -> Self {
        match waiting {
            Waiting::Acks => Self::WaitingForAcks,
            Waiting::Weights => Self::WaitingForWeights,
            Waiting::Work | Waiting::Nothing => Self::Other,
        }
    }
}

/// A window's staleness: how many trajectories were so many versions old.
pub(super) type Staleness = BTreeMap<u64, u64>;

/// Counts at the end of each window.
#[derive(Debug)]
pub(super) struct Tally {
    /// Seconds.
    pub window: f64,
    ends: Vec<(Counts, Staleness)>,
}

/// What came of a simulation, before it is put in words.
pub(super) struct Outcome {
    pub counts: Counts,
    pub seconds: f64,
    pub staleness: Staleness,
    /// Half-width of the 95 % interval of the rate, as a share of it.
    pub error: f64,
}

impl Tally {
    pub fn new(window: f64) -> Self {
        Self {
            window,
            ends: Vec::new(),
        }
    }

    /// When the window under way ends.
    pub fn next_end(&self) -> f64 {
        (self.ends.len() + 1) as f64 * self.window
    }

    /// A window ended.
    pub fn end_window(&mut self, counts: Counts, staleness: Staleness) {
        self.ends.push((counts, staleness));
    }

    /// How far it is, 0 to 1, if it goes on as it does.
    pub fn progress(&self) -> f64 {
        let windows = self.ends.len() as f64 / FEWEST as f64;
        windows.min((PRECISION / self.error()).min(1.0))
    }

    /// True when the rate is known well enough, and outboxes and queues have stopped filling. What came before the second
    /// half of the windows is warm-up.
    pub fn is_steady(&self) -> bool {
        self.ends.len() >= FEWEST && self.error() <= PRECISION && self.is_balanced()
    }

    /// What is rolled out is trained on.
    fn is_balanced(&self) -> bool {
        let Counts { rolled, trained_in, .. } = self.outcome().counts;
        (rolled - trained_in).abs() <= BALANCE * trained_in
    }

    fn second_half(&self) -> usize {
        self.ends.len() / 2
    }

    /// Half-width of the 95 % interval of the mean rate, as a share of it, by the windows of the second half. They are
    /// taken in pairs of neighbours, because what one window lacks the next one has.
    fn error(&self) -> f64 {
        let at = |end: usize| self.ends[end].0.trained_in;
        let ends: Vec<usize> = (self.second_half()..self.ends.len()).step_by(2).collect();
        let rates: Vec<f64> = ends.windows(2).map(|pair| at(pair[1]) - at(pair[0])).collect();
        let count = rates.len() as f64;
        let mean = rates.iter().sum::<f64>() / count;
        if rates.len() < 3 || mean <= 0.0 {
            return f64::INFINITY;
        }
        let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (count - 1.0);
        T_95 * (variance / count).sqrt() / mean
    }

    /// What was seen in the second half.
    pub fn outcome(&self) -> Outcome {
        let first = self.second_half().min(self.ends.len().saturating_sub(2));
        let (Some((begin, _)), Some((end, _))) = (self.ends.get(first), self.ends.last()) else {
            return Outcome {
                counts: Counts::default(),
                seconds: self.window,
                staleness: Staleness::new(),
                error: f64::INFINITY,
            };
        };
        let mut staleness = Staleness::new();
        for (_, window) in &self.ends[first + 1..] {
            window
                .iter()
                .for_each(|(&age, count)| *staleness.entry(age).or_default() += count);
        }
        Outcome {
            counts: end.less(begin),
            seconds: (self.ends.len() - 1 - first) as f64 * self.window,
            staleness,
            error: self.error(),
        }
    }
}

/// Student's t for 95 % with as few values as there are at least; more make it smaller.
const T_95: f64 = 4.3;

impl Counts {
    fn less(&self, other: &Self) -> Self {
        let doing = std::array::from_fn(|kind| self.doing[kind] - other.doing[kind]);
        let link_used = std::array::from_fn(|way| self.link_used[way] - other.link_used[way]);
        Self {
            trained_in: self.trained_in - other.trained_in,
            rolled: self.rolled - other.rolled,
            scored: self.scored - other.scored,
            steps: self.steps - other.steps,
            stale: self.stale - other.stale,
            training_waited: self.training_waited - other.training_waited,
            network: self.network - other.network,
            ingest: self.ingest - other.ingest,
            learner_cores: self.learner_cores - other.learner_cores,
            actor_cores: self.actor_cores - other.actor_cores,
            messages: std::array::from_fn(|way| self.messages[way] - other.messages[way]),
            up: self.up - other.up,
            down: self.down - other.down,
            reports: self.reports - other.reports,
            looks: self.looks - other.looks,
            resent: self.resent - other.resent,
            doing,
            link_used,
        }
    }
}

impl Outcome {
    /// The age that so large a share of trajectories does not exceed.
    fn age(&self, share: f64) -> Option<f64> {
        let all: u64 = self.staleness.values().sum();
        let mut seen = 0;
        self.staleness
            .iter()
            .find(|(_, count)| {
                seen += **count;
                seen as f64 >= share * all as f64
            })
            .map(|(&age, _)| age as f64)
    }

    /// As rates and shares.
    pub fn prediction(&self, actor_cores: f64, learner_cores: f64) -> Prediction {
        let counts = &self.counts;
        let rate = |count: f64| count / self.seconds;
        let doing = |kind: Doing| counts.doing[kind as usize] / counts.looks.max(1.0);
        Prediction {
            trajectories_per_second: rate(counts.trained_in),
            relative_error: self.error,
            is_steady: false,
            rewards_per_second: rate(counts.scored),
            steps_per_second: rate(counts.steps),
            messages_up_per_second: rate(counts.messages[0]),
            messages_down_per_second: rate(counts.messages[1]),
            bytes_up_per_second: rate(counts.up),
            bytes_down_per_second: rate(counts.down),
            reports_per_second: rate(counts.reports),
            staleness_p50: self.age(0.5),
            staleness_max: self.age(1.0),
            stale_share: counts.stale / counts.trained_in.max(1.0),
            resent_share: counts.resent / (counts.trained_in + counts.resent).max(1.0),
            learner: Shares {
                training: (1.0 - rate(counts.training_waited)).max(0.0),
                network: rate(counts.network),
                ingest: rate(counts.ingest),
                cores: rate(counts.learner_cores) / learner_cores,
                link_up: rate(counts.link_used[0]),
                link_down: rate(counts.link_used[1]),
            },
            actors_rolling: doing(Doing::Rolling),
            actors_scoring: doing(Doing::Scoring),
            actors_waiting_for_acks: doing(Doing::WaitingForAcks),
            actors_waiting_for_weights: doing(Doing::WaitingForWeights),
            actor_cores: (actor_cores > 0.0).then(|| rate(counts.actor_cores) / actor_cores),
            simulated_seconds: self.seconds,
            disk_bytes_per_day: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rates: impl Iterator<Item = f64>) -> Tally {
        let mut tally = Tally::new(2.0);
        let mut counts = Counts::default();
        for (number, rate) in rates.enumerate() {
            counts.trained_in += 2.0 * rate;
            counts.rolled = counts.trained_in;
            tally.end_window(counts.clone(), Staleness::from([(number as u64, 1)]));
        }
        tally
    }

    #[test]
    fn what_grows_at_one_rate_is_steady_and_the_warm_up_does_not_count() {
        let steady = tally((0..16).map(|number| if number < 6 { 1.0 } else { 100.0 }));
        assert!(steady.is_steady());
        let outcome = steady.outcome();
        assert!((outcome.counts.trained_in / outcome.seconds - 100.0).abs() < 1e-9);
        assert_eq!((outcome.age(0.0), outcome.age(1.0)), (Some(9.0), Some(15.0)));
    }

    #[test]
    fn what_varies_takes_longer() {
        // Pairs of windows go up and down.
        let noisy = |count| tally((0..count).map(|number| 100.0 + 30.0 * f64::from((number + 1) / 2 % 2)));
        assert!(!noisy(16).is_steady());
        assert!(noisy(16).outcome().error > 0.05);
        assert!(noisy(16).outcome().error > noisy(64).outcome().error);
        assert!(!tally((0..15).map(|_| 1.0)).is_steady(), "too few windows");
        assert!(!tally((0..20).map(|_| 0.0)).is_steady(), "nothing happens");
        let mut filling = tally((0..16).map(|_| 1.0));
        assert!(filling.is_steady());
        filling.ends.iter_mut().for_each(|(counts, _)| counts.rolled *= 2.0);
        assert!(!filling.is_steady(), "outboxes are filling");
    }
}
