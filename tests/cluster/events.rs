//! What happens to a run on a cluster in its life.

use super::processes::{signal, wait_until};
use super::run::{Run, good};
use super::slurm::Slurm;

/// True for `make cluster-test`.
fn long() -> bool {
    std::env::var("THERMOFLOW_CLUSTER").is_ok_and(|form| form == "long")
}

/// Lets training go on between two events.
fn train(run: &Run<'_>) {
    let (at, more) = (run.round(), if long() { 2000 } else { 5 });
    wait_until("rounds to be finished", || run.round() >= at + more);
}

#[test]
fn a_run_on_three_nodes_outlives_drained_nodes_scaling_and_a_requeued_learner() {
    let Some(slurm) = Slurm::start() else { return };
    let run = Run::new(&slurm);
    // Six of eight CPUs each: a node holds one of them, so that all three take part.
    let wide = [
        "--set",
        "launch.slurm.actor.cpus=6",
        "--set",
        "launch.slurm.learner.cpus=6",
    ];
    good(run.launch(&run.arguments(&[&wide[..], &["--actors", "2"]].concat())));
    run.delivers(0..2);
    let nodes: std::collections::BTreeSet<_> = ["learner", "actor-0", "actor-1"]
        .iter()
        .map(|name| run.node(name).unwrap())
        .collect();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    train(&run);

    // An actor's node is drained, its job put back; the node returns, and so does the actor.
    let node = run.node("actor-1").unwrap();
    slurm.does(
        "scontrol",
        &["update", &format!("nodename={node}"), "state=drain", "reason=test"],
    );
    slurm.does("scontrol", &["requeue", &run.job("actor-1")]);
    wait_until("the actor to wait", || run.node("actor-1").is_none());
    run.delivers([0]);
    slurm.does("scontrol", &["update", &format!("nodename={node}"), "state=resume"]);
    run.delivers([1]);

    // The learner's time is nearly up: a checkpoint, back into the queue, and on.
    let round = run.round();
    slurm.does("scancel", &["--batch", "--signal=USR1", &run.job("learner")]);
    wait_until("the learner to wait", || run.node("learner").is_none());
    run.delivers(0..2);
    assert!(run.round() >= round, "training goes on where it was");
    assert!(run.does("logs", &["learner", "-n", "1000"]).contains("resumed"));

    run.does("stop", &[]);
    assert_eq!(slurm.queue(), "");
    let acknowledged = run.account();
    assert!(acknowledged > 0);
    println!("{acknowledged} trajectories acknowledged, all in the replay");
}

#[test]
fn a_run_grows_from_two_to_six_actors_and_shrinks_again() {
    let Some(slurm) = Slurm::start() else { return };
    let run = Run::new(&slurm);
    good(run.launch(&run.arguments(&["--actors", "2", "--no-probe"])));
    run.delivers(0..2);
    run.does("scale", &["--actors", "6"]);
    run.delivers(2..6);
    train(&run);
    run.does("scale", &["--actors", "1"]);
    wait_until("five actors to be gone", || {
        slurm.queue().matches("-actor").count() == 1
    });
    run.delivers([0]);
    let again = run.launch(&run.arguments(&["--actors", "2"]));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(
        again.status.code() == Some(2) && said.contains("a run under way"),
        "{said}"
    );
    run.does("stop", &[]);
    assert!(run.account() > 0);
    let late = run.launch(&["scale", run.dir.to_str().unwrap(), "--actors", "3"]);
    assert_eq!(late.status.code(), Some(2), "{late:?}");
    assert_eq!(slurm.queue(), "");
}

#[test]
fn a_task_is_a_relay_with_its_actors_and_comes_back_when_one_of_them_is_killed() {
    let Some(slurm) = Slurm::start() else { return };
    let run = Run::new(&slurm);
    let together = ["--actors", "4", "--actors-per-task", "2", "--no-probe"];
    good(run.launch(&run.arguments(&together)));
    let crews = ["actor-0.0", "actor-0.1", "actor-1.0", "actor-1.1"];
    run.each_delivers(&crews);
    assert!(run.does("status", &[]).contains("4 of 4 actors"));
    assert_eq!(
        slurm.queue().matches("-actor").count(),
        2,
        "two tasks: {}",
        slurm.queue()
    );

    signal("-KILL", run.process("actor-1.0"));
    wait_until("the whole task to wait", || run.node("actor-1").is_none());
    run.each_delivers(&crews);
    let logs = run.does("logs", &["actor-1", "-n", "1000"]);
    assert!(
        logs.contains("of the crew ended badly") && logs.contains("back into the queue"),
        "{logs}"
    );

    run.does("scale", &["--actors", "2"]);
    wait_until("a crew to be gone", || slurm.queue().matches("-actor").count() == 1);
    run.each_delivers(&crews[..2]);
    run.does("stop", &[]);
    assert_eq!(slurm.queue(), "");
    assert!(run.account() > 0);
}

#[test]
fn a_time_limit_that_runs_out_ends_in_a_checkpoint_and_a_resume() {
    if !long() {
        eprintln!("SKIPPED: a time limit takes minutes to run out; make cluster-test waits for it");
        return;
    }
    let Some(slurm) = Slurm::start() else { return };
    let run = Run::new(&slurm);
    // Slurm counts in minutes, and the program is asked two of them before its time is up.
    let limit = ["--actors", "2", "--set", "launch.slurm.learner.time=\"00:03:00\""];
    good(run.launch(&run.arguments(&limit)));
    run.delivers(0..2);
    let logs = || run.does("logs", &["learner", "-n", "1000"]);
    wait_until("the learner to be asked to stop", || logs().contains("asked to stop"));
    let round = run.round();
    wait_until("the learner to be resumed", || logs().contains("resumed"));
    run.delivers(0..2);
    assert!(run.round() >= round, "training goes on where it was");
    run.does("stop", &[]);
    assert!(run.account() > 0, "and nothing that was acknowledged is lost");
}
