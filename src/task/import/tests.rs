//! Tests of reading the authors' files, whole and damaged.

use super::*;
use crate::task::Scorer;
use crate::task::blocks::{self, KINDS};
use crate::task::modes::Modes;
use std::path::Path;

/// The authors' files, where they are to be had.
pub fn reference() -> Option<Files> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/reference");
    let files = walkdir::WalkDir::new(&folder).into_iter().filter_map(|entry| {
        let path = entry.ok()?.into_path();
        let known = SOURCES
            .iter()
            .flat_map(Source::files)
            .find(|known| path.ends_with(known.name))?;
        Some((known.name, std::fs::read(path).unwrap()))
    });
    let files: Files = files.collect();
    let all = SOURCES
        .iter()
        .flat_map(Source::files)
        .all(|known| files.contains_key(known.name));
    if !all {
        eprintln!("SKIPPED: the authors' files are not in {}", folder.display());
    }
    all.then_some(files)
}

/// What `thermoflow data import` makes for a task, where the authors' files are to be had; None for other tasks too.
pub fn imported(task: &str) -> Option<Vec<u8>> {
    let source = SOURCES.iter().find(|source| source.kind.name == task)?;
    let data = source.import(&reference()?, Versions::Published).unwrap();
    Some(data.write(source.kind))
}

fn source(kind: &BlockKind) -> &'static Source {
    SOURCES.iter().find(|source| source.kind == kind).unwrap()
}

/// A pickled dict with one NumPy float, `{"a": numpy.float32}`: module, byte order and bytes of the number.
pub fn dict(module: &str, order: char, number: &[u8]) -> Vec<u8> {
    let text = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes()].concat();
    let minus_one = b"J\xff\xff\xff\xff";
    [
        &b"\x80\x04}("[..],
        &text("a"),
        &[&text(module)[..], &text("scalar"), b"\x93"].concat(),
        &[
            &text("numpy")[..],
            &text("dtype"),
            b"\x93",
            &text("f4"),
            b"\x89\x88\x87R",
        ]
        .concat(),
        &[
            &b"(K\x03"[..],
            &text(&order.to_string()),
            b"NNN",
            minus_one,
            minus_one,
            b"K\x00tb",
        ]
        .concat(),
        &[b'C', number.len() as u8],
        number,
        b"\x86Ru.",
    ]
    .concat()
}

const NUMPY: &str = "numpy.core.multiarray";

#[test]
fn a_dict_of_numpy_floats_is_read_and_anything_else_refused() {
    let number = 1.5f32.to_le_bytes();
    let good = dict(NUMPY, '<', &number);
    assert_eq!(pickle::scores(&good).unwrap(), BTreeMap::from([("a", 1.5)]));
    assert!(
        pickle::scores(&dict("numpy._core.multiarray", '<', &number)).is_ok(),
        "NumPy 2"
    );
    for (bytes, expected) in [
        (dict("os.path", '<', &number), "a number is os.path.scalar"),
        (dict(NUMPY, '>', &number), "byte order is >"),
        (dict(NUMPY, '<', &1.5f64.to_le_bytes()), "size is 8"),
        (dict(NUMPY, '<', &7i32.to_le_bytes()), "a score is 0.0000"),
        (dict(NUMPY, '<', &f32::NAN.to_le_bytes()), "a score is NaN"),
        ([&good[..], b"x"].concat(), "trailing data"),
        (b"cos\nsystem\n(S'true'\ntR.".to_vec(), "no such pickle"),
    ] {
        let message = pickle::scores(&bytes).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn damaged_pickles_are_refused_without_a_panic() {
    let list = b"\x80\x04]\x94(\x8c\x02ab\x94\x8c\x01c\x94e.";
    assert_eq!(pickle::strings(list).unwrap(), ["ab", "c"]);
    let dict = dict(NUMPY, '<', &1.5f32.to_le_bytes());
    for bytes in [&list[..], &dict] {
        for length in 0..bytes.len() {
            assert!(pickle::strings(&bytes[..length]).is_err() && pickle::scores(&bytes[..length]).is_err());
        }
        for bit in 0..8 * bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // A flipped letter is a list still; what matters is that both come back.
            let _ = (
                pickle::strings(&damaged),
                pickle::scores(&damaged),
                pickle::trees(&damaged),
            );
        }
    }
}

#[test]
fn pickles_that_would_exhaust_memory_or_stack_are_refused() {
    // Each list holds the one below it twice: 2⁶⁰ strings.
    let doubled: Vec<u8> = (0..60u8)
        .flat_map(|level| [b'(', b'h', level, b'h', level, b'l', b'q', level + 1])
        .collect();
    let bomb = [&b"\x80\x02U\x01aq\x00"[..], &doubled, b"."].concat();
    let deep = [&vec![b']'; 1_000_000][..], &vec![b'a'; 999_999], b"."].concat();
    // A string that claims 2⁶² bytes.
    let long = b"\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x40.";
    for bytes in [&bomb[..], &deep, long] {
        assert!(pickle::strings(bytes).is_err() && pickle::trees(bytes).is_err());
    }
}

#[test]
fn published_files_become_data_that_reads_back() {
    let Some(files) = reference() else { return };
    for source in &SOURCES {
        let data = source.import(&files, Versions::Published).unwrap();
        assert_eq!(data.modes.len(), source.kind.modes, "{}", source.kind.name);
        assert_eq!(data.files.len(), source.files().count());
        let again = BlockData::read(source.kind, &data.write(source.kind)).unwrap();
        assert_eq!(again, data);
    }
    let data = source(&QM9STR).import(&files, Versions::Published).unwrap();
    assert_eq!((data.blocks[3].as_str(), data.blocks.len()), ("CF", 11));
    // The first and the last entry of the pickle.
    let Scores::Table(table) = data.scores else {
        panic!("QM9str has a table")
    };
    assert_eq!(table.scores()[0], f32::from_le_bytes(*b"J{\tA"));
    assert_eq!(BlockKind::find("rna1"), Some(KINDS[2]));
}

#[test]
fn another_version_is_refused_unless_it_is_wanted() {
    let Some(mut files) = reference() else { return };
    let name = "modes_qm9str.pkl";
    let modes = files.get_mut(name).unwrap();
    // The first mode becomes 0a131, later ba131, where 'b' is no letter.
    let at = modes.windows(5).position(|five| five == b"aa131").unwrap();
    modes[at] = b'0';
    let refused = |files: &Files, versions| source(&QM9STR).import(files, versions).unwrap_err().to_string();
    let message = refused(&files, Versions::Published);
    assert!(message.contains(name) && message.contains("cb6bcc4a79b4") && message.contains("--any-version"));
    let data = source(&QM9STR).import(&files, Versions::Any).unwrap();
    assert_eq!(data.modes.row(0), [0, 10, 1, 3, 1]);
    assert_ne!(data.files[name], source(&QM9STR).modes.sha256);
    files.get_mut(name).unwrap()[at] = b'b';
    assert!(refused(&files, Versions::Any).contains("letter 'b' of \"ba131\""));
    files.remove(name);
    assert_eq!(refused(&files, Versions::Any), "modes_qm9str.pkl is missing");
}

#[test]
fn damaged_published_files_are_refused_or_read_without_a_panic() {
    let Some(files) = reference() else { return };
    for source in &SOURCES {
        for file in source.files() {
            let bytes = &files[file.name];
            let import = |damaged: Vec<u8>| {
                let mut files = files.clone();
                files.insert(file.name, damaged);
                source.import(&files, Versions::Any)
            };
            for place in (0..bytes.len()).step_by(bytes.len() / 12) {
                assert!(import(bytes[..place].to_vec()).is_err(), "{} cut at {place}", file.name);
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << (place % 8);
                // It may be a score still; what matters is that it comes back.
                let _ = import(flipped);
            }
        }
    }
}

#[test]
fn what_is_imported_scores_as_published() {
    let Some(files) = reference() else { return };
    let bytes = |kind| source(kind).import(&files, Versions::Published).unwrap().write(kind);
    let (table, modes) = blocks::load_qm9str(&bytes(&QM9STR)).unwrap();
    // METHOD.md's y_max: the best of all objects, not of the modes.
    let (_, scores) = table.enumerate().unwrap();
    assert_eq!(scores.into_iter().fold(f32::MIN, f32::max), 17.374775);
    assert!((best(&table, &modes, &QM9STR) - 12.573_987).abs() < 1e-6);
    let (trees, modes) = blocks::load_sehstr(&bytes(&SEHSTR)).unwrap();
    // Its y_max is the best of all strings too (an ignored test of `blocks` scores them all).
    assert!((best(&trees, &modes, &SEHSTR) - 6.880_330_1).abs() < 1e-6);
    assert_eq!(blocks::load_rna1_modes(&bytes(&RNA1)).unwrap().len(), 336);
}

fn best(scorer: &dyn Scorer, modes: &Modes, kind: &BlockKind) -> f64 {
    let mut objects = States::new(kind.length);
    objects.extend(modes.iter());
    let scores = scorer.score(&objects).unwrap();
    scores.into_iter().map(f64::from).fold(f64::MIN, f64::max)
}
