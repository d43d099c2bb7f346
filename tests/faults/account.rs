//! What the actors say they made and were told is safe (their ledgers and outboxes), against what the replay holds.
//!
//! Async mode: every acknowledged number is a row. Sync mode: a place of a round that two actors filled is kept once, so a
//! number may be absent; every place of every finished round must be there.

use super::fleet::Fleet;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use thermoflow::replay::Store;

/// Trajectories per round of the configuration that all tests use.
const BATCH: u64 = 32;

/// What an incarnation said last.
#[derive(Debug, Clone, Default, Deserialize)]
struct Line {
    incarnation: String,
    made: u64,
    acknowledged: u64,
}

/// See the module; all but `problems` are numbers of trajectories.
#[derive(Debug, Default)]
pub struct Account {
    /// Made, as the ledgers say.
    pub produced: u64,
    /// Known by the actors to be safe.
    pub acknowledged: u64,
    pub in_replay: u64,
    /// Sync mode: acknowledged, and absent because another filled the place.
    pub repeated: u64,
    /// The same number or place of an actor, or (sync mode) of a round, twice.
    pub duplicates: u64,
    /// Acknowledged and not in the replay (async mode); places of finished rounds that are missing (sync mode).
    pub lost: u64,
    /// Async mode: made and neither in the replay nor in an outbox on the disk.
    pub lost_of_produced: u64,
    /// What `Store::verify` found.
    pub problems: Vec<String>,
}

type Numbers = BTreeMap<String, BTreeSet<u64>>;

impl Account {
    /// Of a fleet that is not at work.
    pub fn of(fleet: &Fleet) -> Self {
        let store = Store::open_read_only(&fleet.run.join("replay.sqlite")).unwrap();
        let (rows, kept) = (numbers(&store), outboxes(fleet));
        let mut account = Self {
            in_replay: store.counts().unwrap().trajectories,
            duplicates: duplicates(&store, fleet.mode),
            problems: store.verify().unwrap(),
            ..Self::default()
        };
        let mut absent = 0;
        for line in ledgers(fleet) {
            let holds = |of: &Numbers, seq| of.get(&line.incarnation).is_some_and(|seqs| seqs.contains(&seq));
            account.produced += line.made;
            account.acknowledged += line.acknowledged;
            absent += (0..line.acknowledged).filter(|&seq| !holds(&rows, seq)).count() as u64;
            let unsafe_yet = line.acknowledged..line.made;
            let gone = unsafe_yet.filter(|&seq| !holds(&rows, seq) && !holds(&kept, seq));
            account.lost_of_produced += gone.count() as u64;
        }
        if fleet.mode == "async" {
            (account.lost, account.lost_of_produced) = (absent, account.lost_of_produced + absent);
        } else {
            (account.repeated, account.lost_of_produced) = (absent, 0);
            account.lost = missing_places(&store, fleet.round());
        }
        account
    }
}

/// Of every incarnation, the most that it made and was told is safe.
fn ledgers(fleet: &Fleet) -> Vec<Line> {
    let mut last: BTreeMap<String, Line> = BTreeMap::new();
    for name in fleet.names() {
        // An actor that never started has none.
        let text = std::fs::read_to_string(fleet.ledger(&name)).unwrap_or_default();
        for line in text.lines() {
            let line: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let known = last.entry(line.incarnation.clone()).or_default();
            assert!(
                known.made <= line.made,
                "{name} takes back what it made: {known:?}, {line:?}"
            );
            // A crash forgets acknowledgements: what the outbox still has is delivered once more.
            let acknowledged = known.acknowledged.max(line.acknowledged);
            *known = Line { acknowledged, ..line };
        }
    }
    last.into_values().collect()
}

fn numbers(store: &Store) -> Numbers {
    let sql = "SELECT a.incarnation, t.seq FROM trajectories t JOIN actors a ON a.id = t.actor_id";
    collect(store.connection(), sql)
}

fn outboxes(fleet: &Fleet) -> Numbers {
    let mut all = Numbers::new();
    for name in fleet.names() {
        let path = fleet.outbox(&name).join("outbox.sqlite");
        if path.exists() {
            let sql = "SELECT l.incarnation, t.seq FROM trajectories t, life l";
            for (incarnation, seqs) in collect(&connection(&path), sql) {
                all.entry(incarnation).or_default().extend(seqs);
            }
        }
    }
    all
}

fn connection(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

fn collect(connection: &rusqlite::Connection, sql: &str) -> Numbers {
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut all = Numbers::new();
    while let Some(row) = rows.next().unwrap() {
        let seq: i64 = row.get(1).unwrap();
        all.entry(row.get(0).unwrap()).or_default().insert(seq as u64);
    }
    all
}

fn count(store: &Store, sql: &str) -> u64 {
    let count: i64 = store.connection().query_row(sql, [], |row| row.get(0)).unwrap();
    count as u64
}

/// An actor's batches and places are counted by itself in async mode, by the rounds in sync mode.
fn duplicates(store: &Store, mode: &str) -> u64 {
    let place = if mode == "async" {
        "t.actor_id, b.round, t.idx"
    } else {
        "b.round, t.idx"
    };
    let twice = |key| {
        format!(
            "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM trajectories t
             JOIN batches b ON b.id = t.batch_id GROUP BY {key})"
        )
    };
    count(store, &twice("t.actor_id, t.seq")) + count(store, &twice(place))
}

fn missing_places(store: &Store, rounds: u64) -> u64 {
    let sql = format!(
        "SELECT count(*) FROM (SELECT DISTINCT b.round, t.idx FROM trajectories t
         JOIN batches b ON b.id = t.batch_id WHERE b.round < {rounds})"
    );
    rounds * BATCH - count(store, &sql)
}
