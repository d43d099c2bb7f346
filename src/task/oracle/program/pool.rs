//! All instances of an oracle program: shares requests out, repeats failed ones, complains at a bearable rate.

use super::StartError;
use super::instance::{Failure, Instance, Remains};
use crate::task::ScoreError;
use crate::task::oracle::OracleConfig;
use crate::task::oracle::health::Counters;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// At most one warning in this time; others are counted.
const QUIET: Duration = Duration::from_secs(10);

/// What became of an object.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// The program's score; NaN when it said that it has none.
    Said(f32),
    /// Every request with it failed.
    Failed,
}

impl Answer {
    /// The score, NaN when there is none.
    pub fn score(self) -> f32 {
        match self {
            Self::Said(y) => y,
            Self::Failed => f32::NAN,
        }
    }
}

/// Threads with an instance each.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    /// Holds a job for each thread; when it is full, asking waits. None once the pool is being dropped.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// Objects for one request and where their scores go.
struct Job {
    first: usize,
    objects: Vec<String>,
    answers: Sender<(usize, Vec<Answer>)>,
}

#[derive(Debug)]
struct Shared {
    config: OracleConfig,
    counters: Arc<Counters>,
    has_answered: AtomicBool,
    complaints: Mutex<Complaints>,
}

#[derive(Debug, Default)]
struct Complaints {
    newest: String,
    warned: Option<Instant>,
    held_back: usize,
}

impl Pool {
    /// Starts every instance.
    pub fn start(config: &OracleConfig, counters: Arc<Counters>) -> Result<Self, StartError> {
        let failed = |source| StartError {
            program: config.command[0].clone(),
            source,
        };
        let (jobs, inbox) = bounded(config.instances);
        let mut pool = Self {
            shared: Arc::new(Shared {
                config: config.clone(),
                counters,
                has_answered: AtomicBool::new(false),
                complaints: Mutex::default(),
            }),
            jobs: Some(jobs),
            threads: Vec::with_capacity(config.instances),
        };
        for number in 0..config.instances {
            let worker = Worker {
                instance: Some(Instance::start(config).map_err(failed)?),
                shared: pool.shared.clone(),
                newest_id: 0,
            };
            let inbox: Receiver<Job> = inbox.clone();
            let thread = std::thread::Builder::new().name(format!("oracle-{number}"));
            pool.threads
                .push(thread.spawn(move || worker.run(&inbox)).map_err(failed)?);
        }
        Ok(pool)
    }

    /// Asks for every object, in requests that keep all instances busy; answers in the same order.
    ///
    /// # Errors
    /// When nothing was ever answered.
    pub fn ask(&self, objects: &[String]) -> Result<Vec<Answer>, ScoreError> {
        let config = &self.shared.config;
        let mut answers = vec![Answer::Failed; objects.len()];
        let size = objects.len().div_ceil(config.instances).clamp(1, config.batch);
        let (sender, receiver) = bounded(objects.len().div_ceil(size));
        for (part, first) in objects.chunks(size).zip((0..).step_by(size)) {
            let job = Job {
                first,
                objects: part.to_vec(),
                answers: sender.clone(),
            };
            // Without threads nobody answers, and the objects stay failed.
            let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
        }
        drop(sender);
        for (first, part) in receiver {
            answers[first..first + part.len()].copy_from_slice(&part);
        }
        if objects.is_empty() || self.shared.has_answered.load(Ordering::Relaxed) {
            return Ok(answers);
        }
        Err(ScoreError(format!(
            "the oracle program {:?} has not answered a single request; {}",
            config.command,
            self.newest_complaint()
        )))
    }

    /// What went wrong last.
    pub fn newest_complaint(&self) -> String {
        self.shared.complaints().newest.clone()
    }
}

impl Drop for Pool {
    /// Lets every thread end its instance, all at the same time, and waits for them.
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has dropped its instance too.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn complaints(&self) -> std::sync::MutexGuard<'_, Complaints> {
        self.complaints
            .lock()
            .expect("nothing panics while it holds the complaints")
    }

    fn complain(&self, complaint: String) {
        let mut complaints = self.complaints();
        if complaints.warned.is_some_and(|warned| warned.elapsed() < QUIET) {
            complaints.held_back += 1;
        } else {
            let held_back = std::mem::take(&mut complaints.held_back);
            tracing::warn!(held_back, "oracle: {complaint}");
            complaints.warned = Some(Instant::now());
        }
        complaints.newest = complaint;
    }
}

/// One thread's instance; none after a failure until it is needed.
struct Worker {
    shared: Arc<Shared>,
    instance: Option<Instance>,
    newest_id: u64,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        for job in jobs {
            let answers = self.answer(&job.objects, self.shared.config.retries);
            // There is room for every answer; whoever asked is still waiting unless it panicked.
            let _ = job.answers.send((job.first, answers));
        }
    }

    /// Asks for objects; after a failure again in halves, so that a bad object takes few others with it and a slow
    /// program gets along. The time-out can pass 2^(retries + 1) − 1 times.
    fn answer(&mut self, objects: &[String], retries: u32) -> Vec<Answer> {
        let failure = match self.ask(objects) {
            Ok(scores) => return self.said(objects, scores),
            Err(failure) => failure,
        };
        self.give_up(objects, &failure);
        if retries == 0 {
            return vec![Answer::Failed; objects.len()];
        }
        let (left, right) = objects.split_at(objects.len() / 2);
        let halves = [left, right].into_iter().filter(|half| !half.is_empty());
        halves
            .flat_map(|half| {
                self.shared.counters.retries.add(1);
                self.answer(half, retries - 1)
            })
            .collect()
    }

    fn ask(&mut self, objects: &[String]) -> Result<Vec<f32>, Failure> {
        let config = &self.shared.config;
        let instance = match &mut self.instance {
            Some(instance) => instance,
            None => {
                let started = Instance::start(config)?;
                self.shared.counters.restarts.add(1);
                self.instance.insert(started)
            }
        };
        self.newest_id += 1;
        instance.ask(self.newest_id, objects, Duration::from_secs_f64(config.timeout_seconds))
    }

    fn said(&self, objects: &[String], scores: Vec<f32>) -> Vec<Answer> {
        self.shared.has_answered.store(true, Ordering::Relaxed);
        if let Some(first) = scores.iter().position(|y| y.is_nan()) {
            let (none, all) = (scores.iter().filter(|y| y.is_nan()).count(), scores.len());
            let example = &objects[first];
            self.shared.complain(format!(
                "no finite score for {none} of {all} objects, such as {example:?}"
            ));
        }
        scores.into_iter().map(Answer::Said).collect()
    }

    /// Ends the instance that failed and says why.
    fn give_up(&mut self, objects: &[String], failure: &Failure) {
        if matches!(failure, Failure::Timeout(_)) {
            self.shared.counters.timeouts.add(1);
        }
        let remains = self.instance.take().map(|instance| instance.remains(failure));
        let Remains { status, last_lines } = remains.unwrap_or_default();
        let status = status.map_or_else(String::new, |status| format!(" ({status})"));
        let stderr = match &last_lines[..] {
            [] => "it wrote nothing to stderr".into(),
            lines => format!("the end of its stderr:\n{}", lines.join("\n")),
        };
        let (count, first) = (objects.len(), objects.first().map_or("", |object| object));
        self.shared.complain(format!(
            "a request for {count} objects, the first {first:?}, failed: {failure}{status}; {stderr}"
        ));
    }
}
