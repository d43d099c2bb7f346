//! What is checked of each trajectory, on all cores.

use super::rounds::Rounds;
use super::{Check, Status, Tally, gaps_are_fine};
use crate::InspectError;
use crate::lookup::Lookup;
use crate::replay::{Filter, Plan, Range, Replay, Rows, Stop};
use rusqlite::Row;
use thermoflow::config::Mode;
use thermoflow::protocol::{is_log_probability, log_reward_agrees};
use thermoflow::replay::decode_actions;
use thermoflow::task::Task;

/// What the trajectories' part of a verification found.
#[derive(Debug, Default)]
pub(super) struct Found {
    faults: Faults,
    /// Sync mode.
    rounds: Option<Rounds>,
    has_task: bool,
}

/// Tallies of one kind of check each.
#[derive(Debug, Default)]
struct Faults {
    /// Numbers within an actor; what is wrong is how many are missing.
    sequence: Tally,
    numbers: Tally,
    walks: Tally,
    rewards: Tally,
}

impl Faults {
    fn add(&mut self, other: Self) {
        self.sequence.add(other.sequence);
        self.numbers.add(other.numbers);
        self.walks.add(other.walks);
        self.rewards.add(other.rewards);
    }
}

/// A trajectory's row, as far as it can be read.
struct Stored {
    seq: i64,
    object: i64,
    batch: i64,
    idx: i64,
    /// β, y, log R, log P_F; NaN where there is no number.
    numbers: [f32; 4],
    actions: Vec<u8>,
}

const COLUMNS: &str = "seq, object_id, batch_id, idx, beta, y, log_reward, log_pf, actions";

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let number = |column| row.get(column).unwrap_or(f32::NAN);
        Ok(Self {
            seq: row.get(0)?,
            object: row.get(1)?,
            batch: row.get(2)?,
            idx: row.get(3)?,
            numbers: [number(4), number(5), number(6), number(7)],
            actions: row.get_ref(8)?.as_bytes().unwrap_or_default().to_vec(),
        })
    }
}

/// Looks at every trajectory.
pub(super) fn check(replay: &Replay, task: Option<&Task>) -> Result<Found, InspectError> {
    let plan = Plan::all(replay)?;
    let lookup = Lookup::new(replay, task.is_some())?;
    let config = replay.record().map(|record| &record.config.train);
    let mut found = Found {
        rounds: config
            .filter(|train| train.mode == Mode::Sync)
            .map(|train| Rounds::new(train.batch)),
        has_task: task.is_some(),
        ..Found::default()
    };
    let with_rounds = found.rounds.is_some();
    // Numbers begin with 0; what is missing before the first one no range shows.
    for ranges in plan.ranges.chunk_by(|a, b| a.actor == b.actor) {
        let range = &ranges[0];
        let first = *range.seqs.start();
        if first != 0 {
            let name = lookup.actor(range.actor, 1, 1);
            let example = || format!("numbers of {} begin with {first}, not 0", name.get(0));
            found.faults.sequence.fault(first.unsigned_abs(), example);
        }
    }
    replay.scan(
        &plan,
        (COLUMNS, &Filter::NONE),
        |range, rows| piece(range, rows, task, &lookup, with_rounds),
        |(faults, places)| {
            found.faults.add(faults);
            if let Some(rounds) = &mut found.rounds {
                places.into_iter().for_each(|(round, place)| rounds.note(round, place));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

/// Checks a range; returns the place of each of its trajectories too, if asked.
fn piece(
    range: &Range,
    rows: &mut Rows<'_>,
    task: Option<&Task>,
    lookup: &Lookup<'_>,
    with_rounds: bool,
) -> Result<(Faults, Vec<(i64, i64)>), Stop> {
    let mut stored = Vec::new();
    while let Some(row) = rows.next()? {
        stored.push(Stored::read(row)?);
    }
    let incarnation = lookup.actor(range.actor, 1, 1);
    let incarnation = incarnation.get(0);
    let mut faults = Faults::default();
    sequence(range, &stored, incarnation, &mut faults.sequence);
    for one in &stored {
        faults
            .numbers
            .look(bad_number(one).map(|bad| move || format!("{incarnation}#{}: {bad}", one.seq)));
    }
    if let Some(task) = task {
        let objects: Vec<i64> = stored.iter().map(|one| one.object).collect();
        let names = lookup.objects(&objects)?;
        for (row, one) in stored.iter().enumerate() {
            let bad = bad_walk(&one.actions, names.get(row), task);
            faults
                .walks
                .look(bad.map(|bad| move || format!("{incarnation}#{}: {bad}", one.seq)));
            let [_, y, stated, _] = one.numbers;
            let expected = task.reward.log_reward(y);
            let example = || {
                format!(
                    "{incarnation}#{}: log R is {stated}, but y = {y} gives {expected}",
                    one.seq
                )
            };
            faults
                .rewards
                .look((!log_reward_agrees(stated, expected)).then_some(example));
        }
    }
    let mut places = Vec::new();
    if with_rounds {
        let batches: Vec<i64> = stored.iter().map(|one| one.batch).collect();
        let rounds = lookup.batches(&batches)?;
        let rounds = rounds
            .into_iter()
            .flat_map(|(batch, times)| std::iter::repeat_n(batch[0], times));
        places.extend(rounds.zip(stored.iter().map(|one| one.idx)));
    }
    Ok((faults, places))
}

/// Numbers that the range should have and has not.
fn sequence(range: &Range, stored: &[Stored], incarnation: &str, tally: &mut Tally) {
    let mut next = *range.seqs.start();
    let end = *range.seqs.end() + 1;
    for seq in stored.iter().map(|one| one.seq).chain([end]) {
        if seq > next {
            let first = next;
            tally.fault((seq - next) as u64, || {
                format!("{incarnation} lacks #{first} to #{}", seq - 1)
            });
        }
        next = seq + 1;
    }
    tally.checked += stored.len() as u64;
}

fn bad_number(one: &Stored) -> Option<String> {
    let [beta, y, log_reward, log_pf] = one.numbers;
    if !(beta.is_finite() && beta > 0.0) {
        return Some(format!("β is {beta}"));
    }
    for (name, value) in [("y", y), ("log R", log_reward)] {
        if !value.is_finite() {
            return Some(format!("{name} is {value}"));
        }
    }
    (!is_log_probability(log_pf)).then(|| format!("log P_F is {log_pf}"))
}

fn bad_walk(actions: &[u8], x: &str, task: &Task) -> Option<String> {
    let Some(actions) = decode_actions(actions) else {
        return Some("its actions cannot be read".into());
    };
    match task.env.object_of(&actions) {
        Err(error) => Some(error.to_string()),
        Ok(object) => {
            let built = task.env.format(&object);
            (built != x).then(|| format!("its actions build {built:?}, it is said to be {x:?}"))
        }
    }
}

impl Found {
    /// As checks of a run of this mode, if that is known.
    pub fn checks(self, mode: Option<Mode>) -> Vec<Check> {
        let rounds = match self.rounds {
            Some(rounds) => Check::new("rounds", rounds.finish()),
            None if mode.is_some() => Check::skipped("rounds", "only sync mode has rounds"),
            None => Check::skipped("rounds", "there is no run.toml that says how large they are"),
        };
        let mut sequence = Check::new("sequence numbers", self.faults.sequence);
        if sequence.status == Status::Failed {
            if gaps_are_fine(mode, &rounds) {
                let repeated = format!(
                    "{} were repeated places of rounds, which are not stored",
                    sequence.wrong
                );
                sequence.status = Status::Ok;
                (sequence.wrong, sequence.remarks) = (0, vec![repeated]);
            } else if mode.is_none() {
                sequence.status = Status::Skipped;
                let known = "in sync mode they may be; there is no run.toml that says".into();
                sequence.remarks.push(known);
            }
        }
        let numbers = Check::new("numbers", self.faults.numbers);
        let with_task = |name, tally| {
            if self.has_task {
                Check::new(name, tally)
            } else {
                Check::skipped(name, "there is no run.toml: --task NAME says which task it was")
            }
        };
        let walks = with_task("actions lead to x", self.faults.walks);
        let rewards = with_task("log R of y", self.faults.rewards);
        vec![sequence, rounds, numbers, walks, rewards]
    }
}
