//! Checks of what the operating system gives: threads, ports, disk, programs.

use super::super::sibling;
use super::Check;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const MIB: u64 = 1 << 20;
/// A replay of some million trajectories with its checkpoints fits.
const ENOUGH_DISK: u64 = 1024 * MIB;
/// Not even a short run fits in less.
const LEAST_DISK: u64 = 64 * MIB;
/// Loopback answers in microseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many threads there are to share out.
pub fn threads() -> Check {
    match std::thread::available_parallelism() {
        Ok(count) => {
            let actors = count.get().saturating_sub(1).max(1);
            Check::ok(
                "threads",
                format!("{count}: room for the learner and about {actors} actors of one thread each"),
            )
        }
        Err(error) => Check::warn(
            "threads",
            format!("not known: {error}"),
            "set the number of actors by hand",
        ),
    }
}

/// Whether two programs here can talk over TCP.
pub fn ports() -> Check {
    let talk = || -> std::io::Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let mut sender = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
        let (mut receiver, _) = listener.accept()?;
        receiver.set_read_timeout(Some(PATIENCE))?;
        sender.write_all(b"?")?;
        receiver.read_exact(&mut [0])?;
        Ok(port)
    };
    match talk() {
        Ok(port) => Check::ok("ports", format!("loopback works (tried on port {port})")),
        Err(error) => {
            let advice = "allow this program to listen on 127.0.0.1 (sandbox, firewall)";
            Check::fail(
                "ports",
                format!("learner and actors could not talk on loopback: {error}"),
                advice,
            )
        }
    }
}

/// Whether runs can be kept in `directory`, and how much room there is.
pub fn run_directory(directory: &Path) -> [Check; 2] {
    let place = nearest_existing(directory);
    [writable(directory, &place), free_space(&place)]
}

/// The directory itself or, as a run makes what is missing, the nearest one above it that exists.
fn nearest_existing(directory: &Path) -> PathBuf {
    let above = directory.ancestors().find(|path| path.exists());
    above
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
        .into()
}

fn writable(directory: &Path, place: &Path) -> Check {
    let name = "run directory";
    let probe = place.join(format!(".thermoflow-doctor-{}", std::process::id()));
    let attempt = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)
        .and_then(|mut file| file.write_all(b"x"));
    // Nothing is there to remove when it could not be created.
    let _ = std::fs::remove_file(&probe);
    match attempt {
        Ok(()) if place == directory => Check::ok(name, format!("{} can be written", directory.display())),
        Ok(()) => Check::ok(name, format!("{} can be made", directory.display())),
        Err(error) => {
            let advice = "choose another with --run-dir, or change the permissions";
            Check::fail(name, format!("{} cannot be written: {error}", place.display()), advice)
        }
    }
}

fn free_space(place: &Path) -> Check {
    let name = "disk";
    let advice = "free some space, or choose a run directory on another disk";
    match fs4::available_space(place) {
        Ok(bytes) => {
            let found = format!("{:.1} GiB free", bytes as f64 / ENOUGH_DISK as f64);
            match bytes {
                0..LEAST_DISK => Check::fail(name, found, advice),
                LEAST_DISK..ENOUGH_DISK => Check::warn(name, found, advice),
                _ => Check::ok(name, found),
            }
        }
        Err(error) => Check::warn(
            name,
            format!("free space of {} is not known: {error}", place.display()),
            advice,
        ),
    }
}

/// Whether a sibling program is where this one looks for it.
pub fn program(name: &'static str) -> Check {
    match sibling::find(name) {
        Ok(path) => Check::ok(name, path.display().to_string()),
        Err(error) => {
            let advice = "cargo build --release --workspace; then keep the three programs in one directory";
            Check::fail(name, format!("{error}"), advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_run_directory_that_can_be_made_is_fine_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let [writable, _] = run_directory(&directory.path().join("a/b"));
        assert_eq!(writable.status, Status::Ok);
        assert!(writable.found.contains("a/b can be made"), "{writable:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(nearest_existing(Path::new("no-such-directory/runs")), Path::new("."));
    }

    #[test]
    fn a_run_directory_under_a_file_cannot_be() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let [writable, _] = run_directory(&file.join("runs"));
        assert_eq!(writable.status, Status::Fail);
        assert!(writable.advice.is_some());
    }
}
