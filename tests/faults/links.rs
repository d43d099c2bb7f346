//! Links that are cut: the learner and one actor live in a network of their own each (`ip netns`), joined by a pair of
//! virtual devices; a second actor is beside the learner. Not loopback, so there is a key. Takes root, and minutes.

use super::account::Account;
use super::fleet::Fleet;
use super::table::Row;
use super::{let_pass, long};
use std::process::Command;
use std::time::Duration;

const LEARNER: &str = "10.77.43.1";
const ACTOR: &str = "10.77.43.2";

/// How long a link stays cut.
const CUT: Duration = Duration::from_secs(20);

fn ip(arguments: &str) -> bool {
    let output = Command::new("ip").args(arguments.split_whitespace()).output();
    output.is_ok_and(|output| output.status.success())
}

/// Two networks, removed when dropped.
struct Networks {
    learner: String,
    actor: String,
}

impl Networks {
    fn new(mode: &str) -> Option<Self> {
        let name = |side| format!("thermoflow-{mode}-{side}-{}", std::process::id());
        let networks = Self {
            learner: name("learner"),
            actor: name("actor"),
        };
        let Self { learner, actor } = &networks;
        let made = [
            format!("netns add {learner}"),
            format!("netns add {actor}"),
            format!("-n {actor} link add link-a type veth peer name link-l netns {learner}"),
            format!("-n {learner} addr add {LEARNER}/30 dev link-l"),
            format!("-n {actor} addr add {ACTOR}/30 dev link-a"),
            format!("-n {learner} link set lo up"),
            format!("-n {learner} link set link-l up"),
            format!("-n {actor} link set link-a up"),
        ];
        if made.iter().all(|command| ip(command)) {
            return Some(networks);
        }
        eprintln!("SKIPPED: the test of cut links makes network namespaces (ip netns), which takes root");
        None
    }

    fn through(network: &str) -> Vec<String> {
        ["ip", "netns", "exec", network].map(String::from).into()
    }

    /// How to cut, and how to mend it.
    fn cuts(&self) -> [(&'static str, String, String); 3] {
        let Self { learner, actor } = self;
        let black = |network, what, host| format!("-n {network} route {what} blackhole {host}/32");
        [
            (
                "both ways",
                format!("-n {actor} link set link-a down"),
                format!("-n {actor} link set link-a up"),
            ),
            (
                "to the learner",
                black(actor, "add", LEARNER),
                black(actor, "del", LEARNER),
            ),
            (
                "from the learner",
                black(learner, "add", ACTOR),
                black(learner, "del", ACTOR),
            ),
        ]
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.learner));
        ip(&format!("netns del {}", self.actor));
    }
}

fn cut_links(mode: &'static str) {
    if !long() {
        return eprintln!("SKIPPED: cutting links takes minutes; `make faults` does it");
    }
    let Some(networks) = Networks::new(mode) else { return };
    let mut fleet = Fleet::new(mode, 2);
    let key = fleet.path("key").display().to_string();
    let made = Command::new(env!("CARGO_BIN_EXE_thermoflow"))
        .args(["key", "new", &key])
        .output();
    assert!(made.unwrap().status.success());
    fleet.learner_through = Networks::through(&networks.learner);
    fleet.learner_more = ["--bind", &format!("tcp://{LEARNER}:0"), "--key-file", &key]
        .map(String::from)
        .into();
    fleet.actors_more = ["--key-file", &key].map(String::from).into();
    fleet.actors[0].through = Networks::through(&networks.actor);
    fleet.actors[1].through = Networks::through(&networks.learner);
    fleet.start();
    let mut row = Row {
        fault: format!("link cut for {} s, {mode}", CUT.as_secs()),
        times: 3,
        ..Row::default()
    };
    let mut cuts = Vec::new();
    for (which, cut, mend) in networks.cuts() {
        assert!(ip(&cut), "{cut}");
        let_pass(CUT);
        // Whatever was under way when the link was cut is taken over; the run goes on without the one that is cut off.
        fleet.advances(2);
        fleet.delivers(1, 100);
        assert!(ip(&mend), "{mend}");
        row.recovered.push(fleet.delivers(0, 32));
        cuts.push(format!("{which} {:.1} s", row.recovered.last().unwrap().as_secs_f64()));
    }
    fleet.finish();
    row.remarks = cuts.join(", ");
    row.settle(&Account::of(&fleet));
}

#[test]
fn a_cut_link_loses_nothing_of_a_free_running_run() {
    cut_links("async");
}

#[test]
fn a_cut_link_loses_nothing_of_a_lockstep_run() {
    cut_links("sync");
}
