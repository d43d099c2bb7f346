//! An external program as an oracle: one JSON object a line on its standard input and output.
//!
//! A request `{"id":7,"x":["ACGT","AC"]}` is answered by `{"id":7,"y":[0.3,null]}`: a number for each object in the same
//! order, or null (NaN, Infinity) for one that cannot be scored. Requests come one after the other. Standard output is
//! for answers only; messages belong on standard error, whose last lines we repeat when something goes wrong. The end
//! of its standard input asks the program to end.
//!
//! This is the one place in the core that does I/O: it starts processes, has threads and reads the clock. What it must
//! keep up: a bad program costs time and scores, never the run, and no process outlives its scorer.

pub(crate) mod answer;
mod instance;
pub(crate) mod lines;
mod pool;

#[cfg(test)]
mod tests;

use super::health::Counters;
use super::{OracleConfig, OracleHealth};
use crate::env::{Environment, StateIndex, States};
use crate::task::{ScoreError, Scorer};
use lru::LruCache;
use pool::{Answer, Pool};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

/// Scores objects by asking an external program, for each object once as long as the cache holds it.
#[derive(Debug)]
pub struct ProgramScorer {
    env: Arc<dyn Environment>,
    /// What the program said: a score, or NaN for null. Failures are not kept, they may pass.
    cache: Option<Mutex<LruCache<Box<[u8]>, f32>>>,
    pool: Pool,
    counters: Arc<Counters>,
}

/// The program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the oracle program {program:?} cannot be started")]
pub struct StartError {
    /// The first word of the command.
    pub program: String,
    /// Why.
    pub source: std::io::Error,
}

/// Objects to ask for, and where their scores belong.
struct Wanted {
    objects: StateIndex,
    /// Place in the batch, number in `objects`.
    places: Vec<(usize, u32)>,
}

impl ProgramScorer {
    /// Starts all instances of the program; they end with the scorer. `config` must have passed its check.
    ///
    /// # Errors
    /// When the program cannot be started. One that starts and ends at once shows with the first score.
    pub fn start(config: &OracleConfig, env: Arc<dyn Environment>) -> Result<Self, StartError> {
        let counters = Arc::new(Counters::default());
        Ok(Self {
            env,
            cache: NonZeroUsize::new(config.cache).map(|size| Mutex::new(LruCache::new(size))),
            pool: Pool::start(config, counters.clone())?,
            counters,
        })
    }

    /// Fills in the scores that are known; returns what is to be asked for, each object once.
    fn recall(&self, objects: &States, scores: &mut [f32]) -> Wanted {
        let mut wanted = Wanted {
            objects: StateIndex::new(objects.width()),
            places: Vec::new(),
        };
        let mut cache = self.cache.as_ref().map(|cache| cache.lock().expect(NO_PANIC));
        for (place, object) in objects.iter().enumerate() {
            match cache.as_mut().and_then(|cache| cache.get(object)) {
                Some(&y) => scores[place] = y,
                None => wanted.places.push((place, wanted.objects.insert(object).0)),
            }
        }
        wanted
    }

    fn remember(&self, objects: &States, answers: &[Answer]) {
        let Some(cache) = &self.cache else { return };
        let mut cache = cache.lock().expect(NO_PANIC);
        for (object, answer) in objects.iter().zip(answers) {
            if let Answer::Said(y) = *answer {
                cache.put(object.into(), y);
            }
        }
    }
}

/// Why locking the cache does not fail.
const NO_PANIC: &str = "nothing panics while it holds the cache";

impl Scorer for ProgramScorer {
    /// # Errors
    /// When the program has never answered anything: then it is no oracle, and there is no use in going on. After
    /// [`Scorer::stop`].
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        let mut scores = vec![f32::NAN; objects.len()];
        let wanted = self.recall(objects, &mut scores);
        let distinct = wanted.objects.states();
        self.counters.calls.add(distinct.len());
        self.counters.cached.add(objects.len() - distinct.len());
        let texts: Vec<String> = distinct.iter().map(|object| self.env.format(object)).collect();
        let answers = self.pool.ask(&texts)?;
        self.remember(distinct, &answers);
        for (place, id) in wanted.places {
            scores[place] = answers[id as usize].score();
        }
        self.counters.count_failed(&scores);
        Ok(scores)
    }

    fn health(&self) -> OracleHealth {
        self.counters.read()
    }

    fn stop(&self) {
        self.pool.stop();
    }
}
