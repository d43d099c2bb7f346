//! The test suite that every environment must pass, by enumeration of a small instance or along walks in a large one.

use super::{Environment, Neighbours, StateIndex, States};
use crate::random::{Purpose, Stream};
use std::collections::BTreeSet;

/// Checks the whole contract of `env` and returns the number of states.
pub fn check(env: &dyn Environment) -> usize {
    let states = enumerate(env);
    let (children, parents) = check_each(env, &states);
    assert_eq!(
        edges(&states, &children, false),
        edges(&states, &parents, true),
        "children and parents agree"
    );
    states.len()
}

/// Checks the contract of `env` for the states on random walks, however many states there are.
pub fn check_along_walks(env: &dyn Environment, walks: u64) {
    let mut seen = StateIndex::new(env.state_width());
    for walk in 0..walks {
        random_walk(env, &mut Stream::new(0, Purpose::Bench, 0, walk), &mut seen);
    }
    let states = seen.states();
    let (children, parents) = check_each(env, states);
    let (mut back, mut again) = (Neighbours::new(env.state_width()), Neighbours::new(env.state_width()));
    let below = distinct(&children.states);
    env.parents(&below, &mut back);
    assert!(
        edges(&below, &back, true).is_superset(&edges(states, &children, false)),
        "every child has the state as a parent"
    );
    let above = distinct(&parents.states);
    env.children(&above, &mut again);
    assert!(
        edges(&above, &again, false).is_superset(&edges(states, &parents, true)),
        "every parent has the state as a child"
    );
}

fn distinct(states: &States) -> States {
    let mut index = StateIndex::new(states.width());
    for state in states.iter() {
        index.insert(state);
    }
    index.states().clone()
}

/// Adds the states from the initial one to a complete one.
fn random_walk(env: &dyn Environment, stream: &mut Stream, seen: &mut StateIndex) {
    let mut state = States::new(env.state_width());
    state.push(env.initial());
    for _ in 0..=env.max_steps() {
        seen.insert(state.row(0));
        if env.is_complete(state.row(0)) {
            return;
        }
        let mut out = Neighbours::new(env.state_width());
        env.children(&state, &mut out);
        state.clear();
        state.push(out.states.row(stream.below(out.states.len())));
    }
    panic!("max_steps bounds every trajectory");
}

/// Checks every state by itself; returns children and parents.
fn check_each(env: &dyn Environment, states: &States) -> (Neighbours, Neighbours) {
    let mut children = Neighbours::new(env.state_width());
    let mut parents = Neighbours::new(env.state_width());
    env.children(states, &mut children);
    env.parents(states, &mut parents);
    for (index, state) in states.iter().enumerate() {
        check_children(env, state, &children, index);
        check_parents(env, state, &parents, index);
        check_features(env, state);
        check_text(env, state);
    }
    (children, parents)
}

/// All states, by breadth-first search along the children.
fn enumerate(env: &dyn Environment) -> States {
    let mut index = StateIndex::new(env.state_width());
    index.insert(env.initial());
    let mut frontier = States::new(env.state_width());
    frontier.push(env.initial());
    for _ in 0..=env.max_steps() {
        let mut out = Neighbours::new(env.state_width());
        env.children(&frontier, &mut out);
        frontier.clear();
        for child in out.states.iter() {
            if index.insert(child).1 {
                frontier.push(child);
            }
        }
    }
    assert!(frontier.is_empty(), "max_steps bounds every trajectory");
    index.states().clone()
}

fn check_children(env: &dyn Environment, state: &[u8], children: &Neighbours, index: usize) {
    let list = children.list(index);
    assert_eq!(
        list.is_empty(),
        env.is_complete(state),
        "only complete objects have no child"
    );
    let mut seen = BTreeSet::new();
    for edge in list {
        let mut next = state.to_vec();
        assert!(
            env.step(&mut next, children.actions[edge]),
            "listed actions are possible"
        );
        assert_eq!(next, children.states.row(edge), "step and children agree");
        assert!(seen.insert(next), "children are distinct");
    }
    for action in 0..env.action_count() as u16 + 2 {
        let mut next = state.to_vec();
        let possible = env.step(&mut next, action);
        assert_eq!(
            possible,
            seen.contains(&next),
            "every possible action leads to a listed child"
        );
        assert!(possible || next == state, "a refused action changes nothing");
    }
}

fn check_parents(env: &dyn Environment, state: &[u8], parents: &Neighbours, index: usize) {
    let list = parents.list(index);
    assert_eq!(
        list.is_empty(),
        state == env.initial(),
        "only the initial state has no parent"
    );
    for edge in list {
        let mut next = parents.states.row(edge).to_vec();
        assert!(env.step(&mut next, parents.actions[edge]));
        assert_eq!(next, state, "the action of a parent leads back here");
    }
}

fn check_features(env: &dyn Environment, state: &[u8]) {
    let mut ones = Vec::new();
    env.features(state, &mut ones);
    assert!(ones.iter().all(|&one| (one as usize) < env.feature_count()));
    assert_eq!(
        ones.iter().collect::<BTreeSet<_>>().len(),
        ones.len(),
        "one-hot positions are distinct"
    );
}

fn check_text(env: &dyn Environment, state: &[u8]) {
    let text = env.format(state);
    assert_eq!(env.parse(&text).unwrap(), state, "format and parse are inverse");
    let object = env.parse_object(&text).ok();
    let expected = env.is_complete(state).then(|| state.to_vec());
    assert_eq!(object, expected, "objects, and only they, are read as objects");
}

type Edges = BTreeSet<(Vec<u8>, u16, Vec<u8>)>;

fn edges(states: &States, lists: &Neighbours, backward: bool) -> Edges {
    let mut all = Edges::new();
    for (index, state) in states.iter().enumerate() {
        for edge in lists.list(index) {
            let (state, other) = (state.to_vec(), lists.states.row(edge).to_vec());
            let (from, to) = if backward { (other, state) } else { (state, other) };
            assert!(all.insert((from, lists.actions[edge], to)), "an edge is listed once");
        }
    }
    all
}
