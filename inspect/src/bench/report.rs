//! What is measured, in which order, and what is made of it.

use super::beside::{Polling, Writing};
use super::process::{Process, run};
use crate::replay::Replay;
use anyhow::Context;
use indicatif::ProgressBar;
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Run directory or replay.sqlite; is only read.
    pub place: PathBuf,
    /// An empty directory for what is written meanwhile.
    pub scratch: PathBuf,
    /// How often everything is measured.
    pub runs: u32,
    /// How long the writer writes each time, seconds.
    pub seconds: f64,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Trajectories in the replay.
    pub trajectories: u64,
    /// Its size.
    pub bytes: u64,
    /// Both together.
    pub bytes_per_trajectory: f64,
    /// In the order in which they were asked.
    pub questions: Vec<Question>,
    /// The writer, alone and beside a reader.
    pub writer: Writer,
}

/// A question to the replay.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    /// Its name.
    pub question: &'static str,
    /// How it was asked.
    pub command: String,
    /// The quickest, from the start of the program to its end.
    pub seconds: f64,
    /// The middle one.
    pub median_seconds: f64,
    /// CPU time of the one that took least, seconds.
    pub cpu_seconds: f64,
    /// Trajectories of the replay per second, by the quickest.
    pub trajectories_per_second: f64,
    /// The most memory that any had.
    pub peak_bytes: u64,
}

/// A writer that does nothing but commit, on a copy of the replay.
#[derive(Debug, Clone, Serialize)]
pub struct Writer {
    /// Trajectories per second without a reader, the middle round.
    pub alone: f64,
    /// With one.
    pub beside: Vec<Beside>,
}

/// The writer beside a reader that asks for a summary every 2 s.
#[derive(Debug, Clone, Serialize)]
pub struct Beside {
    /// What the reader does.
    pub reader: &'static str,
    /// Trajectories per second, the middle round.
    pub rate: f64,
    /// Share of the rate without a reader that is lost, of the middle pair of rounds; negative when none is.
    pub loss: f64,
    /// Summaries after the first, in all rounds.
    pub answers: u64,
    /// How long these took on average, seconds.
    pub seconds_per_answer: f64,
}

/// A name, and arguments; `{}` stands for the scratch directory.
const QUESTIONS: [(&str, &[&str]); 7] = [
    ("summary", &["summary", "--json"]),
    ("top", &["top", "--json"]),
    (
        "histogram, filtered",
        &["histogram", "--json", "--where", "y > 0.5 AND beta > 2"],
    ),
    ("timeline", &["timeline", "--json"]),
    (
        "export to parquet",
        &["export", "--json", "--force", "--out", "{}/export.parquet"],
    ),
    ("verify", &["verify", "--json"]),
    (
        "compact to a file",
        &["compact", "--json", "--force", "--out", "{}/copy.sqlite"],
    ),
];

/// Readers beside the writer, and the part of this program that each is.
const READERS: [(&str, &str); 2] = [("what is new", "poll-new"), ("all anew", "poll-all")];

/// Makes a replay in a process of its own: what this one ever had in memory counts for those that it starts.
///
/// # Errors
/// As [`make`](super::make()).
pub fn make_apart(place: &Path, count: u64, seed: u64) -> anyhow::Result<()> {
    let numbers = [("--make", count), ("--seed", seed)];
    let mut arguments: Vec<OsString> = vec!["bench".into(), "--out".into(), place.into()];
    numbers
        .into_iter()
        .for_each(|(name, number)| arguments.extend([name.into(), number.to_string().into()]));
    run(&arguments)?;
    Ok(())
}

/// Measures everything. A step of the progress bar is a process.
///
/// # Errors
/// When a question fails.
pub fn measure(settings: &Settings, progress: &ProgressBar) -> anyhow::Result<Report> {
    let steps = QUESTIONS.len() + READERS.len() + 1;
    progress.set_length(steps as u64 * u64::from(settings.runs));
    let (trajectories, bytes) = size(&settings.place)?;
    let questions = QUESTIONS.iter().map(|(name, arguments)| {
        progress.set_message(*name);
        ask(settings, (name, arguments), trajectories, progress)
    });
    let questions = questions.collect::<anyhow::Result<_>>()?;
    progress.set_message("the writer");
    // `compact` left a copy that may be written to.
    let writer = writer(settings, &settings.scratch.join("copy.sqlite"), progress)?;
    Ok(Report {
        trajectories,
        bytes,
        bytes_per_trajectory: bytes as f64 / trajectories.max(1) as f64,
        questions,
        writer,
    })
}

fn size(place: &Path) -> anyhow::Result<(u64, u64)> {
    let replay = Replay::open(place)?;
    let trajectories = replay.number("SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM batches")?;
    let bytes = replay.number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?;
    Ok((trajectories.unsigned_abs(), bytes.unsigned_abs()))
}

fn ask(
    settings: &Settings,
    (question, template): (&'static str, &[&str]),
    trajectories: u64,
    progress: &ProgressBar,
) -> anyhow::Result<Question> {
    let scratch = settings
        .scratch
        .to_str()
        .context("a temporary directory's name is not UTF-8")?;
    let mut arguments: Vec<OsString> = template.iter().map(|part| part.replace("{}", scratch).into()).collect();
    arguments.insert(1, settings.place.clone().into());
    let (mut seconds, mut cpu_seconds, mut peak_bytes) = (Vec::new(), f64::INFINITY, 0);
    for _ in 0..settings.runs {
        let (_, spent) = run(&arguments)?;
        seconds.push(spent.seconds);
        cpu_seconds = cpu_seconds.min(spent.cpu_seconds);
        peak_bytes = peak_bytes.max(spent.peak_bytes);
        progress.inc(1);
    }
    let quickest = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(Question {
        question,
        command: format!("thermoflow replay {} RUN {}", template[0], template[1..].join(" ")).replace("{}", "DIR"),
        seconds: quickest,
        median_seconds: median(seconds),
        cpu_seconds,
        trajectories_per_second: trajectories as f64 / quickest,
        peak_bytes,
    })
}

/// Rounds of the writer alone and beside each reader, in turn: forwards and backwards, so that a machine that becomes slower
/// favours none.
fn writer(settings: &Settings, copy: &Path, progress: &ProgressBar) -> anyhow::Result<Writer> {
    let (mut rates, mut polls) = (vec![Vec::new(); 1 + READERS.len()], [[0.0; 2]; READERS.len()]);
    // `make` was named by a seed, too; a replay that is measured holds few of these.
    let mut seed = u64::from(std::process::id()) << 32;
    for round in 0..settings.runs {
        let mut order: Vec<usize> = (0..rates.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            seed += 1;
            let reader = place.checked_sub(1).map(|reader| READERS[reader].1);
            let (writing, polling) = write_beside(copy, reader, seed, settings.seconds)?;
            rates[place].push(writing.trajectories as f64 / writing.seconds);
            if let Some(polling) = polling {
                polls[place - 1][0] += polling.answers as f64;
                polls[place - 1][1] += polling.seconds;
            }
            progress.inc(1);
        }
    }
    let beside = READERS.iter().zip(&rates[1..]).zip(polls);
    let beside = beside.map(|((&(reader, _), rate), [answers, seconds])| Beside {
        reader,
        rate: median(rate.clone()),
        loss: median(
            rate.iter()
                .zip(&rates[0])
                .map(|(rate, alone)| 1.0 - rate / alone)
                .collect(),
        ),
        answers: answers as u64,
        seconds_per_answer: seconds / answers.max(1.0),
    });
    Ok(Writer {
        beside: beside.collect(),
        alone: median(rates[0].clone()),
    })
}

/// One round: the reader has its first answer before the writer begins.
fn write_beside(
    copy: &Path,
    reader: Option<&str>,
    seed: u64,
    seconds: f64,
) -> anyhow::Result<(Writing, Option<Polling>)> {
    let part = |part: &str| -> Vec<OsString> { vec!["bench".into(), copy.into(), "--part".into(), part.into()] };
    let mut reader = reader.map(|name| Process::start(&part(name))).transpose()?;
    if let Some(reader) = &mut reader {
        reader.line()?;
    }
    let mut arguments = part("write");
    arguments.extend(["--seed".into(), seed.to_string().into()]);
    arguments.extend(["--seconds".into(), seconds.to_string().into()]);
    let (written, _) = run(&arguments)?;
    let read = reader.map(Process::finish).transpose()?;
    let polling = read.map(|(text, _)| serde_json::from_str(&text)).transpose()?;
    Ok((serde_json::from_str(&written)?, polling))
}

/// The middle one, or the mean of the two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}
