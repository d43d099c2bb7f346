//! Tests of what damage to the files does. A WAL cut short anywhere gives back the first commits, and all of them when it
//! is whole. Bits flipped in it later end it there, as a cut does: SQLite takes that for a crash and says nothing, so it
//! is looked for before (`wal`). In the header and in the last two commits it cannot be told from a cut. Bits flipped in
//! the database are found where structure or references break; SQLite has no checksums on its pages, so a number that
//! became another number is not found. Never a panic, never a replay that starts from scratch.

use super::super::wal::wal_of;
use super::tests::{all, run, scratch};
use super::*;
use std::fs;

/// Bytes of a WAL's header, of a frame's header, and of a page.
const HEADER: usize = 32;
const FRAME: usize = 24;
const PAGE: usize = 4096;

const COMMITS: u64 = 12;
const PER_COMMIT: u64 = 40;

/// Database and WAL as a crash leaves them.
struct Crashed {
    database: Vec<u8>,
    wal: Vec<u8>,
}

/// A crash after [`COMMITS`] commits that are all in the WAL, the schema in the database.
fn crashed() -> Crashed {
    let (_dir, path) = scratch();
    drop(Store::open(&path).unwrap());
    let mut store = Store::open(&path).unwrap();
    for commit in 0..COMMITS {
        store
            .commit(&run(1, commit * PER_COMMIT..(commit + 1) * PER_COMMIT))
            .unwrap();
    }
    // Copied while the store is open: closing it would move the WAL into the database.
    Crashed {
        database: fs::read(&path).unwrap(),
        wal: fs::read(wal_of(&path)).unwrap(),
    }
}

/// What a store made of these files holds, after it was checked.
fn recover(database: &[u8], wal: &[u8]) -> Result<Vec<Received>, StoreError> {
    let (_dir, path) = scratch();
    fs::write(&path, database).unwrap();
    fs::write(wal_of(&path), wal).unwrap();
    let mut store = Store::open(&path)?;
    let problems = store.verify()?;
    if !problems.is_empty() {
        let detail = problems.join("; ");
        return Err(StoreError::Damaged { path, detail });
    }
    let found = all(&store, None);
    // It can be gone on with.
    store.commit(&run(2, 0..3))?;
    Ok(found)
}

/// How many commits these are, if they are the first ones and whole.
fn commits_of(found: &[Received]) -> Option<u64> {
    let count = found.len() as u64;
    (found == run(1, 0..count) && count.is_multiple_of(PER_COMMIT)).then_some(count / PER_COMMIT)
}

/// Lengths of every class: nothing, within the header and at its end, and for frames at the start, in the middle and at
/// the end: on the boundary, within the frame's header, between header and page, within the page, all but the last byte.
fn lengths(wal: &[u8]) -> Vec<usize> {
    let frames = (wal.len() - HEADER) / (FRAME + PAGE);
    let mut lengths = vec![0, 1, HEADER / 2, HEADER - 1, HEADER];
    for frame in 0..frames {
        let start = HEADER + frame * (FRAME + PAGE);
        lengths.extend([1, FRAME / 2, FRAME, FRAME + PAGE / 2, FRAME + PAGE - 1, FRAME + PAGE].map(|at| start + at));
    }
    lengths
}

#[test]
fn a_wal_cut_short_anywhere_gives_back_the_first_commits() {
    let Crashed { database, wal } = crashed();
    let mut last = 0;
    for length in lengths(&wal) {
        let found = recover(&database, &wal[..length]).unwrap();
        let commits = commits_of(&found).unwrap_or_else(|| panic!("no prefix at {length}"));
        assert!(
            commits >= last,
            "a longer WAL gives back no less: {commits} at {length}"
        );
        last = commits;
    }
    assert_eq!(last, COMMITS, "the whole WAL gives back everything");
}

#[test]
fn a_flipped_bit_of_the_wal_is_told_where_whole_commits_follow_it() {
    let Crashed { database, wal } = crashed();
    // A step that shares no factor with a frame's length hits all parts of frames.
    for place in (0..HEADER).chain((HEADER..wal.len()).step_by(97 * 7)) {
        let mut bad = wal.clone();
        bad[place] ^= 1 << (place % 8);
        match recover(&database, &bad) {
            Err(StoreError::DamagedLog { frame, .. }) => assert_eq!(frame as usize, (place - HEADER) / (FRAME + PAGE)),
            Err(error) => panic!("bit of byte {place}: {error}"),
            Ok(found) => {
                let commits = commits_of(&found).unwrap_or_else(|| panic!("no prefix after a flip at {place}"));
                // The header, or what a power cut can look like.
                assert!(place < HEADER || commits >= COMMITS - 2, "{commits} commits, {place}");
            }
        }
    }
}

#[test]
fn a_last_commit_whose_pages_came_to_the_disk_in_another_order_never_was() {
    let Crashed { database, mut wal } = crashed();
    let size_of_database = |frame: usize| &wal[HEADER + frame * (FRAME + PAGE) + 4..][..4];
    let frames = (wal.len() - HEADER) / (FRAME + PAGE);
    let before = (0..frames - 1).rev().find(|&frame| size_of_database(frame) != [0; 4]);
    let start = HEADER + (before.unwrap() + 1) * (FRAME + PAGE);
    wal[start..start + FRAME + PAGE].fill(0);
    let found = recover(&database, &wal).unwrap();
    assert_eq!(commits_of(&found), Some(COMMITS - 1));
}

/// Returns how many flips changed nothing that is read, and how many went unnoticed though they did.
fn flip_database(verify: bool) -> (usize, usize) {
    let (_dir, path) = scratch();
    Store::open(&path).unwrap().commit(&run(1, 0..2000)).unwrap();
    let whole = fs::read(&path).unwrap();
    let expected = run(1, 0..2000);
    let (mut harmless, mut unnoticed) = (0, 0);
    for place in (0..whole.len()).step_by(whole.len() / 300) {
        let mut bad = whole.clone();
        bad[place] ^= 1 << (place % 8);
        fs::write(&path, &bad).unwrap();
        let read = Store::open(&path).and_then(|store| {
            let problems = if verify { store.verify()? } else { Vec::new() };
            let mut found = Vec::new();
            store.scan(None, |row| {
                found.push(row);
                Ok::<_, StoreError>(())
            })?;
            Ok((found, problems))
        });
        match read {
            Ok((found, problems)) if problems.is_empty() && found == expected => harmless += 1,
            Ok((_, problems)) if problems.is_empty() => unnoticed += 1,
            Ok(_) | Err(_) => {}
        }
    }
    (harmless, unnoticed)
}

/// SQLite has no checksums on pages of the database, so a flipped bit of a number is another number. What can be found
/// is found, and nothing panics.
#[test]
fn flipped_bits_of_the_database_never_panic() {
    let (harmless, unnoticed) = flip_database(true);
    eprintln!("of 300 flipped bits {harmless} were harmless and {unnoticed} unnoticed by verify");
    let (_, without) = flip_database(false);
    eprintln!("without verify {without} were unnoticed");
    assert!(unnoticed <= without, "verify finds no less");
}
