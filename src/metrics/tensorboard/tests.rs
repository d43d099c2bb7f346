//! Tests of TensorBoard event files.

use super::*;

/// Reads records back, checking both checksums.
fn events(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut found) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let data = &rest[12..12 + length];
        assert_eq!(rest[8..12], masked_crc(&rest[..8]).to_le_bytes());
        assert_eq!(rest[12 + length..16 + length], masked_crc(data).to_le_bytes());
        found.push(Event::decode(data).unwrap());
        rest = &rest[16 + length..];
    }
    found
}

#[test]
fn the_checksum_is_that_of_the_format() {
    // The length field of a 24-byte record, as TensorFlow's and TensorBoard's writers begin their files with.
    assert_eq!(masked_crc(&24u64.to_le_bytes()).to_le_bytes(), [0xa3, 0x7f, 0x4b, 0x22]);
}

#[test]
fn a_file_holds_its_version_a_start_and_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(&dir.path().join("tensorboard"), 1000.5, 7).unwrap();
    let row = MetricsRow {
        round: 9,
        modes: 4,
        mean_y: Some(0.5),
        ..MetricsRow::default()
    };
    writer.append(&row, 1001.5).unwrap();
    let events = events(writer.path());
    assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
    assert_eq!(
        (events[1].step, events[1].session_log.as_ref().map(|log| log.status)),
        (7, Some(START))
    );
    assert_eq!((events[2].step, events[2].wall_time), (9, 1001.5));
    let values = &events[2].summary.as_ref().unwrap().value;
    let written: Vec<_> = values
        .iter()
        .map(|v| (v.tag.clone(), f64::from(v.simple_value.unwrap())))
        .collect();
    assert_eq!(written, row.series());
}

#[test]
fn a_later_file_sorts_behind_earlier_ones_even_if_the_clock_went_back() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<_> = [2e9, 1e9, 1e9]
        .map(|now| EventWriter::create(dir.path(), now, 0).unwrap().path)
        .into();
    assert!(paths.is_sorted_by(|a, b| a < b), "{paths:?}");
}
