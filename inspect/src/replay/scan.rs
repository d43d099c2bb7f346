//! Reading all trajectories, on all cores, in order.
//!
//! What is read is fixed beforehand from the table `batches`: numbers are given without gaps and rows never change, so
//! connections that see the database a little later read the same, and a learner that writes meanwhile does not matter.

use super::fold::{Fold, Values};
use super::{Filter, Replay, Source};
use crate::InspectError;
use crate::batches::Batch;
use indicatif::ProgressBar;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Trajectories that a thread reads at a time.
const CHUNK: i64 = 1 << 16;

/// Results that a thread may be ahead of whoever takes them.
const AHEAD: usize = 2;

/// Threads that read; more only wait for each other.
const MAX_THREADS: usize = 16;

/// Trajectories of one actor that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The actor's number.
    pub actor: i64,
    /// Their numbers.
    pub seqs: RangeInclusive<i64>,
}

impl Range {
    fn len(&self) -> u64 {
        (self.seqs.end() - self.seqs.start() + 1).max(0) as u64
    }

    fn chunks(&self, size: i64) -> impl Iterator<Item = Self> {
        let (first, last, actor) = (*self.seqs.start(), *self.seqs.end(), self.actor);
        (first..=last).step_by(size as usize).map(move |low| Self {
            actor,
            seqs: low..=last.min(low + size - 1),
        })
    }
}

/// What is to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order of actor and number.
    pub ranges: Vec<Range>,
}

impl Plan {
    /// Everything that is committed now.
    ///
    /// # Errors
    /// When reading fails.
    pub fn all(replay: &Replay) -> Result<Self, InspectError> {
        let sql = "SELECT actor_id, min(first_seq), max(last_seq) FROM batches GROUP BY actor_id ORDER BY actor_id";
        let whole = replay.rows(sql, |row| {
            Ok(Range {
                actor: row.get(0)?,
                seqs: row.get(1)?..=row.get(2)?,
            })
        })?;
        Ok(Self::in_chunks(&whole))
    }

    /// What came with batches that follow each other in order of commit.
    pub fn of(batches: &[Batch]) -> Self {
        let mut actors: BTreeMap<i64, [i64; 2]> = BTreeMap::new();
        for batch in batches {
            let [first, last] = [batch.first_seq, batch.first_seq + batch.count as i64 - 1];
            let seqs = actors.entry(batch.actor).or_insert([first, last]);
            *seqs = [seqs[0].min(first), seqs[1].max(last)];
        }
        let whole = actors.into_iter().map(|(actor, [first, last])| Range {
            actor,
            seqs: first..=last,
        });
        Self::in_chunks(&whole.collect::<Vec<_>>())
    }

    fn in_chunks(ranges: &[Range]) -> Self {
        Self {
            ranges: ranges.iter().flat_map(|range| range.chunks(CHUNK)).collect(),
        }
    }

    /// The same in smaller pieces, where the results of many trajectories are large.
    #[must_use]
    pub fn in_pieces(&self, size: i64) -> Self {
        Self {
            ranges: self.ranges.iter().flat_map(|range| range.chunks(size)).collect(),
        }
    }

    /// How many trajectories it holds, at most.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(Range::len).sum()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

/// The rows of a range.
pub type Rows<'a> = rusqlite::Rows<'a>;

impl Replay {
    /// Reads `columns` of the view `replay` for the trajectories of a plan that pass the filter: `work` makes something of
    /// the rows of each range, on several threads, and `take` gets that in order of the ranges. Memory does not grow with
    /// the number of trajectories.
    ///
    /// # Errors
    /// When reading fails, and those of `work` and `take`.
    pub fn scan<T: Send>(
        &self,
        plan: &Plan,
        (columns, filter): (&str, &Filter),
        work: impl Fn(&Range, &mut Rows<'_>) -> Result<T, Stop> + Sync,
        mut take: impl FnMut(T) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        let threads = threads(plan);
        let sql = sql(columns, filter);
        let (sql, work, source, progress) = (&sql, &work, &self.source, self.begin(plan));
        thread::scope(|scope| {
            let results: Vec<Receiver<Result<T, InspectError>>> = (0..threads)
                .map(|first| {
                    let (sender, receiver) = sync_channel(AHEAD);
                    let ranges = plan.ranges.iter().skip(first).step_by(threads);
                    scope.spawn(move || {
                        for (result, _) in source.read((sql, filter), ranges, |_| Ok(()), work) {
                            // Nobody takes more: another range failed.
                            if sender.send(result).is_err() {
                                return;
                            }
                        }
                    });
                    receiver
                })
                .collect();
            for (place, range) in plan.ranges.iter().enumerate() {
                // A thread that panicked ends the scope with its panic.
                let Ok(result) = results[place % threads].recv() else {
                    break;
                };
                take(result?)?;
                progress.inc(range.len());
            }
            progress.finish_and_clear();
            Ok(())
        })
    }

    /// Reads `columns` of the view `replay` for the trajectories of a plan that pass the filter: each thread starts with
    /// `start`, `add`s row after row to it, and `merge` gets what each thread has in the end. The order is not kept.
    ///
    /// # Errors
    /// When reading fails, and those of `add`.
    pub fn fold<T: Send + 'static>(
        &self,
        plan: &Plan,
        (columns, filter): (&str, &Filter),
        start: impl Fn() -> T + Sync,
        add: impl Fn(&mut T, &Values<'_>) -> rusqlite::Result<()> + Send + Sync + 'static,
        merge: impl FnMut(T),
    ) -> Result<(), InspectError> {
        let next = AtomicUsize::new(0);
        let (sql, add) = (sql(&Fold::<T>::call(columns), filter), Arc::new(add));
        let (next, sql, add, start) = (&next, &sql, &add, &start);
        let (source, progress) = (&self.source, &self.begin(plan));
        let sums: Result<Vec<T>, InspectError> = thread::scope(|scope| {
            let threads: Vec<_> = (0..threads(plan))
                .map(|_| {
                    scope.spawn(move || -> Result<T, InspectError> {
                        let fold = Fold::of(start());
                        let left = std::iter::from_fn(|| plan.ranges.get(next.fetch_add(1, Ordering::Relaxed)));
                        let install = |connection: &Connection| fold.install(connection, add.clone());
                        let work = |_: &Range, rows: &mut Rows<'_>| fold.run(rows, columns);
                        for (result, range) in source.read((sql, filter), left, install, work) {
                            result.inspect_err(|_| next.store(plan.ranges.len(), Ordering::Relaxed))?;
                            progress.inc(range.len());
                        }
                        Ok(fold.into_sum())
                    })
                })
                .collect();
            let sums = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            sums.collect()
        });
        self.progress.finish_and_clear();
        sums?.into_iter().for_each(merge);
        Ok(())
    }

    fn begin(&self, plan: &Plan) -> ProgressBar {
        self.progress.set_length(plan.len());
        self.progress.set_position(0);
        self.progress.clone()
    }
}

fn threads(plan: &Plan) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.min(MAX_THREADS).min(plan.ranges.len())
}

fn sql(columns: &str, filter: &Filter) -> String {
    format!(
        "SELECT {columns} FROM scanned WHERE actor_id = ?1 AND seq BETWEEN ?2 AND ?3 AND {}",
        filter.sql()
    )
}

impl Source {
    /// One thread's part: range after range with its result. `install` gives the thread's connection what `sql` asks for.
    fn read<'a, T>(
        &'a self,
        (sql, filter): (&'a str, &'a Filter),
        mut ranges: impl Iterator<Item = &'a Range> + 'a,
        install: impl Fn(&Connection) -> rusqlite::Result<()> + 'a,
        mut work: impl FnMut(&Range, &mut Rows<'_>) -> Result<T, Stop> + 'a,
    ) -> impl Iterator<Item = (Result<T, InspectError>, &'a Range)> + 'a {
        let mut connection = None;
        std::iter::from_fn(move || {
            let range = ranges.next()?;
            let connect = || {
                let new = self.connect()?;
                install(&new).map_err(|error| self.failed(error))?;
                Ok(new)
            };
            let opened = connection.take().map_or_else(connect, Ok);
            let result = opened.and_then(|opened| {
                let result = read_range(&opened, sql, range, &mut work).map_err(|stop| match stop {
                    Stop::Sqlite(error) => filter.blamed(&error).unwrap_or_else(|| self.failed(error)),
                    Stop::Other(error) => error,
                });
                connection = Some(opened);
                result
            });
            Some((result, range))
        })
    }
}

fn read_range<T>(
    connection: &Connection,
    sql: &str,
    range: &Range,
    work: impl FnOnce(&Range, &mut Rows<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((range.actor, *range.seqs.start(), *range.seqs.end()))?;
    work(range, &mut rows)
}

/// Why a range was not read to its end.
#[derive(Debug)]
pub enum Stop {
    /// SQLite failed.
    Sqlite(rusqlite::Error),
    /// Anything else.
    Other(InspectError),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<InspectError> for Stop {
    fn from(error: InspectError) -> Self {
        Self::Other(error)
    }
}
