//! Processes of this machine by number and birth, so that none is mistaken for another that got its number later.

use anyhow::Context;
use rustix::process::{Pid, Signal};
use std::io;
use thermoflow::launch::local::ProcessId;

/// Who has this number now; None when nobody has, or only what is left of one that ended.
pub fn identify(pid: u32) -> Option<ProcessId> {
    born(pid).map(|born| ProcessId { pid, born })
}

/// It is still there.
pub fn is_live(id: &ProcessId) -> bool {
    identify(id.pid).as_ref() == Some(id)
}

/// Sends a signal; nothing happens when the process is no longer there.
///
/// Invariant: another process that has its number meanwhile is never signalled.
pub fn signal(id: &ProcessId, signal: Signal) -> anyhow::Result<()> {
    if !is_live(id) {
        return Ok(());
    }
    let pid = i32::try_from(id.pid).ok().and_then(Pid::from_raw);
    let pid = pid.with_context(|| format!("{} is no number of a process", id.pid))?;
    match send(pid, signal, || is_live(id)) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::SRCH.raw_os_error()) => {
            Err(error).with_context(|| format!("process {} cannot be signalled", id.pid))
        }
        _ => Ok(()),
    }
}

/// The handle is taken before the look, so that what is looked at is what is signalled.
#[cfg(target_os = "linux")]
fn send(pid: Pid, signal: Signal, is_wanted: impl Fn() -> bool) -> io::Result<()> {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        // Some sandboxes have no such handles.
        Err(rustix::io::Errno::NOSYS) => return send_by_number(pid, signal, is_wanted),
        handle => handle?,
    };
    if is_wanted() {
        pidfd_send_signal(handle, signal)?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn send(pid: Pid, signal: Signal, is_wanted: impl Fn() -> bool) -> io::Result<()> {
    send_by_number(pid, signal, is_wanted)
}

/// Where there are no handles, a moment lies between look and signal.
fn send_by_number(pid: Pid, signal: Signal, is_wanted: impl Fn() -> bool) -> io::Result<()> {
    if is_wanted() {
        rustix::process::kill_process(pid, signal)?;
    }
    Ok(())
}

/// Which start of the machine, and clock ticks since then.
#[cfg(target_os = "linux")]
fn born(pid: u32) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let (state, ticks) = (fields.first()?, fields.get(START_TIME)?);
    (!["Z", "X"].contains(state)).then(|| format!("{} {ticks}", boot.trim()))
}

/// `starttime` among the fields of /proc/PID/stat behind the name (proc_pid_stat(5) counts from 1, and the name is the second).
#[cfg(target_os = "linux")]
const START_TIME: usize = 22 - 3;

/// As `ps` says it, to a second.
#[cfg(not(target_os = "linux"))]
fn born(pid: u32) -> Option<String> {
    let mut ps = std::process::Command::new("ps");
    let output = ps.args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (state, born) = text.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| born.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_known_by_its_birth_and_gone_when_it_is_a_zombie() {
        let own = identify(std::process::id()).unwrap();
        assert!(is_live(&own) && own == identify(std::process::id()).unwrap());
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let id = identify(child.id()).unwrap();
        let recycled = ProcessId {
            born: own.born.clone(),
            ..id.clone()
        };
        assert!(!is_live(&recycled));
        signal(&recycled, Signal::KILL).unwrap();
        assert!(
            is_live(&id) && child.try_wait().unwrap().is_none(),
            "another one of its number is left alone"
        );
        signal(&id, Signal::KILL).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while is_live(&id) {
            assert!(std::time::Instant::now() < deadline, "a killed process ends");
        }
        child.wait().unwrap();
        signal(&id, Signal::KILL).unwrap();
    }
}
