//! One report of a run.

use crate::protocol::Counters;
use crate::protocol::secure::Rejected;
use serde::{Deserialize, Serialize};

/// Which side kept the other waiting since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitingFor {
    /// Neither, to speak of.
    #[default]
    Nothing,
    /// Training waited for trajectories.
    Actors,
    /// Actors waited because the replay was ahead of training.
    Learner,
}

/// How one actor is doing. One that was restarted is another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ActorCount {
    /// Its name.
    pub name: String,
    /// Trajectories taken from it since the learner started.
    pub trajectories: u64,
    /// It was heard within the lease.
    pub present: bool,
    /// Shut out: a score of its was wrong.
    pub quarantined: bool,
    /// Seconds since it was last heard of.
    pub silent_seconds: f64,
    /// Trajectories taken from it per second since the last report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trajectories_per_second: Option<f64>,
    /// How many versions behind what it last sent was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staleness: Option<u64>,
    /// Times it was lost: silent for a lease, or its connection broken.
    pub dropped: u64,
}

/// A report. Numbers that there are none of yet are left out of the line. Keys that a later version adds are ignored
/// when read, keys that an earlier one did not have are 0 or empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsRow {
    /// Rounds finished.
    pub round: u64,
    /// Time spent training, over all sessions of the run.
    pub seconds: f64,
    /// Trajectories committed.
    pub trajectories: u64,
    /// Distinct objects among them.
    pub distinct: u64,
    /// Listed modes found.
    pub modes: u64,
    /// Loss of the last online step, nats².
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_online: Option<f64>,
    /// Loss of the last replayed step, nats².
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_replay: Option<f64>,
    /// Mean y of everything sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_y: Option<f64>,
    /// Mean y of the best 100 distinct objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top100_y: Option<f64>,
    /// Mean pairwise Hamming distance of the best 100 distinct objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top100_diversity: Option<f64>,
    /// Version of the learner's weights.
    pub policy_version: u64,
    /// Median of (learner's version at receipt − version sampled with), since the last report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staleness_p50: Option<f64>,
    /// Largest of the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staleness_max: Option<f64>,
    /// Norm of the forward policy's gradient before clipping, last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_norm_forward: Option<f64>,
    /// Norm of the backward policy's gradient before clipping, last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_norm_backward: Option<f64>,
    /// Norm of log Z's gradient before clipping, last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_norm_log_z: Option<f64>,
    /// Norm of log F's gradient before clipping, last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_norm_log_flow: Option<f64>,
    /// Gradient steps skipped because something was not finite.
    pub skipped_steps: u64,
    /// Objects that the oracles of the actors present were asked for; left out where nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oracle_calls: Option<u64>,
    /// Objects that got no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oracle_failed: Option<u64>,
    /// Requests without an answer in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oracle_timeouts: Option<u64>,
    /// Programs that were started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oracle_restarts: Option<u64>,
    /// Connections and messages that the learner did not take, since it started; left out while there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// Trajectories committed per second since the last report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trajectories_per_second: Option<f64>,
    /// Which side kept the other waiting since the last report.
    pub waiting_for: WaitingFor,
    /// What went wrong in the fleet since the learner started; left out where there is none (offline training, bench).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Counters>,
    /// The actors remembered, present or not.
    pub actors: Vec<ActorCount>,
}

impl MetricsRow {
    /// The numbers of the row as (series, value), by the names of the line's keys; actors' as `actor/<name>/<key>`,
    /// reasons to reject as `rejected/<reason>`, the fleet's as `fleet/<key>`.
    /// `waiting_for` has no series. Numbers that are not finite are left out, as in the line.
    pub fn series(&self) -> Vec<(String, f64)> {
        let row = serde_json::to_value(self).expect("a row is plain data");
        let mut series = Vec::new();
        add_numbers("", &row, &mut series);
        add_numbers("rejected/", &row["rejected"], &mut series);
        add_numbers("fleet/", &row["fleet"], &mut series);
        for actor in row["actors"].as_array().into_iter().flatten() {
            add_numbers(
                &format!("actor/{}/", actor["name"].as_str().unwrap_or_default()),
                actor,
                &mut series,
            );
        }
        series.retain(|(name, _)| name != "round");
        series
    }
}

fn add_numbers(prefix: &str, object: &serde_json::Value, series: &mut Vec<(String, f64)>) {
    for (key, value) in object.as_object().into_iter().flatten() {
        if let Some(number) = value.as_f64() {
            series.push((format!("{prefix}{key}"), number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_the_names_of_the_keys() {
        let actors = vec![ActorCount {
            name: "a".into(),
            trajectories: 7,
            silent_seconds: 0.5,
            ..ActorCount::default()
        }];
        let row = MetricsRow {
            round: 3,
            modes: 2,
            loss_online: Some(1.5),
            mean_y: Some(f64::NAN),
            rejected: Some(Rejected {
                forged: 4,
                ..Rejected::default()
            }),
            fleet: Some(Counters {
                gaps: 4,
                ..Counters::default()
            }),
            actors,
            ..Default::default()
        };
        let series = row.series();
        let get = |name: &str| series.iter().find(|(n, _)| n == name).map(|(_, value)| *value);
        assert_eq!(
            (
                get("modes"),
                get("loss_online"),
                get("actor/a/trajectories"),
                get("fleet/gaps")
            ),
            (Some(2.0), Some(1.5), Some(7.0), Some(4.0))
        );
        assert_eq!(
            (get("mean_y"), get("loss_replay"), get("round"), get("actors")),
            (None, None, None, None)
        );
        assert_eq!((get("rejected/forged"), get("rejected")), (Some(4.0), None));
    }

    #[test]
    fn lines_leave_out_what_there_is_not_and_come_back() {
        let row = MetricsRow {
            round: 1,
            top100_y: Some(0.25),
            waiting_for: WaitingFor::Learner,
            ..Default::default()
        };
        let line = serde_json::to_string(&row).unwrap();
        assert!(
            line.contains(r#""waiting_for":"learner""#) && !line.contains("loss"),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<MetricsRow>(&line).unwrap(), row);
        let newer = r#"{"round": 1, "top100_y": 0.25, "waiting_for": "learner", "of_the_future": {}}"#;
        assert_eq!(serde_json::from_str::<MetricsRow>(newer).unwrap(), row);
    }
}
