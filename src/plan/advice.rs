//! What limits a run, and which setting to change: from what a simulation or a run's metrics say. No run is changed here.

use super::{Prediction, Scenario};
use crate::config::{Mode, RunConfig};
use crate::metrics::{MetricsRow, WaitingFor};
use serde::Serialize;
use std::fmt;

/// From this share of its time on, a part counts as having no more to give.
const BUSY: f64 = 0.9;

/// The same while actors wait for it: what it does not use then goes by between messages.
const MOSTLY_BUSY: f64 = 0.5;

/// From this share of their time on, actors count as waiting.
const WAITING: f64 = 0.3;

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
        let parts = [
            (self.link[0], Limit::LinkUp),
            (self.link[1], Limit::LinkDown),
            (self.training, Limit::Training),
            (self.ingest, Limit::Replay),
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
        let mut changes = changes(limit, readings, config);
        if readings.resent > WORTH_A_WORD {
            changes.push(format!(
                "{} of what comes was sent before, because acknowledgements take longer than actors wait: fewer actors, or a \
                 smaller actor.outbox (now {})",
                percent(readings.resent),
                config.actor.outbox
            ));
        }
        changes.extend(against_staleness(readings, config));
        Self { limit, changes }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limit: {}.", self.limit)?;
        self.changes.iter().try_for_each(|change| write!(f, "\n  - {change}"))
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn changes(limit: Limit, readings: &Readings, config: &RunConfig) -> Vec<String> {
    match limit {
        Limit::Rewards | Limit::RollOuts => more_actors(limit, readings, config),
        Limit::ActorCores => vec!["more nodes, or nodes with more cores, for the actors".into()],
        Limit::Cores => vec![
            "the learner on a machine of its own, or a machine with more cores".into(),
            "more actors change nothing".into(),
        ],
        Limit::Training => less_training(readings, config),
        Limit::Replay => vec![
            format!(
                "larger messages (actor.batch, now {}), so that fewer are committed",
                config.actor.batch
            ),
            "a faster disk for the run directory".into(),
        ],
        Limit::Network => vec![
            format!(
                "larger messages (actor.batch, now {}), so that fewer come",
                config.actor.batch
            ),
            "relays between actors and learner, which put messages together".into(),
        ],
        Limit::LinkUp => vec!["a faster network for the learner; trajectories fill it".into()],
        Limit::LinkDown => vec![
            format!(
                "publish weights less often (learner.publish_every, now {}); they fill the network",
                config.learner.publish_every
            ),
            format!(
                "longer roll-outs (actor.batch, now {}): an actor fetches weights once for each at most",
                config.actor.batch
            ),
        ],
        Limit::Outbox => vec![format!("a larger actor.outbox (now {})", config.actor.outbox)],
    }
}

fn more_actors(limit: Limit, readings: &Readings, config: &RunConfig) -> Vec<String> {
    let mut changes = Vec::new();
    let busy = readings.learner();
    let could = (readings.actors as f64 * BUSY / busy.max(1e-3)) as usize;
    if could > readings.actors {
        changes.push(format!(
            "more actors: the learner has time for about {could} (it is {} busy with {})",
            percent(busy),
            readings.actors
        ));
    }
    match (limit, &config.task.oracle) {
        (Limit::Rewards, Some(oracle)) => changes.push(format!(
            "more programs per actor (task.oracle.instances, now {})",
            oracle.instances
        )),
        (Limit::RollOuts, _) if config.train.mode == Mode::Async => changes.push(format!(
            "larger roll-outs (actor.batch, now {}), which cost less for each trajectory",
            config.actor.batch
        )),
        _ => {}
    }
    changes
}

fn less_training(readings: &Readings, config: &RunConfig) -> Vec<String> {
    let mut changes = Vec::new();
    if config.train.mode == Mode::Async {
        changes.push(format!(
            "less training per trajectory (replay.samples_per_insert, now {})",
            config.replay.samples_per_insert
        ));
    }
    changes.push(format!(
        "larger batches (train.batch, now {}, and replay.batch, now {}), or a faster learner.device (now {:?})",
        config.train.batch, config.replay.batch, config.learner.device
    ));
    let idle = readings.waiting_for_acks;
    let enough = ((readings.actors as f64) * (1.0 - idle)).ceil().max(1.0) as usize;
    if idle > WAITING && enough < readings.actors {
        changes.push(format!(
            "or fewer actors: about {enough} keep the learner as busy; {} wait {} of their time for it",
            readings.actors,
            percent(idle)
        ));
    }
    changes
}

/// Async mode: weights that are too old when their trajectories come.
fn against_staleness(readings: &Readings, config: &RunConfig) -> Option<String> {
    let most = config.learner.max_staleness;
    let half = readings.staleness.is_some_and(|age| age > most as f64 / 2.0);
    if config.train.mode != Mode::Async || !(half || readings.stale > WORTH_A_WORD) {
        return None;
    }
    let age = readings.staleness.unwrap_or_default();
    // So that the median comes down to a quarter of what is allowed.
    let times = (4.0 * age / most.max(1) as f64).ceil().max(2.0) as u64;
    Some(format!(
        "trajectories are {age:.0} versions old (median; {} are older than learner.max_staleness = {most}): publish less \
         often (learner.publish_every = {}), make roll-outs shorter (actor.batch, now {}), or allow for it \
         (learner.max_staleness)",
        percent(readings.stale),
        config.learner.publish_every * times,
        config.actor.batch
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
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
