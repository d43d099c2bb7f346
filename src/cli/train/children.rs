//! The learner and the actors as child processes.

use super::report::{Line, Report};
use super::supervise::Watcher;
use crate::cli::sibling;
use anyhow::Context;
use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// An actor that dies is started again so many times.
const RESTARTS: u32 = 5;

/// Exit code of an actor that would fail again.
const HOPELESS: i32 = 2;

/// First pause before an actor is started again; doubles with every restart.
const RESTART_AFTER: Duration = Duration::from_millis(200);

/// How long actors may take to end after the learner has.
const END_WITHIN: Duration = Duration::from_secs(8);

/// What happens to the children.
#[derive(Debug)]
pub enum Event {
    /// The learner accepts actors at this address.
    Listening(String),
    /// Where training is.
    Progress(Box<Report>),
    /// A line of the learner's stderr.
    LearnerSays(String),
    /// A line of an actor's stderr, or on its fate.
    ActorSays(String),
    /// An actor will not be started again; its last words, and true when it can never work.
    ActorLost(String, bool),
    /// The learner ended with this exit code.
    LearnerEnded(i32),
    /// We were asked to stop.
    Stop,
}

type Events = mpsc::Sender<Event>;

/// The learner's process.
pub struct Learner {
    /// Closing it asks the learner to stop.
    stdin: Option<ChildStdin>,
    kill: watch::Sender<bool>,
}

impl Learner {
    /// Starts it; what it says and its end arrive as events.
    pub fn start(arguments: &[String], events: Events) -> anyhow::Result<Self> {
        let mut command = command("thermoflow-learner")?;
        command
            .args(arguments)
            .args(["--bind", "tcp://127.0.0.1:0", "--progress"])
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("thermoflow-learner cannot be started")?;
        let stdin = child.stdin.take();
        let (kill, mut killed) = watch::channel(false);
        let out = tokio::spawn(read_progress(child.stdout.take(), events.clone()));
        let err = tokio::spawn(read_lines(
            child.stderr.take(),
            String::new(),
            Event::LearnerSays,
            events.clone(),
        ));
        tokio::spawn(async move {
            tokio::select! {
                _ = child.wait() => {}
                () = until(&mut killed) => {
                    let _ = child.kill().await;
                }
            }
            // Its last words come before the news of its end.
            let _ = tokio::join!(out, err);
            let code = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(1);
            let _ = events.send(Event::LearnerEnded(code)).await;
        });
        Ok(Self { stdin, kill })
    }

    /// Asks it to stop; false when it was asked before.
    pub fn stop(&mut self) -> bool {
        self.stdin.take().is_some()
    }

    /// Ends it at once.
    pub fn kill(&self) {
        let _ = self.kill.send(true);
    }
}

/// The actors' processes. Dropping it ends them at once.
pub struct Fleet {
    actors: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Fleet {
    /// Starts `count` actors with these arguments.
    pub fn start(count: u32, arguments: &[OsString], events: &Events) -> anyhow::Result<Self> {
        sibling::find("thermoflow-actor")?;
        let (stop, stopped) = watch::channel(false);
        let mut actors = JoinSet::new();
        for number in 0..count {
            actors.spawn(supervise(
                format!("actor-{number}"),
                arguments.into(),
                stopped.clone(),
                events.clone(),
            ));
        }
        Ok(Self { actors, stop })
    }

    /// Waits for the actors after the learner's end; `told` says that it has told them.
    pub async fn end(mut self, told: bool, events: &mut mpsc::Receiver<Event>, watcher: &mut impl Watcher) {
        // No restarts from here on. Those that were told end by themselves, the others when their pipe closes.
        let _ = self.stop.send(true);
        let deadline = tokio::time::sleep(END_WITHIN);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                ended = self.actors.join_next() => if ended.is_none() { return },
                Some(event) = events.recv() => if let (Event::ActorSays(line), false) = (event, told) {
                    watcher.line(&line);
                },
                () = &mut deadline => return self.actors.abort_all(),
            }
        }
    }
}

/// Keeps one actor running until it ends well, too many lives are used up, or `stopped`.
async fn supervise(name: String, arguments: Vec<OsString>, mut stopped: watch::Receiver<bool>, events: Events) {
    let mut last_words = String::new();
    for life in 0..=RESTARTS {
        match live(&name, &arguments, &mut stopped, &events).await {
            Ok((Some(0), _)) => return,
            Ok(_) if *stopped.borrow() => return,
            Ok((Some(HOPELESS), words)) => {
                let lost = format!("{name} is not started again; {words}");
                let _ = events.send(Event::ActorLost(lost, true)).await;
                return;
            }
            Ok((_, words)) => {
                last_words = words;
                let _ = events
                    .send(Event::ActorSays(format!("{name} died; starting it again")))
                    .await;
            }
            Err(error) => last_words = format!("{name} cannot be started: {error:#}"),
        }
        tokio::select! {
            () = tokio::time::sleep(RESTART_AFTER * (1 << life)) => {}
            () = until(&mut stopped) => return,
        }
    }
    let lost = format!("{name} died {} times and is given up; {last_words}", RESTARTS + 1);
    let _ = events.send(Event::ActorLost(lost, false)).await;
}

/// One life of an actor: its exit code, and its last words.
async fn live(
    name: &str,
    arguments: &[OsString],
    stopped: &mut watch::Receiver<bool>,
    events: &Events,
) -> anyhow::Result<(Option<i32>, String)> {
    let mut command = command("thermoflow-actor")?;
    command.args(["--name", name]).args(arguments).stdout(Stdio::null());
    let mut child = command.spawn()?;
    let stdin = child.stdin.take();
    let prefix = format!("{name}: ");
    let says = tokio::spawn(read_lines(
        child.stderr.take(),
        prefix,
        Event::ActorSays,
        events.clone(),
    ));
    let status = tokio::select! {
        status = child.wait() => status?,
        () = until(stopped) => {
            drop(stdin);
            child.wait().await?
        }
    };
    let last_words = says.await.unwrap_or_default();
    Ok((status.code(), last_words))
}

/// Waits until the flag is up, or its owner is gone.
async fn until(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|up| *up).await;
}

/// A program beside this one, in a process group of its own: Ctrl-C on the terminal is for us to pass on.
fn command(program: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(sibling::find(program)?);
    command
        .arg("--watch-stdin")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if std::env::var_os("RUST_LOG").is_none() {
        // Progress says what there is to say.
        command.env("RUST_LOG", "warn");
    }
    Ok(command)
}

/// Passes lines on; returns the last of them.
async fn read_lines(
    from: Option<impl AsyncRead + Unpin>,
    prefix: String,
    event: impl Fn(String) -> Event,
    events: Events,
) -> String {
    let mut last = String::new();
    let Some(from) = from else { return last };
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // JSON (THERMOFLOW_LOG_FORMAT) stays JSON; it has the name in it.
        let prefix = if line.starts_with('{') { "" } else { &prefix };
        last = format!("{prefix}{line}");
        if events.send(event(last.clone())).await.is_err() {
            break;
        }
    }
    last
}

async fn read_progress(from: Option<impl AsyncRead + Unpin>, events: Events) {
    let Some(from) = from else { return };
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let event = match serde_json::from_str(&line) {
            Ok(Line::Listening { address }) => Event::Listening(address),
            Ok(Line::Progress(report) | Line::Finished(report)) => Event::Progress(Box::new(report)),
            Err(_) => Event::LearnerSays(line),
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}
