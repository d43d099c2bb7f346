//! A run directory on a disk that gets full, and then larger.

use super::account::Account;
use super::fleet::Fleet;
use super::processes::error_line;
use super::table::Row;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A file system in memory, unmounted when dropped. Mounting takes root on Linux.
struct Disk(PathBuf);

impl Disk {
    /// None, said aloud, where mounting is not allowed.
    fn mount(path: PathBuf, megabytes: u32) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        if mount(&path, &format!("size={megabytes}m")) {
            return Some(Self(path));
        }
        eprintln!("SKIPPED: the test of a full disk mounts a tmpfs, which takes root");
        None
    }

    fn grow(&self, megabytes: u32) {
        assert!(mount(&self.0, &format!("remount,size={megabytes}m")));
    }
}

fn mount(path: &Path, options: &str) -> bool {
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(path)
        .output();
    mount.is_ok_and(|output| output.status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, because files may be closed after the disk.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_ends_the_learner_and_loses_nothing() {
    let mut fleet = Fleet::new("async", 2);
    let Some(disk) = Disk::mount(fleet.path("disk"), 6) else {
        return;
    };
    fleet.run = fleet.path("disk").join("run");
    fleet.start();
    let (status, said) = fleet.learner().end();
    assert_eq!(status.code(), Some(1), "{said}");
    let line = error_line(&said);
    assert!(line.contains("full") || line.contains("No space left"), "{line}");
    disk.grow(500);
    let start = Instant::now();
    fleet.start_learner(&[]);
    fleet.delivers(0, 100);
    let recovered = vec![start.elapsed()];
    fleet.delivers(1, 100);
    fleet.finish();
    let row = Row {
        fault: "full disk (tmpfs), async".into(),
        times: 1,
        recovered,
        remarks: format!(
            "the learner's last line: {}",
            line.replace(&fleet.path("").display().to_string(), "")
        ),
    };
    row.settle(&Account::of(&fleet));
}
