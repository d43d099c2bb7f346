//! Every measured number as a line of a table in long format.

use super::FinishedJob;
use serde::Serialize;
use std::io::Write;

/// A measured number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Name of the variant.
    pub variant: String,
    /// Seed of the run; None for what is of no run.
    pub seed: Option<u64>,
    /// After how many rounds.
    pub round: Option<u64>,
    /// Inverse temperature at which it was measured; None for what is of no single one.
    pub beta: Option<f64>,
    /// What was measured, by the name of the key in metrics.jsonl or in the output of `thermoflow evaluate`.
    pub metric: String,
    /// The number.
    pub value: f64,
}

/// What every line begins with.
#[derive(Serialize)]
struct Line<'a> {
    experiment: &'a str,
    variant: &'a str,
    seed: Option<u64>,
    round: Option<u64>,
    beta: Option<f64>,
    metric: &'a str,
    value: f64,
}

/// Writes `experiment,variant,seed,round,beta,metric,value`: what the runs reported, then `more`. Numbers of single
/// actors are left out.
///
/// # Errors
/// When writing fails.
pub fn write_csv(experiment: &str, jobs: &[FinishedJob], more: &[Record], to: impl Write) -> csv::Result<()> {
    let mut writer = csv::Writer::from_writer(to);
    let reported = jobs.iter().flat_map(reported);
    for record in reported.chain(more.iter().cloned()) {
        writer.serialize(Line {
            experiment,
            variant: &record.variant,
            seed: record.seed,
            round: record.round,
            beta: record.beta,
            metric: &record.metric,
            value: record.value,
        })?;
    }
    Ok(writer.flush()?)
}

fn reported(finished: &FinishedJob) -> impl Iterator<Item = Record> {
    finished.rows.iter().flat_map(|row| {
        let series = row.series().into_iter().filter(|(name, _)| !name.starts_with("actor/"));
        series.map(|(metric, value)| Record {
            variant: finished.job.variant.name.clone(),
            seed: Some(finished.job.seed),
            round: Some(row.round),
            beta: None,
            metric,
            value,
        })
    })
}
