//! What the programs share about being processes: how they are asked to stop. Nothing of what they do.

use std::io::{Read, Write};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;
use tokio::sync::oneshot;

/// Exit code of a program that failed.
pub const FAILED: u8 = 1;

/// Exit code of a program whose arguments or input are wrong; clap uses the same.
pub const BAD_INPUT: u8 = 2;

/// Exit code of a program that was told twice to stop.
const STOPPED_AT_ONCE: i32 = 130;

/// Exit code of a program that ends because one that it started was killed: this and the signal, as shells have it.
const KILLED: i32 = 128;

/// Resolves when the process is asked to stop: SIGINT, SIGTERM, or, with `watch_stdin`, the end of standard input. A
/// second signal ends the process at once.
///
/// The end of standard input is how a parent that dies in whatever way takes its children along: it holds the only
/// writing end of a pipe.
///
/// # Errors
/// When signals cannot be caught.
///
/// # Panics
/// Outside a tokio runtime.
pub fn stop_requested(watch_stdin: bool) -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut signals = Signals::new()?;
    let stdin_closed = watch_stdin.then(stdin_closed);
    let (requested, request) = oneshot::channel();
    tokio::spawn(async move {
        match stdin_closed {
            Some(stdin_closed) => tokio::select! { () = signals.next() => (), _ = stdin_closed => () },
            None => signals.next().await,
        }
        // Nobody listens any more when the program is ending by itself.
        let _ = requested.send(());
        signals.next().await;
        std::process::exit(STOPPED_AT_ONCE);
    });
    Ok(async move {
        if request.await.is_err() {
            std::future::pending().await
        }
    })
}

/// The name of this machine, as it calls itself.
#[cfg(unix)]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of this machine, as it calls itself.
#[cfg(not(unix))]
pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "localhost".into())
}

/// Processor, threads and system of this machine, as far as they are known.
pub fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let (system, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{model}, {threads} threads, {system} on {architecture}")
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The most memory that this process had at once, bytes; None where the system does not say.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kilobytes)
}

/// CPU time of all threads of this process so far.
#[cfg(unix)]
pub fn cpu_time() -> Duration {
    clock(rustix::time::ClockId::ProcessCPUTime)
}

/// CPU time of this thread so far.
#[cfg(unix)]
pub fn thread_cpu_time() -> Duration {
    clock(rustix::time::ClockId::ThreadCPUTime)
}

#[cfg(unix)]
fn clock(id: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(id);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time is not known here: time that passed stands for it.
#[cfg(not(unix))]
pub fn cpu_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// CPU time is not known here: time that passed stands for it.
#[cfg(not(unix))]
pub fn thread_cpu_time() -> Duration {
    cpu_time()
}

/// Prints an error with its causes on one line and says how to exit.
pub fn report(error: &anyhow::Error, is_bad_input: bool) -> ExitCode {
    report_as(error, if is_bad_input { BAD_INPUT } else { FAILED })
}

/// The same with an exit code of the caller's.
pub fn report_as(error: &anyhow::Error, code: u8) -> ExitCode {
    // There is nobody left to tell when stderr is closed.
    let _ = writeln!(std::io::stderr(), "error: {}", format!("{error:#}").replace('\n', " "));
    ExitCode::from(code)
}

/// How a program that ends because of another one passes that one's end on: its exit code, or 128 and the signal.
pub fn passed_on(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| signal_of(status).map(|signal| KILLED + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED)
}

/// A program was killed, or passes on that one was: its own doing or not, another attempt may go well.
pub fn was_killed(status: ExitStatus) -> bool {
    let code = status.code();
    code.is_none_or(|code| code > KILLED && code != STOPPED_AT_ONCE)
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

fn stdin_closed() -> oneshot::Receiver<()> {
    let (closed, watched) = oneshot::channel();
    // A thread, not a task: reading standard input blocks, and the runtime would wait for it when it shuts down.
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while !matches!(std::io::stdin().read(&mut buffer), Ok(0) | Err(_)) {}
        // The program may have ended by itself.
        let _ = closed.send(());
    });
    watched
}

/// SIGINT and SIGTERM, or what the platform has.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.interrupt.recv() => (), _ = self.terminate.recv() => () }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_death_that_is_passed_on_is_known_for_one() {
        let ended = |code: i32| ExitStatus::from_raw(code << 8);
        let killed = ExitStatus::from_raw(9);
        assert_eq!((passed_on(ended(2)), passed_on(killed)), (2, 137));
        assert!(was_killed(killed) && was_killed(ended(137)));
        for code in [0, 1, 2, STOPPED_AT_ONCE] {
            assert!(!was_killed(ended(code)), "{code}");
        }
    }
}
