//! One running process of an oracle program: ask it, end it, and what it said on stderr. No retry.
//!
//! Its pipes have a thread each, because a process that hangs neither reads nor writes and we must not wait with it.

use super::answer::{self, BadAnswer};
use super::lines::{Line, lines};
use crate::protocol::secure::KEY_VARIABLE;
use crate::task::oracle::OracleConfig;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Requests that wait for the process to read them. There is one at a time; when another is full of an earlier one,
/// asking waits, at most for the time-out.
const REQUESTS: usize = 1;

/// Lines of output that wait to be read. One answers a request; when more come, the process waits on its pipe.
const OUTPUT: usize = 4;

/// Lines of stderr that are kept for a message, and bytes of each.
const LAST_LINES: usize = 10;
const STDERR_LINE: usize = 400;

/// How long a process may take to end by itself when it is not needed any more, before it is killed.
const GRACE: Duration = Duration::from_millis(500);

/// How long to wait for what an ended process left behind: its exit status, the last of its stderr.
const REMAINS: Duration = Duration::from_millis(200);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("it could not be started again: {0}")]
    Start(#[from] io::Error),
    #[error("there was no answer within {0:?}")]
    Timeout(Duration),
    #[error("it ended or closed its output")]
    Ended,
    #[error("we were stopped")]
    Stopped,
    #[error("it wrote a line of more than {0} bytes")]
    LongLine(usize),
    #[error("{0}")]
    Answer(#[from] BadAnswer),
}

/// What is left of a process.
#[derive(Debug, Default)]
pub struct Remains {
    /// How it ended, when it did so by itself.
    pub status: Option<ExitStatus>,
    /// The end of its stderr.
    pub last_lines: Vec<String>,
}

/// A running process, the leader of a process group of its own. Dropping ends the group and waits for the process.
#[derive(Debug)]
pub struct Instance {
    child: Child,
    /// To its stdin, which closes with this.
    requests: Option<Sender<Vec<u8>>>,
    /// From its stdout; disconnected when that ends.
    output: Receiver<Line>,
    stderr: Stderr,
    longest_line: usize,
}

/// The last lines on stderr, filled by a thread.
#[derive(Debug)]
struct Stderr {
    last_lines: Arc<Mutex<VecDeque<String>>>,
    /// Disconnected when stderr ends.
    ended: Receiver<Infallible>,
}

impl Instance {
    /// Starts the program.
    pub fn start(config: &OracleConfig) -> io::Result<Self> {
        let mut child = Command::new(&config.command[0])
            .args(&config.command[1..])
            // A user's program is not for the links, and what it starts or logs is not known.
            .env_remove(KEY_VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        const PIPED: &str = "all three are piped";
        let stdin = child.stdin.take().expect(PIPED);
        let (stdout, stderr) = (child.stdout.take().expect(PIPED), child.stderr.take().expect(PIPED));
        let longest_line = answer::longest_line(config.batch);
        let (requests, to_write) = bounded(REQUESTS);
        let (read, output) = bounded(OUTPUT);
        thread::spawn(move || write_all(stdin, &to_write));
        thread::spawn(move || lines(stdout, longest_line).all(|line| read.send(line).is_ok()));
        Ok(Self {
            child,
            requests: Some(requests),
            output,
            stderr: Stderr::keep(stderr),
            longest_line,
        })
    }

    /// Sends request `id` and waits for its scores, NaN where the program has none; not after `stopped` disconnects.
    pub fn ask(
        &mut self,
        id: u64,
        objects: &[String],
        timeout: Duration,
        stopped: &Receiver<Infallible>,
    ) -> Result<Vec<f32>, Failure> {
        let deadline = Instant::now() + timeout;
        let requests = self.requests.as_ref().ok_or(Failure::Ended)?;
        select! {
            send(requests, answer::request(id, objects)) -> sent => sent.map_err(|_| Failure::Ended)?,
            recv(stopped) -> _ => return Err(Failure::Stopped),
            default(timeout) => return Err(Failure::Timeout(timeout)),
        }
        loop {
            let line = select! {
                recv(self.output) -> line => line.map_err(|_| Failure::Ended)?,
                recv(stopped) -> _ => return Err(Failure::Stopped),
                default(deadline.saturating_duration_since(Instant::now())) => return Err(Failure::Timeout(timeout)),
            };
            let Line::Whole(line) = line else {
                return Err(Failure::LongLine(self.longest_line));
            };
            if let Some(scores) = answer::read(&line, id, objects.len())? {
                return Ok(scores);
            }
            tracing::debug!(id, "the oracle answered an earlier request again");
        }
    }

    /// Kills the process after a failure, and gathers what is left.
    pub fn remains(mut self, failure: &Failure) -> Remains {
        let by_itself = matches!(failure, Failure::Ended) && self.ends_within(REMAINS);
        let status = self.kill().filter(|_| by_itself);
        let _ = self.stderr.ended.recv_timeout(REMAINS);
        let last_lines = self.stderr.last_lines.lock().expect(NO_PANIC).drain(..).collect();
        Remains { status, last_lines }
    }

    /// True when the process ends by itself in this time. Nothing tells us when it does, and it is not reaped here.
    fn ends_within(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(Pid::from_child(&self.child)), options) {
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                ended => return matches!(ended, Ok(Some(_))),
            }
        }
    }

    /// Ends the process and all that it started, at once, and reaps it: no zombie stays.
    fn kill(&mut self) -> Option<ExitStatus> {
        self.requests = None;
        // Fails when nobody is left to be killed, which is as good. The process is reaped only after this, so its number
        // cannot belong to another group yet.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        self.child.wait().ok()
    }
}

impl Drop for Instance {
    /// Closes the program's stdin, which asks it to end, gives it a moment, and then kills what is left.
    fn drop(&mut self) {
        if self.requests.take().is_some() {
            let deadline = Instant::now() + GRACE;
            while self.output.recv_deadline(deadline).is_ok() {}
            self.kill();
        }
    }
}

/// Writes until nobody asks any more or the program does not listen.
fn write_all(mut stdin: ChildStdin, requests: &Receiver<Vec<u8>>) {
    for request in requests {
        if stdin.write_all(&request).is_err() {
            return;
        }
    }
}

/// Why locking the last lines does not fail.
const NO_PANIC: &str = "nothing panics while it holds the lines";

impl Stderr {
    fn keep(from: ChildStderr) -> Self {
        let last_lines = Arc::new(Mutex::new(VecDeque::with_capacity(LAST_LINES)));
        let (alive, ended) = bounded(0);
        let kept = last_lines.clone();
        thread::spawn(move || {
            for Line::Whole(line) | Line::Cut(line) in lines(from, STDERR_LINE) {
                tracing::debug!("the oracle says: {line}");
                let mut kept = kept.lock().expect(NO_PANIC);
                if kept.len() == LAST_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
            drop(alive);
        });
        Self { last_lines, ended }
    }
}
