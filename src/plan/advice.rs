//! What limits a run, and which setting to change: from what a simulation or a run's metrics say. No run is changed here.

mod changes;

use super::{Prediction, Scenario};
use crate::config::RunConfig;
use crate::metrics::{MetricsRow, WaitingFor};
use serde::Serialize;
use std::fmt;

/// From this share of its time on, a part counts as having no more to give.
const BUSY: f64 = 0.9;

/// The same while actors wait for it: what it does not use then goes by between messages.
const MOSTLY_BUSY: f64 = 0.5;

/// From this share of their time on, actors count as waiting.
const WAITING: f64 = 0.3;

/// From this share of their time on, actors count as never waiting.
const ALL: f64 = 0.98;

/// From this share of trajectories on, a loss is worth a word.
const WORTH_A_WORD: f64 = 0.01;

/// What a run cannot get beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Actors, most of whose time goes into rewards.
    Rewards,
    /// Actors, most of whose time goes into roll-outs.
    RollOuts,
    /// The cores that actors run on.
    ActorCores,
    /// The cores of the one machine for all.
    Cores,
    /// The training thread.
    Training,
    /// The replay: the disk, or the thread that writes to it.
    Replay,
    /// The learner's network task.
    Network,
    /// The link to the learner.
    LinkUp,
    /// The link from the learner.
    LinkDown,
    /// Full outboxes, while the learner has time: acknowledgements take too long on their way.
    Outbox,
}

impl Limit {
    /// In a word, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rewards => "rewards",
            Self::RollOuts => "roll-outs",
            Self::ActorCores => "actor-cores",
            Self::Cores => "cores",
            Self::Training => "training",
            Self::Replay => "replay",
            Self::Network => "network",
            Self::LinkUp => "link-up",
            Self::LinkDown => "link-down",
            Self::Outbox => "outbox",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rewards => "the actors: rewards take most of their time",
            Self::RollOuts => "the actors: roll-outs take most of their time",
            Self::ActorCores => "the cores of the actors' machines",
            Self::Cores => "the cores of this machine",
            Self::Training => "the learner's training thread",
            Self::Replay => "the replay: committing to the disk",
            Self::Network => "the learner's network task",
            Self::LinkUp => "the network to the learner",
            Self::LinkDown => "the network from the learner",
            Self::Outbox => "full outboxes: acknowledgements take too long on their way",
        })
    }
}

/// What is known of a run. Shares are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Readings {
    /// Actors that work.
    pub actors: usize,
    /// Actors are known to be behind relays.
    pub relays: bool,
    /// How busy the training thread is. Of a run it is known only whether it waits or others wait for it.
    pub training: f64,
    /// How busy the replay is.
    pub ingest: f64,
    /// How busy the learner's network task is.
    pub network: f64,
    /// How much of the learner's link is used, up and down.
    pub link: [f64; 2],
    /// How busy the cores are that actors share with the learner.
    pub shared_cores: f64,
    /// How busy the cores are that actors have for themselves.
    pub actor_cores: f64,
    /// Time of actors spent in rewards.
    pub scoring: f64,
    /// Time of actors spent in roll-outs.
    pub rolling: f64,
    /// Time of actors spent waiting for acknowledgements.
    pub waiting_for_acks: f64,
    /// Trajectories too stale to be trained on.
    pub stale: f64,
    /// Median of how many versions old trajectories are.
    pub staleness: Option<f64>,
    /// Trajectories sent more than once.
    pub resent: f64,
}

impl Readings {
    /// Of a simulation.
    pub fn of_prediction(prediction: &Prediction, scenario: &Scenario) -> Self {
        let learner = &prediction.learner;
        let alone = scenario.nodes > 1;
        Self {
            actors: scenario.actors,
            relays: scenario.relays,
            training: learner.training,
            ingest: learner.ingest,
            network: learner.network,
            link: [learner.link_up, learner.link_down],
            shared_cores: if alone { 0.0 } else { learner.cores },
            actor_cores: prediction.actor_cores.unwrap_or_default(),
            scoring: prediction.actors_scoring,
            rolling: prediction.actors_rolling,
            waiting_for_acks: prediction.actors_waiting_for_acks,
            stale: prediction.stale_share,
            staleness: prediction.staleness_p50,
            resent: prediction.resent_share,
        }
    }

    /// Of a run, by the last half of its reports; None before there are some.
    pub fn of_run(rows: &[MetricsRow], config: &RunConfig) -> Option<Self> {
        let rows = &rows[rows.len() / 2..];
        let (first, last) = (rows.first()?, rows.last()?);
        let share = |side| rows.iter().filter(|row| row.waiting_for == side).count() as f64 / rows.len() as f64;
        let waits = share(WaitingFor::Actors);
        let asked = |row: &MetricsRow| row.oracle_calls.unwrap_or_default();
        let most = config.learner.max_staleness as f64;
        let stale = rows
            .iter()
            .filter(|row| row.staleness_p50.is_some_and(|age| age > most));
        let resent = |row: &MetricsRow| row.fleet.map_or(0, |fleet| fleet.duplicates);
        let (sent, again) = (
            last.trajectories.saturating_sub(first.trajectories),
            resent(last).saturating_sub(resent(first)),
        );
        Some(Self {
            actors: last.actors.iter().filter(|actor| actor.present).count(),
            training: 1.0 - waits,
            scoring: if asked(last) > asked(first) { waits } else { 0.0 },
            rolling: waits / 2.0,
            waiting_for_acks: share(WaitingFor::Learner),
            stale: stale.count() as f64 / rows.len() as f64,
            staleness: last.staleness_p50,
            resent: again as f64 / (sent + again).max(1) as f64,
            ..Self::default()
        })
    }

    /// What the run cannot get beyond.
    pub fn limit(&self) -> Limit {
        // The more waits for the disk, the more goes into a commit: one that always commits is no limit while nobody waits.
        let nobody_waits = self.scoring + self.rolling > ALL;
        let ingest = if nobody_waits { 0.0 } else { self.ingest };
        let parts = [
            (self.link[0], Limit::LinkUp),
            (self.link[1], Limit::LinkDown),
            (self.training, Limit::Training),
            (ingest, Limit::Replay),
            (self.network, Limit::Network),
            (self.shared_cores, Limit::Cores),
            (self.actor_cores, Limit::ActorCores),
        ];
        // The first of those that are as busy as any, but for chance.
        let most = parts.iter().map(|(busy, _)| *busy).fold(0.0, f64::max);
        let waited_for = self.waiting_for_acks > WAITING;
        let enough = if waited_for { MOSTLY_BUSY } else { BUSY };
        let busiest = parts.into_iter().find(|(busy, _)| *busy >= enough.max(most - 0.05));
        match busiest {
            Some((_, limit)) => limit,
            None if waited_for => Limit::Outbox,
            None if self.scoring > self.rolling => Limit::Rewards,
            None => Limit::RollOuts,
        }
    }

    /// How busy the busiest part of the learner is.
    fn learner(&self) -> f64 {
        let [up, down] = self.link;
        [self.training, self.ingest, self.network, up, down]
            .into_iter()
            .fold(0.0, f64::max)
    }
}

/// What limits a run, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// What it cannot get beyond.
    pub limit: Limit,
    /// What to change, the best first.
    pub changes: Vec<String>,
}

impl Advice {
    /// For a run of `config` in which this was read.
    pub fn new(readings: &Readings, config: &RunConfig) -> Self {
        let limit = readings.limit();
        let mut changes = changes::against(limit, readings, config);
        if readings.resent > WORTH_A_WORD {
            changes.push(format!(
                "{} of what comes was sent before, because acknowledgements take longer than actors wait: fewer actors, or a \
                 smaller actor.outbox (now {})",
                changes::percent(readings.resent),
                config.actor.outbox
            ));
        }
        changes.extend(changes::against_staleness(readings, config));
        Self { limit, changes }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limit: {}.", self.limit)?;
        self.changes.iter().try_for_each(|change| write!(f, "\n  - {change}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;
    use crate::protocol::example::example_config;

    fn readings(change: impl FnOnce(&mut Readings)) -> Readings {
        let mut readings = Readings {
            actors: 10,
            training: 0.3,
            rolling: 0.9,
            ..Readings::default()
        };
        change(&mut readings);
        readings
    }

    #[test]
    fn the_busiest_part_is_the_limit() {
        let limit = |change: fn(&mut Readings)| readings(change).limit();
        assert_eq!(limit(|_| {}), Limit::RollOuts);
        assert_eq!(limit(|r| (r.scoring, r.rolling) = (0.8, 0.2)), Limit::Rewards);
        assert_eq!(limit(|r| r.waiting_for_acks = 0.5), Limit::Outbox);
        let drowned = |r: &mut Readings| (r.waiting_for_acks, r.training) = (0.99, 0.77);
        assert_eq!(limit(drowned), Limit::Training);
        assert_eq!(limit(|r| r.training = 0.97), Limit::Training);
        assert_eq!(limit(|r| r.ingest = 0.95), Limit::Replay);
        assert_eq!(limit(|r| (r.ingest, r.rolling) = (0.95, 0.99)), Limit::RollOuts);
        assert_eq!(limit(|r| r.network = 0.95), Limit::Network);
        assert_eq!(limit(|r| r.link = [0.1, 0.99]), Limit::LinkDown);
        assert_eq!(limit(|r| r.link = [0.99, 0.1]), Limit::LinkUp);
        assert_eq!(limit(|r| r.shared_cores = 1.0), Limit::Cores);
        assert_eq!(limit(|r| r.actor_cores = 1.0), Limit::ActorCores);
        assert_eq!(limit(|r| (r.training, r.shared_cores) = (0.98, 1.0)), Limit::Training);
        assert_eq!(limit(|r| (r.training, r.shared_cores) = (0.91, 1.0)), Limit::Cores);
    }

    #[test]
    fn advice_names_settings_and_numbers() {
        let config = example_config(Mode::Async);
        let advice = |change: fn(&mut Readings)| Advice::new(&readings(change), &config).to_string();
        let text = advice(|_| {});
        assert!(text.contains("time for about 30"), "{text}");
        let text = advice(|r| (r.training, r.waiting_for_acks) = (1.0, 0.75));
        assert!(
            text.contains("samples_per_insert, now 2") && text.contains("about 3 keep"),
            "{text}"
        );
        let text = advice(|r| (r.stale, r.staleness) = (0.2, Some(90.0)));
        assert!(
            text.contains("learner.publish_every = 4") && text.contains("20 %"),
            "{text}"
        );
        let text = advice(|r| r.resent = 0.5);
        assert!(text.contains("actor.outbox (now 3)"), "{text}");
    }

    #[test]
    fn relays_are_advised_to_who_has_none() {
        let config = example_config(Mode::Async);
        for busy in [Limit::Network, Limit::LinkDown] {
            let advice = |relays: bool| {
                let readings = readings(|r| match busy {
                    Limit::Network => (r.network, r.relays) = (0.95, relays),
                    _ => (r.link[1], r.relays) = (0.95, relays),
                });
                let advice = Advice::new(&readings, &config);
                assert_eq!(advice.limit, busy);
                advice.to_string()
            };
            assert!(advice(false).contains("thermoflow relay"), "{}", advice(false));
            assert!(!advice(true).contains("thermoflow relay"), "{}", advice(true));
            assert!(advice(true).contains("publish_every"), "{}", advice(true));
        }
    }

    #[test]
    fn the_metrics_of_a_run_say_who_waits() {
        let config = example_config(Mode::Async);
        assert_eq!(Readings::of_run(&[], &config), None);
        let row = |waiting_for| MetricsRow {
            waiting_for,
            ..MetricsRow::default()
        };
        let limit = |side| Readings::of_run(&vec![row(side); 6], &config).unwrap().limit();
        assert_eq!(limit(WaitingFor::Actors), Limit::RollOuts);
        assert_eq!(limit(WaitingFor::Learner), Limit::Training);
        assert_eq!(limit(WaitingFor::Nothing), Limit::Training);
        let mut rows = vec![row(WaitingFor::Actors); 6];
        (rows[5].oracle_calls, rows[5].staleness_p50) = (Some(100), Some(80.0));
        let readings = Readings::of_run(&rows, &config).unwrap();
        assert_eq!((readings.limit(), readings.staleness), (Limit::Rewards, Some(80.0)));
    }
}
