//! Simulations whose outcome is known without them.

use super::*;
use crate::plan::costs::tests::example_costs;
use crate::plan::{Advice, Limit, Readings, Slow};
use crate::protocol::example::{example_config, example_task};

/// Actors that roll out four at a time, on as many cores as they want.
fn scenario(actors: usize, reward: f64) -> Scenario {
    Scenario {
        reward: Reward::Waited(reward),
        ..Scenario::on_one_machine(actors, 256)
    }
}

fn config() -> RunConfig {
    example_config(Mode::Async)
}

fn play(config: &RunConfig, scenario: &Scenario, change: impl FnOnce(&mut Costs)) -> Prediction {
    let mut costs = example_costs(config);
    change(&mut costs);
    scenario.check(config).unwrap();
    simulate(config, &example_task(), &costs, scenario, &mut |_| {})
}

fn limit(prediction: &Prediction, scenario: &Scenario) -> Limit {
    Advice::new(&Readings::of_prediction(prediction, scenario), &config()).limit
}

fn assert_near(value: f64, expected: f64, tolerance: f64) {
    let off = value / expected - 1.0;
    assert!(
        off.abs() <= tolerance,
        "{value} is not within {tolerance} of {expected}"
    );
}

#[test]
fn slow_rewards_set_the_rate_and_more_actors_bring_more() {
    for actors in [1, 2, 64] {
        let scenario = scenario(actors, 0.05);
        let prediction = play(&config(), &scenario, |_| {});
        // Four rewards of 50 ms and a roll-out of 2 ms.
        assert_near(prediction.trajectories_per_second, actors as f64 * 4.0 / 0.202, 0.02);
        assert_eq!(limit(&prediction, &scenario), Limit::Rewards);
        assert!(prediction.actors_scoring > 0.95, "{prediction:?}");
    }
}

#[test]
fn one_slow_actor_costs_its_own_share_only() {
    let mut scenario = scenario(64, 0.05);
    let rate = |scenario: &Scenario| play(&config(), scenario, |_| {}).trajectories_per_second;
    let all = rate(&scenario);
    scenario.slow = Slow {
        actors: 1,
        factor: 10.0,
    };
    assert_near(rate(&scenario), all * (63.0 + 0.1) / 64.0, 0.01);
}

#[test]
fn a_learner_that_is_twice_as_slow_halves_the_rate_that_it_limits() {
    let scenario = scenario(32, 0.0);
    let play = |factor: f64| {
        play(&config(), &scenario, |costs| {
            costs.learner.online *= factor;
            costs.learner.replay *= factor;
        })
    };
    let (once, twice) = (play(1.0), play(2.0));
    // A round is 6 received, an online and a replay batch of 1 ms.
    assert_near(once.trajectories_per_second, 6.0 / 0.002, 0.05);
    assert_near(twice.trajectories_per_second, once.trajectories_per_second / 2.0, 0.03);
    assert_eq!(limit(&once, &scenario), Limit::Training);
    assert!(once.actors_waiting_for_acks > 0.5, "{once:?}");
    assert_near(once.steps_per_second, once.trajectories_per_second / 3.0, 0.02);
}

#[test]
fn the_bottleneck_is_found_where_it_was_put() {
    let limit_of = |scenario: &Scenario, change: fn(&mut Costs)| {
        let mut config = config();
        // One sample per insert: the learner has time.
        config.replay.batch = 0;
        config.replay.samples_per_insert = 1.0;
        limit(&play(&config, scenario, change), scenario)
    };
    assert_eq!(
        limit_of(&scenario(64, 0.0), |c| c.learner.commit_each = 1e-2),
        Limit::Replay
    );
    assert_eq!(
        limit_of(&scenario(64, 0.0), |c| c.learner.receive = 1e-2),
        Limit::Network
    );
    assert_eq!(
        limit_of(&scenario(2, 0.0), |c| c.actor.roll_again = 1e-2),
        Limit::RollOuts
    );
    let two_cores = Scenario {
        cores: 2,
        ..scenario(64, 0.0)
    };
    assert_eq!(
        limit_of(&two_cores, |c| (c.actor.roll_fresh, c.actor.roll_again) = (0.1, 0.1)),
        Limit::Cores
    );
    let mut machines = Scenario {
        nodes: 3,
        cores: 1,
        sealed: true,
        ..scenario(16, 0.0)
    };
    assert_eq!(
        limit_of(&machines, |c| (c.actor.roll_fresh, c.actor.roll_again) = (0.1, 0.1)),
        Limit::ActorCores
    );
    (machines.cores, machines.gbit) = (64, 0.1);
    assert_eq!(limit_of(&machines, |c| c.bytes.weights = 1e6), Limit::LinkDown);
    assert_eq!(
        limit_of(&machines, |c| (c.bytes.trajectory, c.bytes.weights) = (1e5, 10.0)),
        Limit::LinkUp
    );
}

#[test]
fn what_is_rolled_out_is_committed_but_for_what_is_on_its_way() {
    let (config, scenario) = (config(), scenario(8, 0.001));
    let costs = example_costs(&config);
    let task = example_task();
    let mut world = World::new(&config, &task, &costs, &scenario);
    world.begin();
    for _ in 0..5 {
        world.play_window();
    }
    let (rolled, trained) = (world.counts.rolled, world.counts.trained_in);
    let most = (8 * crate::protocol::window(&config)) as f64;
    assert!(trained > 10_000.0, "{trained}");
    // What training has received is acknowledged before; a commit or two lie between.
    let on_its_way = rolled - trained;
    assert!(
        (0.0..=2.0 * most).contains(&on_its_way),
        "{rolled} rolled, {trained} trained"
    );
    assert_eq!(world.learner.duplicates(), 0);
}

/// 96 actors on three machines, and a learner that has time for them. A version of weights lasts for a while.
fn machines(relays: bool) -> (RunConfig, Scenario) {
    let scenario = Scenario {
        nodes: 4,
        sealed: true,
        relays,
        ..scenario(96, 0.01)
    };
    let mut config = config();
    config.learner.publish_every = 500;
    (config, scenario)
}

fn quick(costs: &mut Costs) {
    (costs.learner.online, costs.learner.replay) = (1e-6, 1e-6);
}

#[test]
fn behind_relays_fewer_messages_come_and_weights_go_to_machines() {
    let [without, with] = [false, true].map(|relays| {
        let (config, scenario) = machines(relays);
        play(&config, &scenario, quick)
    });
    for prediction in [&without, &with] {
        assert!(prediction.is_steady, "{prediction:?}");
        // Four rewards of 10 ms and a roll-out of 2 ms.
        assert_near(prediction.trajectories_per_second, 96.0 * 4.0 / 0.042, 0.02);
    }
    // A roll-out is a message; a relay sends 200 a second, and those that are full.
    assert!(without.messages_up_per_second > 96.0 / 0.042, "{without:?}");
    assert!(with.messages_up_per_second < 3.0 * 210.0, "{with:?}");
    // 32 actors of a machine get the same weights.
    assert!(with.bytes_down_per_second < without.bytes_down_per_second / 10.0);
}

#[test]
fn behind_relays_nothing_is_lost_or_sent_twice() {
    let one_machine = Scenario {
        relays: true,
        ..scenario(8, 0.001)
    };
    for (config, scenario) in [machines(true), (config(), one_machine)] {
        let mut costs = example_costs(&config);
        quick(&mut costs);
        let task = example_task();
        let mut world = World::new(&config, &task, &costs, &scenario);
        world.begin();
        for _ in 0..5 {
            world.play_window();
        }
        let (rolled, trained) = (world.counts.rolled, world.counts.trained_in);
        let most = (scenario.actors * crate::protocol::window(&config)) as f64;
        assert!(trained > 10_000.0, "{trained}");
        assert!(
            (0.0..=2.0 * most).contains(&(rolled - trained)),
            "{rolled} rolled, {trained} trained"
        );
        assert_eq!(world.learner.duplicates(), 0);
        assert!(world.actors.iter().all(|actor| actor.connections == 1));
    }
}

/// A learner that takes 100 trajectories a second: 400 actors are told after some 70 s that what they sent is safe.
#[test]
fn actors_stay_with_a_learner_that_is_behind() {
    for relays in [false, true] {
        let config = config();
        let scenario = Scenario {
            nodes: 5,
            relays,
            ..scenario(400, 0.0)
        };
        let mut costs = example_costs(&config);
        (costs.learner.online, costs.learner.replay) = (0.03, 0.03);
        let task = example_task();
        let mut world = World::new(&config, &task, &costs, &scenario);
        world.begin();
        for _ in 0..60 {
            world.play_window();
        }
        assert!(
            world.actors.iter().all(|actor| actor.connections == 1),
            "relays: {relays}"
        );
        assert_near(world.counts.trained_in, 120.0 * 100.0, 0.05);
        let again = world.grain * world.learner.duplicates() as f64;
        assert!(
            again < 5.0 * world.counts.trained_in,
            "relays: {relays}, {again} came again"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_and_another_nearly_the_same() {
    let mut scenario = scenario(4, 0.002);
    let play = |scenario: &Scenario| play(&config(), scenario, |_| {});
    let one = play(&scenario);
    assert_eq!(one, play(&scenario));
    scenario.seed = 1;
    let other = play(&scenario);
    assert_ne!(one, other);
    assert_near(one.trajectories_per_second, other.trajectories_per_second, 0.02);
}

#[test]
fn lockstep_rounds_take_a_roll_out_and_a_round_of_training() {
    let config = example_config(Mode::Sync);
    let scenario = scenario(3, 0.01);
    let prediction = play(&config, &scenario, |_| {});
    // Two places each: 2 · 10 ms of rewards and a third of a roll-out's 2 ms, then 2 ms of training, and messages.
    assert_near(
        prediction.trajectories_per_second,
        6.0 / (0.02 + 0.002 / 3.0 + 0.002),
        0.05,
    );
    assert_eq!(prediction.staleness_max, Some(0.0));
}

#[test]
fn cores_that_are_shared_are_shared() {
    let one_core = Scenario::on_one_machine(4, 1);
    let prediction = play(&config(), &one_core, |_| {});
    // 6 trajectories take 3 ms of roll-outs and 2 ms of training on the one core.
    assert_near(prediction.trajectories_per_second, 6.0 / 0.005, 0.05);
    assert!(prediction.learner.cores > 0.98, "{prediction:?}");
}
