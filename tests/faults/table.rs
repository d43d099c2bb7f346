//! The table that the tests print, a row each, as it stands in docs/reliability.md.

use super::account::Account;
use std::sync::Once;
use std::time::Duration;

const HEADER: &str = "\
| fault | times | produced | acknowledged | in the replay | repeated places | duplicates | lost of the acknowledged \
| lost of the produced | seconds to recover: median, longest | remarks |
|---|---|---|---|---|---|---|---|---|---|---|";

/// What a test says besides its account.
#[derive(Debug, Default)]
pub struct Row {
    pub fault: String,
    pub times: usize,
    /// From the end of each fault until its victim was at work again.
    pub recovered: Vec<Duration>,
    pub remarks: String,
}

impl Row {
    /// Prints the row and asserts what holds of every one.
    pub fn settle(mut self, account: &Account) {
        self.recovered.sort();
        let seconds = |time: Option<&Duration>| time.map_or("–".into(), |time| format!("{:.1}", time.as_secs_f64()));
        let (median, longest) = (self.recovered.get(self.recovered.len() / 2), self.recovered.last());
        let Account {
            produced,
            acknowledged,
            in_replay,
            repeated,
            duplicates,
            lost,
            lost_of_produced,
            ..
        } = account;
        static ONCE: Once = Once::new();
        ONCE.call_once(|| println!("\nfaults, seed {}, long: {}\n\n{HEADER}", super::seed(), super::long()));
        println!(
            "| {} | {} | {produced} | {acknowledged} | {in_replay} | {repeated} | {duplicates} | {lost} | {lost_of_produced} \
             | {}, {} | {} |",
            self.fault,
            self.times,
            seconds(median),
            seconds(longest),
            self.remarks
        );
        assert_eq!(account.problems, Vec::<String>::new(), "{}", self.fault);
        assert_eq!(
            (*duplicates, *lost, *lost_of_produced),
            (0, 0, 0),
            "{}: {account:?}",
            self.fault
        );
        assert!(*produced > 0 && *acknowledged > 0, "{}: nothing happened", self.fault);
    }
}
