//! Files that are damaged after a kill -9 of the learner: the replay's write-ahead log and the newest checkpoint, cut off
//! at several lengths and with a flipped bit. A resumed run goes on with every row that the files still hold, or says
//! what is damaged.

use super::account::Account;
use super::fleet::Fleet;
use super::long;
use super::table::Row;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use thermoflow::checkpoint;
use thermoflow::replay::Store;

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Only the first so many bytes are left.
    First(usize),
    /// This share of the bytes is left.
    Share(f64),
    /// The last byte is gone.
    LastByte,
    /// A bit is flipped at this share of the length.
    Flip(f64),
    /// The file is gone.
    Gone,
}

impl Damage {
    fn apply(self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        let place = |share: f64| (bytes.len() as f64 * share) as usize;
        match self {
            Self::First(length) => bytes.truncate(length),
            Self::Share(share) => bytes.truncate(place(share)),
            Self::LastByte => bytes.truncate(bytes.len() - 1),
            Self::Flip(share) => {
                let place = place(share);
                bytes[place] ^= 1 << (place % 8);
            }
            Self::Gone => return fs::remove_file(path).unwrap(),
        }
        fs::write(path, bytes).unwrap();
    }
}

/// A run of which the learner and the actors were killed, with several checkpoints.
fn killed() -> Fleet {
    let mut fleet = Fleet::new("async", 2);
    fleet.start();
    fleet.advances(if long() { 80 } else { 45 });
    drop(fleet.learner.take());
    for actor in &mut fleet.actors {
        drop(actor.process.take());
    }
    fleet
}

/// The same run and outboxes once more, to be damaged.
fn copy(of: &Fleet) -> Fleet {
    let fleet = Fleet::new(of.mode, of.actors.len());
    let mut from = vec![of.run.clone()];
    from.extend(of.names().iter().map(|name| of.outbox(name)));
    for path in from {
        let copied = Command::new("cp").arg("-r").arg(path).arg(fleet.path("")).status();
        assert!(copied.unwrap().success());
    }
    fleet
}

type Name = (String, u64);

/// The names of all rows; None when the replay cannot be read.
fn rows(run: &Path) -> Option<BTreeSet<Name>> {
    let store = Store::open_read_only(&run.join("replay.sqlite")).ok()?;
    let mut names = BTreeSet::new();
    let visit = |row: thermoflow::replay::Received| {
        names.insert((row.incarnation.to_string(), row.seq.0));
        Ok::<_, thermoflow::replay::StoreError>(())
    };
    store.scan(None, visit).ok()?;
    Some(names)
}

/// What became of one damaged copy.
struct Outcome {
    /// Rows that the damaged files held.
    held: BTreeSet<Name>,
    /// Of these, how many are there after the run went on.
    kept: usize,
    went_on: bool,
    /// Rows that the checkpoint had counted.
    counted: u64,
    /// Warnings and errors of the learner.
    said: Vec<String>,
}

/// Goes on with a damaged run, with the actors that were there before. A run that does not go on must say why.
fn resume(mut fleet: Fleet) -> Outcome {
    // Reading may repair a log, so another copy is read.
    let held = rows(&copy(&fleet).run).unwrap_or_default();
    let checkpoint = checkpoint::latest(&fleet.run).unwrap().unwrap().checkpoint;
    let (round, counted) = (checkpoint.trainer.round, checkpoint.trainer.trajectories);
    fleet.start_learner(&[&format!("--rounds={}", round + 5)]);
    for number in 0..fleet.actors.len() {
        fleet.start_actor(number);
    }
    let (status, said) = fleet.learner().end();
    let words = |line: &&str| line.contains("WARN") || line.starts_with("error: ");
    let said: Vec<String> = said.lines().filter(words).map(plain).collect();
    let mut kept = 0;
    if status.success() {
        let after = rows(&fleet.run).expect("a replay that was gone on with can be read");
        kept = held.intersection(&after).count();
        for actor in &mut fleet.actors {
            drop(actor.process.take());
        }
        let account = Account::of(&fleet);
        assert_eq!((account.problems, account.duplicates), (Vec::new(), 0));
    } else {
        let errors = said.iter().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{said:?}");
    }
    let went_on = status.success();
    Outcome {
        held,
        kept,
        went_on,
        counted,
        said,
    }
}

/// Without colours, times and the directory, which differ from run to run.
fn plain(line: &str) -> String {
    let words = line
        .split_whitespace()
        .skip_while(|word| !word.contains("WARN") && !word.contains("error"));
    let words = words.map(|word| word.rsplit_once("/run/").map_or(word, |(_, file)| file));
    words.collect::<Vec<_>>().join(" ").replace("\u{1b}", "")
}

/// Files of a run, with what is done to them.
fn cases(run: &Path) -> Vec<(String, PathBuf, Damage)> {
    let newest = checkpoint::latest(run).unwrap().unwrap().path;
    let name = |path: &Path| path.strip_prefix(run).unwrap().display().to_string();
    let case = |path: PathBuf, damage: Damage| (format!("{}: {damage:?}", name(&path)), path, damage);
    let (wal, policy) = (run.join("replay.sqlite-wal"), newest.join("policy.safetensors"));
    let mut cases = vec![
        case(wal.clone(), Damage::Share(0.5)),
        case(wal.clone(), Damage::Flip(0.9)),
        case(policy.clone(), Damage::Share(0.5)),
    ];
    if long() {
        let of_wal = [
            Damage::First(0),
            Damage::First(16),
            Damage::First(32),
            Damage::First(300),
            Damage::Share(0.1),
        ];
        cases.extend(of_wal.map(|damage| case(wal.clone(), damage)));
        let of_wal = [
            Damage::LastByte,
            Damage::Flip(0.0),
            Damage::Flip(0.3),
            Damage::Flip(0.999),
            Damage::Gone,
        ];
        cases.extend(of_wal.map(|damage| case(wal.clone(), damage)));
        let of_policy = [
            Damage::First(0),
            Damage::First(7),
            Damage::LastByte,
            Damage::Flip(0.7),
            Damage::Gone,
        ];
        cases.extend(of_policy.map(|damage| case(policy.clone(), damage)));
        for file in ["optimizer.safetensors", "trainer.json", "DONE"] {
            cases.extend(
                [Damage::Share(0.5), Damage::Flip(0.5), Damage::Gone].map(|damage| case(newest.join(file), damage)),
            );
        }
    }
    cases
}

#[test]
fn damaged_files_are_passed_over_or_named() {
    let whole = killed();
    let all = rows(&copy(&whole).run).unwrap();
    let mut account = Account::of(&whole);
    let cases = cases(&whole.run);
    let mut row = Row {
        fault: "damaged files after a kill -9, async".into(),
        times: cases.len(),
        ..Row::default()
    };
    let mut gone_on = 0;
    for (what, path, damage) in cases {
        let fleet = copy(&whole);
        damage.apply(&fleet.run.join(path.strip_prefix(&whole.run).unwrap()));
        let Outcome {
            held,
            kept,
            went_on,
            counted,
            said,
        } = resume(fleet);
        println!(
            "    {what}: holds {} of {} rows, {kept} after going on; {said:?}",
            held.len(),
            all.len()
        );
        gone_on += usize::from(went_on);
        if went_on {
            account.lost += (held.len() - kept) as u64;
        }
        let is_of_checkpoint = what.starts_with("checkpoints");
        assert!(!is_of_checkpoint || (went_on && held == all), "{what}: {said:?}");
        assert!(
            !is_of_checkpoint || said.iter().any(|line| line.contains("passed over")),
            "{what}: {said:?}"
        );
        let is_short = (held.len() as u64) < counted;
        let told = said.iter().any(|line| line.contains("the replay holds fewer"));
        assert!(
            !went_on || is_short == told,
            "{what}: {} of {counted} rows: {said:?}",
            held.len()
        );
    }
    row.remarks =
        format!("{gone_on} went on with every row that the files still held, the others said what is damaged");
    row.settle(&account);
}

#[test]
fn a_run_whose_checkpoints_are_all_damaged_does_not_start_from_scratch() {
    let mut whole = killed();
    for entry in fs::read_dir(whole.run.join(checkpoint::DIRECTORY)).unwrap() {
        Damage::Flip(0.5).apply(&entry.unwrap().path().join("policy.safetensors"));
    }
    whole.start_learner(&[]);
    let (status, said) = whole.learner().end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("checkpoints"), "{said}");
}
