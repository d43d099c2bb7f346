//! Two learners on one run directory.

use super::account::Account;
use super::fleet::Fleet;
use super::processes::error_line;
use super::table::Row;

#[test]
fn a_second_learner_refuses_and_the_first_is_unharmed() {
    let mut fleet = Fleet::new("async", 2);
    fleet.start();
    let address = std::fs::read_to_string(fleet.path("address")).unwrap();
    let mut second = fleet.another_learner(&[]);
    let (status, said) = second.end();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(error_line(&said).contains("in use by process"), "{said}");
    assert_eq!(
        std::fs::read_to_string(fleet.path("address")).unwrap(),
        address,
        "actors are not sent away"
    );
    fleet.advances(2);
    fleet.delivers(0, 100);
    fleet.finish();
    let row = Row {
        fault: "second learner on the run directory, async".into(),
        times: 1,
        remarks: "it refuses; the first goes on".into(),
        ..Row::default()
    };
    row.settle(&Account::of(&fleet));
}
