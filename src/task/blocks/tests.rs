//! Tests of published data in our own format, and of the scorers made of it.

use super::trees::{LENGTH, LETTERS, MAX_LEAVES};
use super::*;
use crate::env::States;
use crate::task::Scorer;
use crate::task::import::{SOURCES, Source, Versions, reference};
use crate::task::table::ScoreTable;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::time::Instant;

/// One tree: is letter 2 at position 1? Then: is letter 0 at position 0?
fn small() -> TreeArrays {
    TreeArrays {
        baseline: 1.0,
        offsets: vec![0, 5],
        feature: vec![20, -1, 0, -1, -1],
        threshold: vec![0.5, 0.0, 0.5, 0.0, 0.0],
        left: vec![1, -1, 3, -1, -1],
        right: vec![2, -1, 4, -1, -1],
        value: vec![0.0, 10.0, 0.0, 20.0, 30.0],
    }
}

/// Random trees of up to 32 leaves: leaves are split one after the other.
fn random_trees(count: usize, random: &mut ChaCha8Rng) -> Trees {
    let mut arrays = TreeArrays {
        baseline: 0.25,
        offsets: vec![0],
        ..TreeArrays::default()
    };
    for _ in 0..count {
        let start = arrays.feature.len();
        push_leaf(&mut arrays, random);
        for _ in 1..random.random_range(1..=MAX_LEAVES) {
            let leaves: Vec<usize> = (start..arrays.feature.len())
                .filter(|&node| arrays.feature[node] < 0)
                .collect();
            let leaf = leaves[random.random_range(0..leaves.len())];
            arrays.feature[leaf] = random.random_range(0..(LETTERS * LENGTH) as i32);
            arrays.threshold[leaf] = 0.5;
            arrays.left[leaf] = (arrays.feature.len() - start) as i32;
            arrays.right[leaf] = arrays.left[leaf] + 1;
            push_leaf(&mut arrays, random);
            push_leaf(&mut arrays, random);
        }
        arrays.offsets.push(arrays.feature.len() as i32);
    }
    Trees::new(arrays).unwrap()
}

fn push_leaf(arrays: &mut TreeArrays, random: &mut ChaCha8Rng) {
    arrays.feature.push(-1);
    arrays.threshold.push(0.0);
    arrays.left.push(-1);
    arrays.right.push(-1);
    arrays.value.push(random.random_range(-1.0..1.0));
}

fn random_strings(count: usize, random: &mut ChaCha8Rng) -> States {
    let mut strings = States::new(LENGTH);
    for _ in 0..count {
        strings.push(&std::array::from_fn::<u8, LENGTH, _>(|_| {
            random.random_range(0..LETTERS as u8)
        }));
    }
    strings
}

fn assert_walks_agree(trees: &Trees, strings: &States) {
    let scores = TreeScorer::new(trees).score(strings).unwrap();
    assert_eq!(scores.len(), strings.len());
    for (string, score) in strings.iter().zip(scores) {
        assert_eq!(score, trees.walk(string) as f32, "{string:?}");
    }
}

#[test]
fn a_small_tree_scores_by_hand() {
    let trees = Trees::new(small()).unwrap();
    let mut strings = States::new(LENGTH);
    strings.push(&[5, 3, 0, 0, 0, 0]);
    strings.push(&[5, 2, 0, 0, 0, 0]);
    strings.push(&[0, 2, 17, 0, 0, 17]);
    let scorer = TreeScorer::new(&trees);
    assert_eq!(scorer.score(&strings).unwrap(), [11.0, 21.0, 31.0]);
    assert!(scorer.enumerate().is_none(), "34,012,224 strings are too many to list");
    strings.push(&[0, 2, 18, 0, 0, 17]);
    assert!(scorer.score(&strings).is_err(), "letters go to 17");
}

#[test]
fn masks_agree_with_walks_on_random_trees() {
    let random = &mut ChaCha8Rng::seed_from_u64(5);
    for _ in 0..20 {
        let trees = random_trees(30, random);
        // More strings than are scored together, and not a multiple.
        assert_walks_agree(&trees, &random_strings(1_200, random));
    }
}

#[test]
fn masks_agree_with_walks_and_with_the_published_values() {
    let Some(data) = published(&SEHSTR) else { return };
    let Scores::Trees(trees) = data.scores else {
        panic!("sEHstr has trees")
    };
    assert_eq!(trees.len(), 100);
    assert_eq!(trees.arrays().baseline, 4.494_287_880_695_628);
    assert_walks_agree(&trees, &random_strings(20_000, &mut ChaCha8Rng::seed_from_u64(6)));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sehstr.csv");
    let rows = csv::Reader::from_path(golden).unwrap().into_deserialize();
    let rows: Vec<(String, f64)> = rows.collect::<Result<_, _>>().unwrap();
    let mut strings = States::new(LENGTH);
    rows.iter().for_each(|(text, _)| {
        strings.push(&SEHSTR.parse(text).unwrap());
    });
    let scores = TreeScorer::new(&trees).score(&strings).unwrap();
    assert!(rows.len() == 400 && scores.len() == 400);
    for ((text, expected), found) in rows.iter().zip(scores) {
        assert!(
            (f64::from(found) - expected).abs() < 1e-6,
            "{text}: {found}, published {expected}"
        );
    }
}

#[test]
#[ignore = "prints how long scoring takes"]
fn time_per_string() {
    let Some(data) = published(&SEHSTR) else { return };
    let Scores::Trees(trees) = data.scores else {
        panic!("sEHstr has trees")
    };
    let scorer = TreeScorer::new(&trees);
    let strings = random_strings(1 << 18, &mut ChaCha8Rng::seed_from_u64(7));
    for batch in [1, 32, 1024, 1 << 18] {
        let mut few = States::new(LENGTH);
        few.extend(strings.iter().take(batch));
        let start = Instant::now();
        let rounds = (1 << 20) / batch;
        let sum: f32 = (0..rounds).map(|_| scorer.score(&few).unwrap()[0]).sum();
        let seconds = start.elapsed().as_secs_f64();
        eprintln!(
            "batches of {batch}: {:.3} µs per string ({sum})",
            seconds * 1e6 / (rounds * batch) as f64
        );
    }
    let start = Instant::now();
    let sum: f64 = strings.iter().map(|string| trees.walk(string)).sum();
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "walks: {:.3} µs per string ({sum})",
        seconds * 1e6 / strings.len() as f64
    );
}

#[test]
#[ignore = "scores all 34,012,224 strings, some 10 s"]
fn the_best_of_all_strings_is_the_published_y_max() {
    let Some(data) = published(&SEHSTR) else { return };
    let Scores::Trees(trees) = data.scores else {
        panic!("sEHstr has trees")
    };
    let scorer = TreeScorer::new(&trees);
    let mut best = f32::MIN;
    for first in 0..(LETTERS * LETTERS) as u32 {
        let mut strings = States::new(LENGTH);
        for rest in 0..(LETTERS as u32).pow(4) {
            let rank = first * (LETTERS as u32).pow(4) + rest;
            let letter = |place| (rank / (LETTERS as u32).pow(place as u32) % LETTERS as u32) as u8;
            strings.push(&std::array::from_fn::<u8, LENGTH, _>(letter));
        }
        best = scorer.score(&strings).unwrap().into_iter().fold(best, f32::max);
    }
    assert!((f64::from(best) - 7.033_253_064_7).abs() < 1e-6, "{best}");
}

fn published(kind: &BlockKind) -> Option<BlockData> {
    let files = reference()?;
    let source = SOURCES.iter().find(|source: &&Source| source.kind == kind).unwrap();
    Some(source.import(&files, Versions::Published).unwrap())
}

/// Damage to a tree.
type Change<'a> = &'a dyn Fn(&mut TreeArrays);

#[test]
fn damaged_trees_are_refused_with_tree_node_and_value() {
    let spoil = |change: Change| {
        let mut arrays = small();
        change(&mut arrays);
        Trees::new(arrays).unwrap_err().to_string()
    };
    let changes: &[(Change, &str)] = &[
        (&|a| a.baseline = f64::NAN, "baseline NaN"),
        (
            &|a| a.feature[0] = 108,
            "node 0 of tree 0: feature 108 is not allowed (-1 to 107)",
        ),
        (&|a| a.feature[2] = -2, "node 2 of tree 0: feature -2"),
        (&|a| a.threshold[0] = 1.0, "threshold 1 is not allowed"),
        (&|a| a.threshold[0] = -0.5, "threshold -0.5"),
        (&|a| a.threshold[2] = f64::NAN, "threshold NaN"),
        (&|a| a.value[1] = f64::INFINITY, "node 1 of tree 0: value inf"),
        (&|a| a.left[0] = 5, "left child 5 is not allowed (1 to 4)"),
        (&|a| a.right[2] = 0, "right child 0"),
        (&|a| a.left[1] = 3, "left child 3 is not allowed (-1 at a leaf)"),
        (&|a| a.left[2] = 2, "node 2 of tree 0: parent a second one"),
        (&|a| a.right[0] = 1, "node 1 of tree 0: parent a second one"),
        (
            &|a| (a.feature[0], a.left[0], a.right[0]) = (-1, -1, -1),
            "leads to 1 of its 5 nodes",
        ),
        (&|a| a.offsets = vec![0, 6], "rise from 0 to the 5 nodes"),
        (&|a| a.offsets = vec![0, 3, 2, 5], "rise from 0"),
        (&|a| a.offsets.clear(), "rise from 0"),
        (&|a| a.value.truncate(4), "the nodes have 4 values, 5 are needed"),
    ];
    for (change, expected) in changes {
        let message = spoil(*change);
        assert!(message.contains(expected), "{message}");
    }
    assert!(Trees::new(chain(MAX_LEAVES)).is_ok());
    assert_eq!(Trees::new(chain(MAX_LEAVES + 1)), Err(TreesError::Leaves { tree: 0 }));
}

/// A tree that is a chain of splits.
fn chain(leaves: usize) -> TreeArrays {
    let nodes = 2 * leaves - 1;
    let is_split = |node: usize| node.is_multiple_of(2) && node + 1 < nodes;
    let child = |step: usize| {
        (0..nodes)
            .map(|node| if is_split(node) { (node + step) as i32 } else { -1 })
            .collect()
    };
    TreeArrays {
        baseline: 0.0,
        offsets: vec![0, nodes as i32],
        feature: (0..nodes).map(|node| if is_split(node) { 7 } else { -1 }).collect(),
        threshold: vec![0.0; nodes],
        left: child(1),
        right: child(2),
        value: vec![0.0; nodes],
    }
}

fn data(kind: &BlockKind, scores: Scores) -> BlockData {
    let mut modes = States::new(kind.length);
    modes.push(&vec![1; kind.length]);
    modes.push(&vec![0; kind.length]);
    BlockData {
        files: BTreeMap::from([("modes.pkl".into(), "00ff".into())]),
        blocks: vec!["C".into(); if kind.has_blocks { kind.letters() } else { 0 }],
        modes,
        scores,
    }
}

fn of_each_kind() -> [(&'static BlockKind, BlockData); 3] {
    let table = ScoreTable::new((0..161_051).map(|rank| rank as f32).collect()).unwrap();
    let trees = Trees::new(small()).unwrap();
    [
        (&QM9STR, data(&QM9STR, Scores::Table(table))),
        (&SEHSTR, data(&SEHSTR, Scores::Trees(trees))),
        (&RNA1, data(&RNA1, Scores::Elsewhere)),
    ]
}

#[test]
fn data_survives_its_file() {
    for (kind, data) in of_each_kind() {
        assert_eq!(BlockData::read(kind, &data.write(kind)).unwrap(), data);
    }
    let [(_, qm9str), ..] = of_each_kind();
    let (scorer, modes) = load_qm9str(&qm9str.write(&QM9STR)).unwrap();
    let mut objects = States::new(5);
    objects.push(&[0, 0, 0, 1, 10]);
    assert_eq!(scorer.score(&objects).unwrap(), [21.0]);
    assert!(modes.len() == 2 && modes.contains(&[1; 5]));
}

#[test]
fn damaged_files_are_refused() {
    for (kind, data) in of_each_kind() {
        let good = data.write(kind);
        for length in (0..good.len()).step_by(good.len() / 200) {
            assert!(
                BlockData::read(kind, &good[..length]).is_err(),
                "{} cut at {length}",
                kind.name
            );
        }
        for bit in 0..8 * good.len().min(1_500) {
            let mut damaged = good.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // A flipped hash is a hash still; what matters is that it comes back.
            let _ = BlockData::read(kind, &damaged);
        }
        let other = KINDS.into_iter().find(|other| *other != kind).unwrap();
        let message = BlockData::read(other, &good).unwrap_err().to_string();
        assert!(message.contains(&format!("its task is {:?}", kind.name)), "{message}");
    }
    assert!(matches!(
        BlockData::read(&RNA1, &vec![0; 17 << 20]),
        Err(BlockDataError::TooLarge { .. })
    ));
}

#[test]
fn wrong_parts_are_refused() {
    let [(_, mut qm9str), (_, mut sehstr), (_, mut rna1)] = of_each_kind();
    qm9str.scores = Scores::Table(ScoreTable::new(vec![0.5; 7]).unwrap());
    sehstr.blocks.pop();
    rna1.modes.push(&[4; 14]);
    let read = |kind, data: &BlockData| BlockData::read(kind, &data.write(kind)).unwrap_err().to_string();
    assert!(read(&QM9STR, &qm9str).contains("its tensor scores is of shape [7]: [161051] is needed"));
    assert!(read(&SEHSTR, &sehstr).contains("18 SMILES is needed"));
    assert!(read(&RNA1, &rna1).contains("mode 2 is [4, 4"));
    let mut twice = data(&RNA1, Scores::Elsewhere);
    twice.modes.push(&[0; 14]);
    assert!(read(&RNA1, &twice).contains("must be distinct"));
}

#[test]
fn letters_of_blocks_are_base_36_digits() {
    assert_eq!(SEHSTR.parse("c0551h").unwrap(), [12, 0, 5, 5, 1, 17]);
    assert_eq!(RNA1.parse("UCGAUCGAUCGAUC").unwrap()[..4], [0, 1, 2, 3]);
    assert!(QM9STR.parse("0000b").unwrap_err().contains("letter 'b'"));
    assert!(QM9STR.parse("0000").unwrap_err().contains("4 letters, 5 are needed"));
}

#[test]
fn missing_data_names_the_authors_and_the_command() {
    let message = read_file(&QM9STR, Path::new("no/such/qm9str.safetensors"))
        .unwrap_err()
        .to_string();
    for part in ["qm9str", "no/such/", AUTHORS, "thermoflow data import"] {
        assert!(message.contains(part), "{message}");
    }
}
