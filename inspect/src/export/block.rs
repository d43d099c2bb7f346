//! A piece of the answer in memory: trajectories that follow each other, as columns.

use super::columns::{Column, Kind, Source};
use crate::InspectError;
use crate::lookup::{BATCH_WIDTH, Batch, Lookup, Names};
use crate::replay::{Range, Replay, Rows, Stop};
use rusqlite::Row;
use std::iter::repeat_n;
use std::path::Path;
use thermoflow::env::Action;
use thermoflow::replay::{StoreError, decode_actions};

/// The values of a column, one per trajectory.
#[derive(Debug, Clone)]
pub(super) enum Values {
    Whole(Vec<i64>),
    /// NaN where there is none.
    Real(Vec<f32>),
    Truth(Vec<bool>),
    /// Microseconds since 1970-01-01 UTC.
    Time(Vec<i64>),
    Name(Names),
    Actions(Lists),
}

/// Lists of actions: list i is `actions[ends[i - 1]..ends[i]]`.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    actions: Vec<Action>,
    ends: Vec<usize>,
}

impl Lists {
    /// A trajectory's actions.
    pub fn get(&self, row: usize) -> &[Action] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.actions[start..self.ends[row]]
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = &[Action]> {
        (0..self.ends.len()).map(|row| self.get(row))
    }
}

const OBJECT: &str = "object_id";

const ASKED: &str = "every column was asked for";

/// See the module.
#[derive(Debug)]
pub(super) struct Block {
    /// Number of trajectories.
    pub rows: usize,
    /// In the order asked for.
    pub columns: Vec<Values>,
}

/// Makes blocks of the rows of a scan.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    path: &'a Path,
    columns: &'a [Column],
    /// What SQLite is asked for, each once.
    asked: Vec<(&'static str, Source)>,
    lookup: Lookup<'a>,
}

impl<'a> Reader<'a> {
    /// Reads these columns of trajectories that are committed by now.
    pub fn new(replay: &'a Replay, columns: &'a [Column]) -> Result<Self, InspectError> {
        let mut asked: Vec<(&'static str, Source)> = Vec::new();
        let mut ask = |sql, source| {
            if asked.iter().all(|(known, _)| *known != sql) {
                asked.push((sql, source));
            }
        };
        for column in columns {
            match column.source {
                Source::Actions => ask(column.sql(), Source::Actions),
                Source::Real => ask(column.sql(), Source::Real),
                Source::Score(_) => {
                    ask(column.sql(), Source::Real);
                    ask(OBJECT, Source::Whole);
                }
                _ => ask(column.sql(), Source::Whole),
            }
        }
        let with_objects = columns.iter().any(|column| column.source == Source::Object);
        Ok(Self {
            path: replay.path(),
            columns,
            asked,
            lookup: Lookup::new(replay, with_objects)?,
        })
    }

    /// The columns that a scan must ask for.
    pub fn sql(&self) -> String {
        self.asked.iter().map(|(sql, _)| *sql).collect::<Vec<_>>().join(", ")
    }

    /// Reads all rows of a range.
    pub fn block(&self, range: &Range, rows: &mut Rows<'_>) -> Result<Block, Stop> {
        let mut read: Vec<Values> = self.asked.iter().map(|(_, source)| empty(*source)).collect();
        let mut count = 0;
        while let Some(row) = rows.next()? {
            for (place, values) in read.iter_mut().enumerate() {
                push(values, row, place)?.ok_or_else(|| self.unreadable(range))?;
            }
            count += 1;
        }
        let place = |sql| self.asked.iter().position(|(asked, _)| *asked == sql);
        let whole = |sql| match place(sql).map(|place| &read[place]) {
            Some(Values::Whole(values)) => values.as_slice(),
            _ => &[],
        };
        let batches = self.lookup.batches(whole("batch_id"))?;
        let columns = self.columns.iter().map(|column| {
            Ok(match column.source {
                Source::Batch(field, kind) => of_batches(&batches, field, kind),
                Source::Actor(field) => Values::Name(self.lookup.actor(range.actor, field, count)),
                Source::Object => Values::Name(self.lookup.objects(whole(OBJECT))?),
                Source::Score(score) => match &read[place(column.sql()).expect(ASKED)] {
                    Values::Real(own) => Values::Real(self.lookup.scores(own, whole(OBJECT), score)?),
                    _ => unreachable!("scores are asked for as real numbers"),
                },
                Source::Whole | Source::Real | Source::Actions => read[place(column.sql()).expect(ASKED)].clone(),
            })
        });
        let columns = columns.collect::<Result<_, InspectError>>()?;
        Ok(Block { rows: count, columns })
    }

    fn unreadable(&self, range: &Range) -> InspectError {
        let (first, last) = range.seqs.clone().into_inner();
        let detail = format!(
            "actions of a trajectory {first} to {last} of actor {} are none; `thermoflow replay verify` tells which",
            range.actor
        );
        let path = self.path.into();
        StoreError::Damaged { path, detail }.into()
    }
}

fn empty(source: Source) -> Values {
    match source {
        Source::Real => Values::Real(Vec::new()),
        Source::Actions => Values::Actions(Lists::default()),
        _ => Values::Whole(Vec::new()),
    }
}

/// Adds a value of a row; None when it is not what it should be.
fn push(values: &mut Values, row: &Row<'_>, place: usize) -> rusqlite::Result<Option<()>> {
    match values {
        Values::Whole(values) => values.push(row.get(place)?),
        Values::Real(values) => values.push(row.get::<_, Option<f32>>(place)?.unwrap_or(f32::NAN)),
        Values::Actions(lists) => {
            let Some(actions) = decode_actions(row.get_ref(place)?.as_blob()?) else {
                return Ok(None);
            };
            lists.actions.extend(actions);
            lists.ends.push(lists.actions.len());
        }
        Values::Truth(_) | Values::Time(_) | Values::Name(_) => unreachable!("these are looked up"),
    }
    Ok(Some(()))
}

/// What batches have in a field, for each of their trajectories.
fn of_batches(batches: &[(Batch, usize)], field: usize, kind: Kind) -> Values {
    debug_assert!(field < BATCH_WIDTH);
    let values = batches.iter().flat_map(|(batch, times)| repeat_n(batch[field], *times));
    match kind {
        Kind::Number => Values::Whole(values.collect()),
        Kind::Truth => Values::Truth(values.map(|value| value != 0).collect()),
        Kind::Time => Values::Time(values.collect()),
    }
}
