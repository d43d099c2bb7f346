//! Scores that take longer than they need to, in place of an oracle that there is not yet.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use thermoflow::env::States;
use thermoflow::task::oracle::OracleHealth;
use thermoflow::task::{ScoreError, Scorer};

/// The scores of another scorer, after a pause for every object.
#[derive(Debug)]
pub(crate) struct SlowScorer {
    inner: Arc<dyn Scorer>,
    each: Duration,
    stopped: Mutex<bool>,
    stop: Condvar,
}

impl SlowScorer {
    pub fn new(inner: Arc<dyn Scorer>, each: Duration) -> Self {
        Self {
            inner,
            each,
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        }
    }
}

impl Scorer for SlowScorer {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        let pause = self.each * u32::try_from(objects.len()).unwrap_or(u32::MAX);
        let stopped = self.stopped.lock().expect(NO_PANIC);
        let waited = self.stop.wait_timeout_while(stopped, pause, |stopped| !*stopped);
        if *waited.expect(NO_PANIC).0 {
            return Err(ScoreError("scoring was stopped".into()));
        }
        self.inner.score(objects)
    }

    fn is_repeatable(&self) -> bool {
        self.inner.is_repeatable()
    }

    fn health(&self) -> OracleHealth {
        self.inner.health()
    }

    fn start(&self) -> Result<(), ScoreError> {
        self.inner.start()
    }

    fn stop(&self) {
        *self.stopped.lock().expect(NO_PANIC) = true;
        self.stop.notify_all();
        self.inner.stop();
    }
}

/// Why locking does not fail.
const NO_PANIC: &str = "nothing panics while it holds the flag";

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use thermoflow::config::RunConfig;
    use thermoflow::task::Task;

    fn slow(each: Duration) -> (SlowScorer, States) {
        let task = Task::load(&RunConfig::published("tfbind8").unwrap().task).unwrap();
        let mut objects = States::new(task.env.state_width());
        objects.push(&task.env.parse_object("GATTACAA").unwrap());
        (SlowScorer::new(task.scorer, each), objects)
    }

    #[test]
    fn scores_are_the_same_and_come_later() {
        let each = Duration::from_millis(5);
        let (scorer, objects) = slow(each);
        let begin = Instant::now();
        assert_eq!(scorer.score(&objects).unwrap(), scorer.inner.score(&objects).unwrap());
        assert!(begin.elapsed() >= each);
    }

    #[test]
    fn who_waits_can_be_stopped() {
        let (scorer, objects) = slow(Duration::from_secs(3600));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| scorer.score(&objects));
            scorer.stop();
            assert!(waiting.join().unwrap().is_err());
        });
    }
}
