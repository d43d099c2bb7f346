//! What the learner says of its progress, as JSON lines on its standard output.

use serde::{Deserialize, Serialize};
use std::fmt::Write;
use thermoflow::task::oracle::OracleHealth;

/// A line of the learner.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Line {
    /// It accepts actors.
    Listening {
        /// Where.
        address: String,
    },
    /// Where training is.
    Progress(Report),
    /// The last line.
    Finished(Report),
}

/// Where training is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    pub round: u64,
    pub rounds: u64,
    pub seconds: f64,
    pub trajectories: u64,
    pub distinct: u64,
    pub modes: u64,
    pub modes_listed: u64,
    pub mean_y: Option<f64>,
    pub top100_y: Option<f64>,
    pub loss_online: Option<f64>,
    pub loss_replay: Option<f64>,
    pub trajectories_per_second: Option<f64>,
    pub staleness_p50: Option<f64>,
    pub staleness_max: Option<f64>,
    pub waiting_for: Option<String>,
    pub actors: Vec<Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// How an actor is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Actor {
    pub name: String,
    pub present: bool,
    pub quarantined: bool,
    pub silent_seconds: f64,
    pub taken: u64,
    pub outbox: u64,
    pub waiting: String,
    pub oracle: OracleHealth,
}

/// Seconds of silence that are worth a word: actors send a heartbeat every two.
const LONG_SILENCE: f64 = 4.0;

/// A number, or a dash where there is none yet.
fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.digits$}"))
}

impl Report {
    /// True when all rounds are done.
    pub fn is_complete(&self) -> bool {
        self.complete.unwrap_or(self.round >= self.rounds)
    }

    /// The numbers beside the progress bar.
    pub fn numbers(&self) -> String {
        format!(
            "modes {}/{} · top-100 {} · loss {} online, {} replay · {} trajectories/s · staleness {}/{}",
            self.modes,
            self.modes_listed,
            number(self.top100_y, 4),
            number(self.loss_online, 2),
            number(self.loss_replay, 2),
            number(self.trajectories_per_second, 0),
            number(self.staleness_p50, 0),
            number(self.staleness_max, 0),
        )
    }

    /// Who of the known actors is here, and the longest silence among them when it is worth a word.
    pub fn membership(&self) -> String {
        let present = || self.actors.iter().filter(|actor| actor.present);
        let quarantined = match self.actors.iter().filter(|actor| actor.quarantined).count() {
            0 => String::new(),
            count => format!(", {count} in quarantine"),
        };
        let silent = present()
            .max_by(|a, b| a.silent_seconds.total_cmp(&b.silent_seconds))
            .filter(|actor| actor.silent_seconds >= LONG_SILENCE)
            .map(|actor| format!(", {} silent for {:.0} s", actor.name, actor.silent_seconds));
        format!(
            "{} of {} actors{quarantined}{}",
            present().count(),
            self.actors.len(),
            silent.unwrap_or_default()
        )
    }

    /// One line on all actors.
    pub fn actors(&self) -> String {
        let mut text = self.membership();
        for actor in &self.actors {
            let state = match (actor.present, actor.waiting.as_str()) {
                _ if actor.quarantined => "in quarantine".into(),
                (false, _) => format!("absent for {:.0} s", actor.silent_seconds),
                (true, "nothing" | "") => "rolling out".into(),
                (true, what) => format!("waits for {what}"),
            };
            let failed = match actor.oracle.failed {
                0 => String::new(),
                failed => format!(", {failed} without a score"),
            };
            let _ = write!(text, " · {}: {} ({state}{failed})", actor.name, actor.taken);
        }
        text
    }

    /// The end of a run, in words.
    pub fn summary(&self) -> String {
        let rate = (self.seconds > 0.0).then(|| self.trajectories as f64 / self.seconds);
        let end = if self.is_complete() { "Finished" } else { "Stopped" };
        let mut summary = format!(
            "{end} after {} of {} rounds in {:.1} s.\n  \
             modes found    {} of {}\n  \
             top-100 mean y {}\n  \
             distinct x     {} of {} trajectories rolled out ({} a second)\n  \
             mean y         {}\n",
            self.round,
            self.rounds,
            self.seconds,
            self.modes,
            self.modes_listed,
            number(self.top100_y, 4),
            self.distinct,
            self.trajectories,
            number(rate, 0),
            number(self.mean_y, 4),
        );
        let sum = |count: fn(&OracleHealth) -> u64| self.actors.iter().map(|actor| count(&actor.oracle)).sum::<u64>();
        if sum(|oracle| oracle.calls) > 0 {
            let _ = writeln!(
                summary,
                "  oracle         {} objects asked for, {} from memory, {} without a score, {} time-outs, {} restarts",
                sum(|oracle| oracle.calls),
                sum(|oracle| oracle.cached),
                sum(|oracle| oracle.failed),
                sum(|oracle| oracle.timeouts),
                sum(|oracle| oracle.restarts),
            );
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_here_is_said_and_who_is_silent() {
        let actor = |name: &str, present, silent_seconds| Actor {
            name: name.into(),
            present,
            silent_seconds,
            ..Actor::default()
        };
        let mut report = Report {
            actors: vec![actor("a", true, 0.3), actor("b", false, 40.0), actor("c", true, 1.0)],
            ..Report::default()
        };
        assert_eq!(report.membership(), "2 of 3 actors");
        report.actors[2].silent_seconds = 7.2;
        report.actors[1].quarantined = true;
        assert_eq!(report.membership(), "2 of 3 actors, 1 in quarantine, c silent for 7 s");
        report.actors[1].quarantined = false;
        assert!(
            report.actors().contains("b: 0 (absent for 40 s)"),
            "{}",
            report.actors()
        );
    }

    #[test]
    fn lines_of_the_learner_are_understood() {
        let line = r#"{"event":"finished","round":3,"rounds":3,"modes":2,"mean_y":null,"complete":true,"new":1}"#;
        let Line::Finished(report) = serde_json::from_str(line).unwrap() else {
            panic!("{line}")
        };
        assert!(report.is_complete() && report.modes == 2 && report.mean_y.is_none());
        let line = r#"{"event":"listening","address":"tcp://127.0.0.1:5","run":"x"}"#;
        assert!(matches!(serde_json::from_str(line).unwrap(), Line::Listening { address } if address.ends_with(":5")));
    }
}
