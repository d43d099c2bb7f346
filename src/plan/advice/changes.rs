//! Which settings to change, in words.

use super::{BUSY, Limit, Readings, WAITING, WORTH_A_WORD};
use crate::config::{Mode, RunConfig};

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// Against a limit, the best first.
pub(super) fn against(limit: Limit, readings: &Readings, config: &RunConfig) -> Vec<String> {
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
        Limit::Network => fewer_messages(readings, config),
        Limit::LinkUp => vec!["a faster network for the learner; trajectories fill it".into()],
        Limit::LinkDown => fewer_weights(readings, config),
        Limit::Outbox => vec![format!("a larger actor.outbox (now {})", config.actor.outbox)],
    }
}

/// Relays, where there are none.
fn relays(readings: &Readings, which: &str) -> Option<String> {
    (!readings.relays).then(|| format!("relays (`thermoflow relay`, one on each machine with actors), {which}"))
}

fn fewer_messages(readings: &Readings, config: &RunConfig) -> Vec<String> {
    let larger = format!(
        "larger messages (actor.batch, now {}), so that fewer come",
        config.actor.batch
    );
    let weights = format!(
        "publish weights less often (learner.publish_every, now {}), so that fewer are asked for",
        config.learner.publish_every
    );
    let relays = relays(readings, "which put messages together");
    let others = if readings.relays { Some(weights) } else { relays };
    [Some(larger), others].into_iter().flatten().collect()
}

fn fewer_weights(readings: &Readings, config: &RunConfig) -> Vec<String> {
    let relays = relays(readings, "to which weights go once for all actors of a machine");
    let others = [
        format!(
            "publish weights less often (learner.publish_every, now {}); they fill the network",
            config.learner.publish_every
        ),
        format!(
            "longer roll-outs (actor.batch, now {}): an actor fetches weights once for each at most",
            config.actor.batch
        ),
    ];
    relays.into_iter().chain(others).collect()
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
pub(super) fn against_staleness(readings: &Readings, config: &RunConfig) -> Option<String> {
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
