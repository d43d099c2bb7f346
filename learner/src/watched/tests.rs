//! What is shown, as Prometheus would read it.

use super::*;
use prometheus_client::encoding::prometheus_text;
use std::sync::Arc;
use thermoflow::config::RawConfig;
use thermoflow::metrics::{MetricsRow, WaitingFor};
use thermoflow::protocol::secure::Rejected;
use thermoflow::protocol::{ActorStatus, Counters, FleetReport, PeerReport};
use thermoflow::task::oracle::OracleHealth;
use thermoflow::units::Incarnation;
use thermoflow_watch::metrics::Traffic;

fn peer(incarnation: u64, calls: u64) -> PeerReport {
    let oracle = OracleHealth {
        calls,
        ..OracleHealth::default()
    };
    PeerReport {
        name: Arc::from("a name that no label has"),
        incarnation: Incarnation(incarnation),
        present: true,
        quarantined: false,
        silent: Duration::ZERO,
        taken: 0,
        staleness: None,
        dropped: 0,
        status: ActorStatus {
            oracle,
            outbox: 3,
            ..ActorStatus::default()
        },
    }
}

fn report(actors: Vec<PeerReport>) -> FleetReport {
    FleetReport {
        actors,
        counters: Counters {
            dropped: 2,
            gaps: 1,
            ..Counters::default()
        },
        rejected: Rejected {
            forged: 4,
            ..Rejected::default()
        },
    }
}

/// Everything that a learner shows, with a number in each.
fn shown() -> String {
    let mut raw = RawConfig::default();
    raw.task.name = Some("tfbind8".into());
    let dir = tempfile::tempdir().unwrap();
    let mut registry = registry("00ff", &raw.resolve().unwrap(), dir.path());
    let mut watched = Watched::new(&mut registry);
    watched.ingest.start_at(100);
    watched.ingest.came(3, false);
    watched.ingest.committed(32, Duration::from_millis(3));
    watched.weights.published(1000);
    watched.weights.sent(1000);
    watched.queues.set("ingest", 2, 16);
    let mut traffic = Traffic::default();
    traffic.sent.add(70);
    watched.links.set(traffic);
    watched.relays.set(1.0);
    watched.fleet.set(&report(vec![peer(1, 5), peer(2, 10)]));
    // The first is forgotten, the second asked for 2 more.
    watched.fleet.set(&report(vec![peer(2, 12)]));
    watched.training.set(&MetricsRow {
        round: 7,
        loss_online: Some(1.5),
        waiting_for: WaitingFor::Actors,
        ..MetricsRow::default()
    });
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).unwrap();
    text
}

#[test]
fn numbers_are_taken_over_under_their_names() {
    let text = shown();
    for line in [
        "thermoflow_trajectories_total 132",
        "thermoflow_staleness_versions_bucket{le=\"2\"} 0",
        "thermoflow_staleness_versions_bucket{le=\"4\"} 1",
        "thermoflow_trajectories_untrainable_total 1",
        "thermoflow_commit_duration_seconds_count 1",
        "thermoflow_weights_published_total 1",
        "thermoflow_weights_sent_bytes_total 1000",
        "thermoflow_queue_length{queue=\"ingest\"} 2.0",
        "thermoflow_queue_capacity{queue=\"ingest\"} 16.0",
        "thermoflow_link_messages_total{direction=\"in\"} 0",
        "thermoflow_link_bytes_total{direction=\"out\"} 70",
        "thermoflow_relays 1.0",
        "thermoflow_actors{state=\"present\"} 1.0",
        "thermoflow_actors_lost_total 2",
        "thermoflow_fleet_faults_total{kind=\"gaps\"} 1",
        "thermoflow_rejected_total{reason=\"forged\"} 4",
        "thermoflow_oracle_calls_total 17",
        "thermoflow_rounds_total 7",
        "thermoflow_loss{step=\"online\"} 1.5",
        "thermoflow_mean_y NaN",
        "thermoflow_waiting_for{side=\"actors\"} 1.0",
        "thermoflow_waiting_for{side=\"learner\"} 0.0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in:\n{text}");
    }
    assert!(
        text.contains("thermoflow_run_info{run=\"00ff\",task=\"tfbind8\",mode=\"sync\"} 1"),
        "{text}"
    );
    let free = text
        .lines()
        .find_map(|line| line.strip_prefix("thermoflow_run_directory_free_bytes "));
    assert!(free.unwrap().parse::<f64>().unwrap() > 0.0);
    assert!(!text.contains("a name that no label has"), "{text}");
}
