//! The contract on strings of one and of several lengths, and how they are written.

use super::*;
use crate::env::contract;

#[test]
fn strings_keep_the_contract() {
    for (alphabet, length, growth, states) in [
        ("AB", 3, Growth::PrependAppend, 15),
        ("ACG", 4, Growth::PrependAppend, 121),
        ("AB", 3, Growth::AppendOnly, 15),
        ("A", 2, Growth::PrependAppend, 3),
    ] {
        assert_eq!(contract::check(&SequenceEnv::new(alphabet, length, growth)), states);
    }
}

#[test]
fn strings_of_several_lengths_keep_the_contract() {
    for (alphabet, lengths, open, objects) in [
        ("A", 1..=2, 3, 2),
        ("AB", 1..=3, 15, 14),
        ("AB", 2..=3, 15, 12),
        ("ACG", 3..=4, 121, 108),
        ("ACGT", 1..=3, 85, 84),
    ] {
        for growth in [Growth::PrependAppend, Growth::AppendOnly] {
            let env = SequenceEnv::variable(alphabet, lengths.clone(), growth);
            assert_eq!(env.object_count(), Some(objects));
            assert_eq!(contract::check(&env), open + objects as usize, "{env:?}");
        }
    }
}

#[test]
fn actions_with_the_same_child_are_one_choice() {
    let env = SequenceEnv::new("ACGT", 8, Growth::PrependAppend);
    let mut states = States::new(8);
    for text in ["", "A", "AA", "AC"] {
        states.push(&env.parse(text).unwrap());
    }
    let mut out = Neighbours::new(8);
    env.children(&states, &mut out);
    let counts: Vec<_> = (0..4).map(|i| out.list(i).len()).collect();
    assert_eq!(counts, [4, 7, 7, 8]);
}

#[test]
fn stop_is_a_step_of_its_own_from_the_least_length_on() {
    let env = SequenceEnv::variable("ACGT", 2..=3, Growth::PrependAppend);
    let mut states = States::new(4);
    for text in ["…", "A…", "AC…", "ACG…", "ACG"] {
        states.push(&env.parse(text).unwrap());
    }
    let mut out = Neighbours::new(4);
    env.children(&states, &mut out);
    let counts: Vec<_> = (0..5).map(|i| out.list(i).len()).collect();
    assert_eq!(counts, [4, 7, 8 + 1, 1, 0]);

    let mut object = env.parse("AC…").unwrap();
    assert!(env.step(&mut object, 8));
    assert_eq!(object, env.parse_object("AC").unwrap());
    assert_eq!(env.object_of(&[0, 1, 8]).unwrap(), object);
    out.clear();
    states.clear();
    states.push(&object);
    env.parents(&states, &mut out);
    assert_eq!(
        (&out.actions[..], out.states.row(0)),
        (&[8][..], &env.parse("AC…").unwrap()[..])
    );

    let (mut open, mut stopped) = (Vec::new(), Vec::new());
    env.features(&env.parse("AC…").unwrap(), &mut open);
    env.features(&object, &mut stopped);
    assert_eq!((open, stopped), (vec![0, 5], vec![0, 5, 12]));
}

#[test]
fn one_length_has_no_stop() {
    let env = SequenceEnv::variable("ACGT", 8..=8, Growth::PrependAppend);
    let shape = (
        env.state_width(),
        env.feature_count(),
        env.action_count(),
        env.max_steps(),
    );
    assert_eq!(shape, (8, 32, 8, 8));
    assert_eq!(env.format(&env.parse("AC").unwrap()), "AC");
}

#[test]
fn words_are_features_at_each_position() {
    let env = SequenceEnv::variable("ACG", 1..=4, Growth::PrependAppend).with_words(3);
    let (of_letters, of_pairs, of_triples) = (4 * 3, 3 * 9, 2 * 27);
    assert_eq!(env.feature_count(), of_letters + of_pairs + of_triples + 1);
    let features = |text: &str| {
        let mut ones = Vec::new();
        env.features(&env.parse(text).unwrap(), &mut ones);
        ones.into_iter().map(|one| one as usize).collect::<Vec<_>>()
    };
    let pair = |position: usize, word: usize| of_letters + 9 * position + word;
    let triple = |position: usize, word: usize| of_letters + of_pairs + 27 * position + word;
    assert_eq!(features("C…"), [1]);
    assert_eq!(features("CAG…"), [1, 3, 8, pair(0, 3), pair(1, 2), triple(0, 9 + 2)]);
    let stopped = of_letters + of_pairs + of_triples;
    let full = [
        pair(0, 3),
        pair(1, 2),
        pair(2, 6),
        triple(0, 11),
        triple(1, 2 * 3),
        stopped,
    ];
    assert_eq!(features("CAGA")[4..], full);
    assert_eq!(contract::check(&env), 121 + 120);
}

#[test]
fn objects_are_listed_in_alphabetical_order() {
    let env = SequenceEnv::variable("AB", 1..=2, Growth::AppendOnly);
    let objects: Vec<_> = env
        .objects(6)
        .unwrap()
        .iter()
        .map(|object| env.format(object))
        .collect();
    assert_eq!(objects, ["A", "AA", "AB", "B", "BA", "BB"]);
    assert_eq!(env.objects(5), None);
    assert_eq!(SequenceEnv::new("ACGT", 40, Growth::AppendOnly).object_count(), None);
    let fixed = SequenceEnv::new("AB", 2, Growth::AppendOnly);
    assert!(fixed.objects(4).unwrap().iter().all(|object| fixed.is_complete(object)));
}

#[test]
fn bad_strings_are_named() {
    let env = SequenceEnv::new("ACGT", 4, Growth::PrependAppend);
    assert_eq!(env.parse("0213").unwrap(), env.parse("AGCT").unwrap());
    for (text, expected) in [
        ("ACGTA", "at most 4"),
        ("ACX", "'X'"),
        ("4", "'4'"),
        ("AC", "4 are needed"),
        ("AC…", "'…'"),
    ] {
        let message = env.parse_object(text).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains(text), "{message}");
    }
    let env = SequenceEnv::variable("ACGT", 2..=4, Growth::PrependAppend);
    for (text, expected) in [
        ("ACGTA", "at most 4"),
        ("A", "at least 2"),
        ("", "at least 2"),
        ("ACG…", "not complete"),
        ("AC…G", "'…'"),
    ] {
        let message = env.parse_object(text).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains(text), "{message}");
    }
}
