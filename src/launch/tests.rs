//! Scripts, the lines of squeue, launch.json and scaling, without a scheduler.

use super::local::{End, Process, ProcessId, line};
use super::queue::{Who, parse};
use super::scale::{Change, change, tasks};
use super::script::{Script, ranges};
use super::{Key, LaunchError, LaunchPaths, Plan, Programs, Record, Request, Scheduler};
use crate::config::{RawConfig, from_text_to_launch};
use std::collections::BTreeSet;
use std::path::Path;

const CONFIG: &str = "
[task]
name = \"tfbind8\"
[launch]
ledger = true
port = 5555
[launch.slurm]
account = \"lab\"
partition = \"gpu\"
time = \"1:00:00\"
modules = [\"cuda/13\"]
extra = [\"--qos=long\"]
";

fn plan(run_dir: &str, gres: Option<&str>) -> Plan {
    let mut flags = RawConfig::default();
    flags.launch.slurm.learner.gres = gres.map(Into::into);
    plan_of(&Scheduler::Slurm, run_dir, flags)
}

/// With sixteen actors in a task.
fn crewed(scheduler: &Scheduler, run_dir: &str) -> Plan {
    let mut flags = RawConfig::default();
    flags.launch.actors_per_task = Some(16);
    plan_of(scheduler, run_dir, flags)
}

fn plan_of(scheduler: &Scheduler, run_dir: &str, flags: RawConfig) -> Plan {
    let (_, config) = from_text_to_launch(Path::new("a.toml"), CONFIG, &[], &flags).unwrap();
    let bin = Path::new("/opt/tf/bin");
    let programs = Programs {
        thermoflow: bin.join("thermoflow"),
        learner: bin.join("thermoflow-learner"),
        actor: bin.join("thermoflow-actor"),
        relay: bin.join("thermoflow-relay"),
    };
    let request = Request {
        id: "1a2b",
        paths: &LaunchPaths::new(run_dir),
        programs: &programs,
        working_dir: Path::new("/home/me"),
        key: &Key::File("/home/me/it's a key".into()),
        scheduler,
        allow_programs: true,
        config: &config,
    };
    Plan::new(&request).unwrap()
}

/// The words of the last line, as a shell reads them.
fn words(script: &str) -> Vec<String> {
    shlex::split(script.lines().last().unwrap()).unwrap()
}

/// The word behind `flag`.
fn after<'a>(words: &'a [String], flag: &str) -> &'a str {
    &words[words.iter().position(|word| word == flag).unwrap() + 1]
}

#[test]
fn the_learner_s_script_asks_for_what_was_configured_and_survives_its_time_limit() {
    let script = Script::learner(&plan("/runs/a b", Some("gpu:1"))).unwrap().to_string();
    assert!(script.starts_with("#!/bin/bash\n#SBATCH --job-name=tf-1a2b-learner\n"));
    for line in [
        "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@120",
        "#SBATCH --account=lab",
        "#SBATCH --partition=gpu",
        "#SBATCH --gres=gpu:1",
        "#SBATCH --qos=long",
        "#SBATCH --output='/runs/a b/launch/logs/learner.log'",
        "module load cuda/13",
    ] {
        assert!(script.lines().any(|found| found == line), "{line} in {script}");
    }
    let words = words(&script);
    let keep = [
        "exec",
        "/opt/tf/bin/thermoflow",
        "launch",
        "keep",
        "--resume-if",
        "/runs/a b/run.toml",
        "--",
    ];
    assert_eq!(words[..7], keep);
    assert_eq!(
        after(&words, "--key-file"),
        "/home/me/it's a key",
        "quotes in names are kept"
    );
    assert_eq!(after(&words, "--bind"), "tcp://0.0.0.0:5555");
}

#[test]
fn actors_are_an_array_each_with_its_own_outbox_and_no_part_of_the_learner_s_needs() {
    let script = Script::actors(&plan("/runs/50%", Some("gpu:1")), &[0, 1, 2, 5])
        .unwrap()
        .to_string();
    assert!(
        script.contains("#SBATCH --array=0-2,5\n") && !script.contains("--gres"),
        "{script}"
    );
    assert!(
        script.contains("--output='/runs/50%%/launch/logs/actor-%a'\n"),
        "{script}"
    );
    let words = words(&script);
    for pair in [
        ["--name", "actor-$SLURM_ARRAY_TASK_ID"],
        ["--outbox", "/runs/50%/launch/outbox/actor-$SLURM_ARRAY_TASK_ID"],
        ["--ledger", "/runs/50%/launch/ledger/actor-$SLURM_ARRAY_TASK_ID"],
    ] {
        assert!(words.windows(2).any(|found| found == pair), "{pair:?} in {words:?}");
    }
    assert!(words.contains(&"--allow-programs".into()));
}

#[test]
fn a_task_of_several_actors_is_a_relay_that_starts_them() {
    let script = Script::actors(&crewed(&Scheduler::Slurm, "/runs/50%"), &[0, 1]).unwrap();
    let script = script.to_string();
    for line in [
        "--array=0-1",
        "--cpus-per-task=16",
        "--output='/runs/50%%/launch/logs/actor-%a'",
    ] {
        assert!(script.contains(&format!("#SBATCH {line}\n")), "{line} in {script}");
    }
    let words = words(&script);
    let parts: Vec<&[String]> = words.split(|word| word == "--").collect();
    let [_keep, relay, actor] = parts[..] else {
        panic!("{words:?}")
    };
    let of_relay = [
        "/opt/tf/bin/thermoflow-relay",
        "--connect-file",
        "/runs/50%/launch/address",
        "--give-up-after",
        "86400",
        "--key-file",
        "/home/me/it's a key",
        "--crew",
        "16",
    ];
    assert_eq!(relay, of_relay);
    let of_actor = [
        "--give-up-after",
        "86400",
        "--name",
        "actor-$SLURM_ARRAY_TASK_ID.{}",
        "--outbox",
        "/runs/50%/launch/outbox/actor-$SLURM_ARRAY_TASK_ID.{}",
        "--ledger",
        "/runs/50%/launch/ledger/actor-$SLURM_ARRAY_TASK_ID.{}",
        "--allow-programs",
    ];
    assert_eq!(actor, of_actor);
}

#[test]
fn actors_fill_tasks_or_the_nearest_numbers_that_do_are_named() {
    assert_eq!(
        [tasks(32, 16), tasks(0, 16), tasks(5, 1)].map(Result::unwrap),
        [2, 0, 5]
    );
    let refused = |actors| tasks(actors, 16).unwrap_err();
    assert!(refused(20).is_bad_input());
    assert_eq!(
        refused(20).to_string(),
        "20 actors do not fill tasks of 16 (launch.actors_per_task): 16 or 32 would"
    );
    assert!(refused(3).to_string().ends_with(": 16 would"));
}

#[test]
fn actors_belong_to_the_task_whose_number_they_have() {
    let names = [
        "actor-1",
        "actor-1.0",
        "actor-1.15",
        "actor-10",
        "actor-10.1",
        "learner",
    ];
    let of = |who: Who| names.into_iter().filter(|name| who.has(name)).collect::<Vec<_>>();
    assert_eq!(of(Who::Actor(1)), names[..3]);
    assert_eq!(of(Who::Actor(10)), names[3..5]);
}

#[test]
fn numbers_are_written_as_ranges() {
    assert_eq!(ranges(&[3]), "3");
    assert_eq!(ranges(&[0, 1, 2, 4, 6, 7]), "0-2,4,6-7");
}

#[test]
fn the_lowest_free_numbers_start_and_the_highest_stop() {
    let live = BTreeSet::from([0, 2, 3]);
    let starts = |start: &[u32]| Change {
        start: start.into(),
        stop: vec![],
    };
    assert_eq!(change(&live, 3), starts(&[]));
    assert_eq!(change(&live, 6), starts(&[1, 4, 5]));
    let stops = Change {
        start: vec![],
        stop: vec![2, 3],
    };
    assert_eq!(change(&live, 1), stops);
}

#[test]
fn the_queue_tells_who_runs_where() {
    let names = ["tf-1-learner".to_owned(), "tf-1-actor".to_owned()];
    let text = "\
12|tf-1-learner|RUNNING|n1|1:02|None
13_0|tf-1-actor|RUNNING|n2|1:00|None
13_1|tf-1-actor|CANCELLED|n3|0:10|None
14_1|tf-1-actor|PENDING||0:00|Resources
14_2|tf-1-actor|FAILED|n3|0:01|NonZeroExitCode
9_0|other|RUNNING|n3|5:00|None
";
    let tasks = parse(text, &names).unwrap();
    assert_eq!(tasks.len(), 4);
    assert_eq!(tasks[&Who::Learner].node, "n1");
    assert_eq!(tasks[&Who::Actor(1)].job, "14_1", "the live one of two");
    assert_eq!(tasks[&Who::Actor(1)].reason, "Resources");
    assert!(!tasks[&Who::Actor(2)].is_live() && tasks[&Who::Actor(0)].is_live());
    for line in ["12|tf-1-learner|RUNNING", "12|tf-1-actor|RUNNING|n1|1:02|None"] {
        assert!(matches!(parse(line, &names), Err(LaunchError::Queue(_))), "{line}");
    }
}

#[test]
fn the_record_is_read_back_and_what_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let paths = LaunchPaths::new(dir.path());
    assert!(matches!(Record::read(&paths), Err(LaunchError::NotLaunched(_))));
    let host = "here".into();
    let record = Record::new("1a2b", Scheduler::Local { host }, plan("/runs/a", None), 3);
    record.write(&paths).unwrap();
    assert_eq!(Record::read(&paths).unwrap(), record);
    let text = std::fs::read_to_string(paths.record()).unwrap();
    std::fs::write(paths.record(), text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    let error = Record::read(&paths).unwrap_err();
    assert!(
        error.is_bad_input() && error.to_string().contains("version is 2"),
        "{error}"
    );
}

#[test]
fn a_record_of_before_there_was_another_scheduler_is_slurm_s() {
    let dir = tempfile::tempdir().unwrap();
    let paths = LaunchPaths::new(dir.path());
    let record = Record::new("1a2b", Scheduler::Slurm, plan("/runs/a", None), 3);
    let mut json = serde_json::to_value(&record).unwrap();
    json.as_object_mut().unwrap().remove("scheduler");
    for key in ["port", "actors_per_task"] {
        json["plan"].as_object_mut().unwrap().remove(key).unwrap();
    }
    std::fs::write(paths.record(), json.to_string()).unwrap();
    let read = Record::read(&paths).unwrap();
    assert_eq!((read.scheduler, read.plan.actors_per_task), (Scheduler::Slurm, 1));
}

#[test]
fn processes_of_one_machine_have_keepers_and_stay_on_loopback() {
    let paths = LaunchPaths::new("/runs/a b");
    let scheduler = Scheduler::Local { host: "here".into() };
    let plan = plan_of(&scheduler, "/runs/a b", RawConfig::default());
    let words_of = |plan, who| shlex::split(&line(plan, &paths, who).unwrap()).unwrap();
    let words = |who| words_of(&plan, who);
    let learner = words(Who::Learner);
    assert_eq!(after(&learner, "--bind"), "tcp://127.0.0.1:5555");
    assert_eq!(after(&learner, "--process"), "/runs/a b/launch/processes/learner.json");
    assert_eq!(after(&learner, "--resume-if"), "/runs/a b/run.toml");
    let actor = words(Who::Actor(3));
    assert_eq!(after(&actor, "--outbox"), "/runs/a b/launch/outbox/actor-3");
    assert!(!actor.contains(&"--resume-if".into()));
    assert_eq!(actor[actor.len() - 2..], [">>/runs/a b/launch/logs/actor-3", "2>&1"]);
    let crew = words_of(&crewed(&scheduler, "/runs/a b"), Who::Actor(3));
    assert_eq!(after(&crew, "--crew"), "16");
    assert_eq!(after(&crew, "--process"), "/runs/a b/launch/processes/actor-3.json");
    assert_eq!(after(&crew, "--outbox"), "/runs/a b/launch/outbox/actor-3.{}");
}

#[test]
fn what_became_of_a_process_is_told_from_its_file_and_who_is_there() {
    let id = |pid| ProcessId {
        pid,
        born: "then".into(),
    };
    let mut process = Process::new(id(7), 1000);
    let said = |process: &Process, live: &[u32]| {
        let task = process.task("here", 1000 + 3723, |id| live.contains(&id.pid));
        (task.state.clone(), task.is_live(), task.job, task.time, task.reason)
    };
    let text = str::to_owned;
    assert_eq!(
        said(&process, &[7]),
        (text("CONFIGURING"), true, text("7"), text("1:02:03"), text(""))
    );
    process.program = Some(id(8));
    assert_eq!(said(&process, &[7, 8]).0, "RUNNING");
    assert_eq!(said(&process, &[8]).0, "RUNNING", "it outlives its keeper");
    assert!(said(&process, &[7]).1, "its keeper has not written down its end yet");
    let (state, live, .., reason) = said(&process, &[]);
    assert_eq!(
        (state.as_str(), live, reason.as_str()),
        ("FAILED", false, "lost with its keeper")
    );
    for (end, state, reason) in [
        (End::Code(0), "COMPLETED", ""),
        (End::Code(2), "FAILED", "exit code 2"),
        (End::Signal(9), "FAILED", "killed by signal 9"),
    ] {
        process.ended = Some((end, 1062));
        // Somebody else may have its number by now.
        assert_eq!(
            said(&process, &[7, 8]),
            (text(state), false, text("8"), text("1:02"), text(reason))
        );
    }
}

#[test]
fn names_of_programs_are_read_back() {
    for who in [Who::Learner, Who::Actor(0), Who::Actor(17)] {
        assert_eq!(who.to_string().parse(), Ok(who));
    }
    assert!("actor-x".parse::<Who>().is_err() && "lock".parse::<Who>().is_err());
}
