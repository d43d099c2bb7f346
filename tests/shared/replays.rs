//! What a replay holds of the actors of a launch, and the account of what they were told is safe.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use thermoflow::replay::Store;

/// Trajectories in the replay of a run by an actor of this name; none when there is no replay yet.
pub fn rows_of(run: &Path, name: &str) -> u64 {
    let sql = "SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM batches b JOIN actors a ON a.id = b.actor_id
               WHERE a.name = ?1";
    let Ok(store) = Store::open_read_only(&run.join("replay.sqlite")) else {
        return 0;
    };
    let rows: rusqlite::Result<i64> = store.connection().query_row(sql, [name], |row| row.get(0));
    rows.map_or(0, |rows| rows as u64)
}

/// Acknowledged trajectories, by the ledgers (`launch.ledger`); every one is in the replay.
pub fn account(run: &Path) -> u64 {
    let store = Store::open_read_only(&run.join("replay.sqlite")).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    for entry in std::fs::read_dir(run.join("launch/ledger")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let known = acknowledged
                .entry(line["incarnation"].as_str().unwrap().into())
                .or_default();
            *known = (*known).max(line["acknowledged"].as_u64().unwrap());
        }
    }
    for (incarnation, count) in &acknowledged {
        let sql = "SELECT count(DISTINCT t.seq) FROM trajectories t JOIN actors a ON a.id = t.actor_id
                   WHERE a.incarnation = ?1 AND t.seq < ?2";
        let row = store
            .connection()
            .query_row(sql, (incarnation, *count as i64), |row| row.get::<_, i64>(0));
        assert_eq!(
            row.unwrap() as u64,
            *count,
            "acknowledged to {incarnation} and not in the replay"
        );
    }
    acknowledged.values().sum()
}
