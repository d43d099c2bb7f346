//! For tests: a file system of its own in memory, that can be full or read-only. Mounting takes root on Linux; elsewhere
//! the tests that need one say aloud that they are skipped.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A mounted file system, unmounted when dropped.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// A disk of so many megabytes; None, said aloud, where mounting is not allowed.
    pub fn mount(megabytes: u32) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let options = format!("size={megabytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(dir.path())
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        eprintln!("SKIPPED: tests of full and read-only disks mount a tmpfs, which takes root");
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Refuses writes from now on.
    pub fn make_read_only(&self) {
        let status = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.path())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because the test's files may be closed after the disk.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
