//! Every question on a small replay whose answers can be counted by hand.

use crate::batches;
use crate::groups::By;
use crate::histogram::{Histogram, Quantity};
use crate::replay::{Filter, Plan, Replay};
use crate::scatter::Sample;
use crate::show::{Id, Trace};
use crate::summary::Summary;
use crate::timeline::{Course, Over, Timeline};
use crate::top::{Diverse, Page, Passing, Sort, Wanted, top};
use tempfile::TempDir;
use thermoflow::replay::{Received, Store};
use thermoflow::rollout::Trajectory;
use thermoflow::units::{Incarnation, PolicyVersion, Seq};

const OBJECTS: [(&str, f32); 4] = [("AAAA", 0.1), ("AAAC", 0.2), ("CCCC", 0.8), ("CCCG", 0.9)];

const BETAS: [f32; 4] = [0.5, 1.0, 2.0, 4.0];

/// Four rounds of four trajectories by two actors: trajectory `place` of round r at β number `place`. Round r reaches the
/// objects 0 to r.
pub fn trajectory(round: u64, place: u64) -> Received {
    let (x, y) = OBJECTS[(place.min(round)) as usize];
    Received {
        incarnation: Incarnation(place % 2),
        actor_name: ["even", "odd"][place as usize % 2].into(),
        seq: Seq(round * 2 + place / 2),
        staleness: round,
        received_us: 1_700_000_000_000_000 + round * 1_000_000,
        trainable: round < 3,
        trajectory: Trajectory {
            beta: BETAS[place as usize],
            actions: vec![place as u16; 4],
            y,
            log_reward: y.ln(),
            log_pf: -1.0 - round as f32,
            policy_version: PolicyVersion(round),
            round,
            index: place as u32,
        },
        object: x.into(),
    }
}

pub fn example() -> (TempDir, Replay) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay.sqlite");
    let mut store = Store::open(&path).unwrap();
    for round in 0..4 {
        let all: Vec<Received> = (0..4).map(|place| trajectory(round, place)).collect();
        store.commit(&all).unwrap();
    }
    let replay = Replay::open(&path).unwrap();
    (dir, replay)
}

fn filter(condition: &str, replay: &Replay) -> Filter {
    Filter::new(Some(condition), replay).unwrap()
}

#[test]
fn a_summary_counts_what_passes() {
    let (_dir, replay) = example();
    let all = Summary::read(&replay, &Filter::NONE).unwrap();
    assert_eq!((all.trajectories, all.distinct, all.duplicates), (16, 4, 0.75));
    assert_eq!((all.too_stale, all.round), (0.25, Some(3)));
    assert_eq!(all.span.as_ref().map(|span| span.per_second), Some(16.0 / 3.0));
    let betas: Vec<_> = all
        .betas
        .iter()
        .map(|group| (group.beta.as_str(), group.trajectories))
        .collect();
    assert_eq!(betas, [("0.5", 4), ("1", 4), ("2", 4), ("4", 4)]);
    assert_eq!(all.betas[3].y.max, f64::from(0.9f32));
    let actors: Vec<_> = all
        .actors
        .iter()
        .map(|actor| (actor.name.as_str(), actor.trajectories))
        .collect();
    assert_eq!(actors, [("even", 8), ("odd", 8)]);
    let versions: Vec<_> = all
        .versions
        .iter()
        .map(|group| (group.first, group.trajectories))
        .collect();
    assert_eq!(versions, [(0, 4), (1, 4), (2, 4), (3, 4)]);

    let some = Summary::read(&replay, &filter("y > 0.5 AND beta < 4", &replay)).unwrap();
    assert_eq!(
        (some.trajectories, some.distinct),
        (2, 1),
        "β = 2 in rounds 2 and 3, to CCCC"
    );
    assert_eq!(some.round, Some(3));
    assert_eq!(some.actors.len(), 1);
    let none = Summary::read(&replay, &filter("y > 2", &replay)).unwrap();
    assert_eq!((none.trajectories, none.distinct, none.span.is_none()), (0, 0, true));
}

#[test]
fn the_best_come_first_with_the_first_way_to_them() {
    let (_dir, replay) = example();
    let names = |filter: &Filter, count, diverse| {
        let found = top(&replay, filter, count, diverse).unwrap();
        found
            .into_iter()
            .map(|best| (best.x, best.seen, best.first.round))
            .collect::<Vec<_>>()
    };
    let expected = |list: &[(&str, u64, i64)]| {
        list.iter()
            .map(|(x, n, r)| ((*x).to_owned(), *n, *r))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&Filter::NONE, 3, None),
        expected(&[("CCCG", 1, 3), ("CCCC", 3, 2), ("AAAC", 5, 1)])
    );
    let apart = Diverse {
        distance: 2,
        task: None,
    };
    assert_eq!(
        names(&Filter::NONE, 9, Some(apart)),
        expected(&[("CCCG", 1, 3), ("AAAC", 5, 1)])
    );
    // With a condition, how often and when is of what passes.
    assert_eq!(
        names(&filter("round >= 2 AND y < 0.5", &replay), 9, None),
        expected(&[("AAAC", 2, 2), ("AAAA", 2, 2)])
    );
}

#[test]
fn histograms_hold_every_trajectory_once() {
    let (_dir, replay) = example();
    let count = |of, by| Histogram::count(&replay, &Filter::NONE, (of, by), 10).unwrap();
    let y = count(Quantity::Y, None);
    assert_eq!(y.groups[0].counts.iter().sum::<u64>(), 16);
    assert_eq!(
        (y.edges[0], y.edges[y.edges.len() - 1] >= 0.9),
        (0.1, true),
        "{:?}",
        y.edges
    );
    let staleness = count(Quantity::Staleness, Some(By::Actor));
    assert_eq!(staleness.edges, [-0.5, 0.5, 1.5, 2.5, 3.5]);
    let groups: Vec<_> = staleness
        .groups
        .iter()
        .map(|group| (&*group.name, group.counts.clone()))
        .collect();
    assert_eq!(groups, [("even", vec![2; 4]), ("odd", vec![2; 4])]);
    let versions = count(Quantity::Length, Some(By::Version));
    assert_eq!(versions.groups.len(), 4);
    assert_eq!(versions.groups[0].quantiles.max, 4.0);
}

#[test]
fn a_timeline_adds_up() {
    let (_dir, replay) = example();
    let rounds = Timeline::read(&replay, &Filter::NONE, None, (Over::Rounds, 4)).unwrap();
    let distinct: Vec<_> = rounds
        .parts
        .iter()
        .map(|part| (part.trajectories, part.distinct))
        .collect();
    assert_eq!(distinct, [(4, 1), (4, 2), (4, 3), (4, 4)]);
    let best = f64::from(0.1f32) + f64::from(0.2f32) + f64::from(0.8f32) + f64::from(0.9f32);
    assert!((rounds.parts[3].top100_y - best / 4.0).abs() < 1e-9);
    let cold = Timeline::read(&replay, &filter("beta = 4", &replay), None, (Over::Trajectories, 4)).unwrap();
    assert!(
        cold.parts
            .iter()
            .all(|part| part.beta.min == 4.0 && part.trajectories == 1)
    );
}

#[test]
fn a_trajectory_is_found_by_name_and_by_object() {
    let (_dir, replay) = example();
    let read = |id: &str| Trace::read(&replay, &id.parse::<Id>().unwrap(), None, None);
    let first = read("CCCC").unwrap();
    assert_eq!(
        (first.id.as_str(), first.round, first.seen),
        ("0000000000000000:5", 2, 3)
    );
    assert_eq!(read("0000000000000001:7").unwrap().x, "CCCG");
    for missing in ["TTTT", "0000000000000001:8", "0000000000000009:0"] {
        let error = read(missing).unwrap_err().to_string();
        assert!(
            error.contains("there is no") && error.contains("INCARNATION:SEQ"),
            "{error}"
        );
    }
}

#[test]
fn what_is_committed_later_is_seen_by_the_next_question_and_extends_a_tally() {
    let (_dir, replay) = example();
    let mut tally = Summary::tally(&replay).unwrap();
    tally
        .extend(&replay, &Filter::NONE, &Plan::all(&replay).unwrap())
        .unwrap();
    let last = batches::read(&replay, 0).unwrap().last().unwrap().id;
    let mut later = trajectory(4, 3);
    (later.object, later.trajectory.y) = ("GGGG".into(), 1.5);
    Store::open(replay.path()).unwrap().commit(&[later]).unwrap();
    tally
        .extend(
            &replay,
            &Filter::NONE,
            &Plan::of(&batches::read(&replay, last).unwrap()),
        )
        .unwrap();
    let hottest = tally.group(3)[0].quantiles().unwrap();
    assert_eq!((tally.group(3)[0].count(), hottest.max), (5, 1.5));
    assert_eq!(top(&replay, &Filter::NONE, 1, None).unwrap()[0].x, "GGGG");
}

/// Batches of one trajectory each.
fn long(batches: u64) -> (TempDir, Replay) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay.sqlite");
    let all: Vec<Received> = (0..batches)
        .map(|place| {
            let mut received = trajectory(place, 2);
            received.seq = Seq(place);
            received.object = format!("{:?}", place % 300);
            received
        })
        .collect();
    Store::open(&path).unwrap().commit(&all).unwrap();
    let replay = Replay::open(&path).unwrap();
    (dir, replay)
}

#[test]
fn what_grows_in_pieces_is_what_is_read_at_once() {
    let (_dir, replay) = long(900);
    let batches = batches::read(&replay, 0).unwrap();
    assert_eq!(batches.len(), 900);
    let filter = filter("seq % 3 > 0", &replay);
    let grow = |pieces: &[usize]| {
        let mut course = Course::new(pieces[0]);
        let (mut sample, mut passing) = (Sample::default(), Passing::default());
        let mut from = 0;
        for piece in pieces {
            let piece = &batches[from..from + piece];
            course.extend(&replay, &filter, piece).unwrap();
            sample.extend(&replay, &filter, &Plan::of(piece)).unwrap();
            passing.extend(&replay, &filter, &Plan::of(piece)).unwrap();
            from += piece.len();
        }
        let wanted = Wanted {
            sort: Sort::Seen,
            count: 7,
            ..Wanted::default()
        };
        let page = Page::read(&replay, Some(&passing), &wanted).unwrap();
        (
            course.stages(&replay, &batches, None).unwrap(),
            serde_json::to_string(&sample.scatter(&replay).unwrap()).unwrap(),
            serde_json::to_string(&page).unwrap(),
        )
    };
    let whole = grow(&[900]);
    assert_eq!(grow(&[1, 2, 197, 50, 450, 200]), whole);
    let stages = &whole.0;
    assert!((100..=200).contains(&stages.len()), "{}", stages.len());
    let (last, counted) = (
        stages.last().unwrap(),
        stages.iter().map(|stage| stage.part.trajectories),
    );
    assert_eq!(
        (last.trajectories_so_far, last.round, last.part.distinct),
        (900, 899, 200)
    );
    assert_eq!(counted.sum::<u64>(), 600);
}

#[test]
fn what_a_learner_has_just_written_counts_for_the_size() {
    let (_dir, replay) = example();
    let before = Summary::read(&replay, &Filter::NONE).unwrap().bytes;
    let mut store = Store::open(replay.path()).unwrap();
    store.commit(&[trajectory(4, 0)]).unwrap();
    // The store is open: its log is not yet part of the database.
    assert!(Summary::read(&replay, &Filter::NONE).unwrap().bytes > before);
}

#[test]
fn an_open_replay_does_not_keep_the_learner_from_emptying_its_log() {
    let (_dir, replay) = example();
    let mut round = 4;
    let mut assert_emptied = |after: &str| {
        let mut store = Store::open(replay.path()).unwrap();
        let all: Vec<Received> = (0..4).map(|place| trajectory(round, place)).collect();
        store.commit(&all).unwrap();
        round += 1;
        let busy = store
            .connection()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        assert_eq!(busy.unwrap(), 0, "{after}");
    };
    Summary::read(&replay, &Filter::NONE).unwrap();
    assert_emptied("summary");
    top(&replay, &Filter::NONE, 3, None).unwrap();
    assert_emptied("top");
    Histogram::count(&replay, &filter("y > 0.3", &replay), (Quantity::Y, Some(By::Beta)), 5).unwrap();
    assert_emptied("histogram");
    Timeline::read(&replay, &Filter::NONE, None, (Over::Rounds, 4)).unwrap();
    assert_emptied("timeline");
    Trace::read(&replay, &"CCCC".parse::<Id>().unwrap(), None, None).unwrap();
    assert_emptied("show");
}
