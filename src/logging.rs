//! What the programs write to stderr while they work: lines for people, or JSON for machines.
//!
//! In JSON every line has the run, the actor's name and the version of the policy, whichever thread or crate wrote it;
//! what is not known yet is null. Like the subscriber itself, they are the process's.

use json_subscriber::JsonLayer;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// The environment variable that chooses the format when the command line does not.
pub const FORMAT_VARIABLE: &str = "THERMOFLOW_LOG_FORMAT";

/// No version is known.
const NO_VERSION: u64 = u64::MAX;

static RUN: OnceLock<String> = OnceLock::new();
static ACTOR: OnceLock<String> = OnceLock::new();
static VERSION: AtomicU64 = AtomicU64::new(NO_VERSION);

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// A format that there is not.
#[derive(Debug, thiserror::Error)]
#[error("{FORMAT_VARIABLE} is {0:?}; text or json is allowed")]
pub struct NoFormat(String);

impl LogFormat {
    /// The command line's choice, else the environment's, else text.
    ///
    /// # Errors
    /// When the environment asks for another format.
    pub fn given(chosen: Option<Self>, environment: Option<String>) -> Result<Self, NoFormat> {
        match (chosen, environment) {
            (Some(format), _) => Ok(format),
            (None, Some(name)) if !name.is_empty() => {
                clap::ValueEnum::from_str(&name, false).map_err(|_| NoFormat(name))
            }
            (None, _) => Ok(Self::Text),
        }
    }
}

/// Starts logging to stderr as RUST_LOG says, else as `default`; in the format that was chosen, else the environment's.
///
/// # Errors
/// When the environment asks for a format that there is not; then lines are text.
///
/// # Panics
/// When logging was started before.
pub fn start(default: &str, chosen: Option<LogFormat>) -> Result<(), NoFormat> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let format = LogFormat::given(chosen, std::env::var(FORMAT_VARIABLE).ok());
    log_to_stderr(filter, *format.as_ref().unwrap_or(&LogFormat::Text));
    format.map(drop)
}

/// Starts logging to stderr.
///
/// # Panics
/// When logging was started before.
pub fn log_to_stderr(filter: EnvFilter, format: LogFormat) {
    match format {
        LogFormat::Text => tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::stderr().is_terminal())
            // A closed stderr must not end the program: complaining about it would panic.
            .log_internal_errors(false)
            .with_writer(std::io::stderr)
            .init(),
        LogFormat::Json => {
            let lines = json(JsonLayer::<Registry>::stderr());
            tracing_subscriber::registry().with(lines).with(filter).init();
        }
    }
}

/// Lines of JSON from now on name this run; the first one stays.
pub fn set_run(run: &str) {
    RUN.get_or_init(|| run.into());
}

/// Lines of JSON from now on name this actor; the first one stays.
pub fn set_actor(name: &str) {
    ACTOR.get_or_init(|| name.into());
}

/// Lines of JSON from now on have this version: the newest that a learner published, or that an actor rolls out with.
pub fn set_version(version: crate::units::PolicyVersion) {
    VERSION.store(version.0, Ordering::Relaxed);
}

fn json<W>(mut layer: JsonLayer<Registry, W>) -> JsonLayer<Registry, W>
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + 'static,
{
    layer.log_internal_errors(false);
    layer.with_timer("timestamp", tracing_subscriber::fmt::time::SystemTime);
    layer.with_level("level");
    layer.with_target("target");
    layer.add_dynamic_field("run", |_, _| Some(RUN.get()));
    layer.add_dynamic_field("actor", |_, _| Some(ACTOR.get()));
    layer.add_dynamic_field("version", |_, _| {
        let version = VERSION.load(Ordering::Relaxed);
        Some((version != NO_VERSION).then_some(version))
    });
    // Not among those: a field of the event may have the same name.
    layer.with_event("fields");
    layer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PolicyVersion;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_of_json_has_run_actor_and_version() {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = json(JsonLayer::new(move || writer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(run = "of the event", "before");
            set_run("00ff");
            set_actor("a \"quoted\" name");
            set_version(PolicyVersion(7));
            std::thread::scope(|_| tracing::warn!("after"));
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |line: usize| [&lines[line]["run"], &lines[line]["actor"], &lines[line]["version"]];
        assert!(of(0).iter().all(|value| value.is_null()), "{text}");
        assert!(lines[0].as_object().unwrap().contains_key("version"), "{text}");
        assert_eq!(lines[0]["fields"]["run"], "of the event");
        assert_eq!(
            of(1),
            [&"00ff".into(), &r#"a "quoted" name"#.into(), &7.into()] as [&serde_json::Value; 3]
        );
        assert_eq!(
            (&lines[1]["level"], &lines[1]["fields"]["message"]),
            (&"WARN".into(), &"after".into())
        );
        assert!(lines[1]["timestamp"].is_string());
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let given = |chosen, environment: &str| LogFormat::given(chosen, Some(environment.into()));
        assert_eq!(given(None, "json").unwrap(), LogFormat::Json);
        assert_eq!(given(Some(LogFormat::Text), "json").unwrap(), LogFormat::Text);
        assert_eq!(given(None, "").unwrap(), LogFormat::Text);
        let error = given(None, "yaml").unwrap_err().to_string();
        assert!(
            error.contains("THERMOFLOW_LOG_FORMAT is \"yaml\"; text or json is allowed"),
            "{error}"
        );
    }
}
