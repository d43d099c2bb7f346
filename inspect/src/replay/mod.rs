//! A replay that is looked at: where it is, whose run it is, and connections that can only read.

mod filter;
mod fold;
mod functions;
mod objects;
mod scan;
pub mod sql;

pub use filter::Filter;
pub use fold::Values;
pub use functions::VIEW;
pub(crate) use objects::ObjectReader;
pub use scan::{Plan, Range, Rows, Stop};

use crate::InspectError;
use indicatif::{ProgressBar, ProgressStyle};
use objects::Objects;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thermoflow::config::TaskConfig;
use thermoflow::replay::{Store, StoreError, wal_of};
use thermoflow::run_dir::{RunPaths, RunRecord};
use thermoflow::task::Task;

/// Pages of the database that each connection keeps, KiB (negative: SQLite's way to say so). What is read goes by once, and
/// a page is read faster into memory that is still in a core's own cache.
const CACHE_KIB: i64 = -1024;

/// A replay opened for reading, also while a learner writes to it.
///
/// Invariant: nothing here changes the file. Connections are opened read-only, and `authorize` refuses everything but
/// reading.
#[derive(Debug)]
pub struct Replay {
    run: Option<(PathBuf, Arc<RunRecord>)>,
    source: Arc<Source>,
    connection: Connection,
    progress: ProgressBar,
}

/// Where connections come from; shared by threads.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    objects: Arc<Objects>,
}

impl Source {
    /// A new connection with the view `replay`.
    pub(crate) fn connect(&self) -> Result<Connection, InspectError> {
        let mut connection = Store::open_read_only(&self.path)?.into_connection();
        let mut prepare = || {
            connection.pragma_update(None, "cache_size", CACHE_KIB)?;
            connection.pragma_update(None, "temp_store", "MEMORY")?;
            functions::install(&connection, self.objects.reader())?;
            connection.authorizer(Some(authorize))
        };
        prepare().map_err(|error| self.failed(error))?;
        Ok(connection)
    }

    /// y and log R of objects, for one thread.
    pub(crate) fn scores(&self) -> ObjectReader {
        self.objects.reader()
    }

    pub(crate) fn failed(&self, error: rusqlite::Error) -> InspectError {
        StoreError::new(&self.path, error).into()
    }
}

impl Replay {
    /// Opens the replay of a run directory, or a file of one.
    ///
    /// # Errors
    /// Not a replay, damaged, of a newer program, or a run.toml that cannot be read.
    pub fn open(place: &Path) -> Result<Self, InspectError> {
        let (path, root) = locate(place)?;
        let run = match root {
            Some(root) if RunPaths::new(&root).record().is_file() => {
                let record = RunRecord::read(&root)?;
                Some((root, Arc::new(record)))
            }
            _ => None,
        };
        let objects = Objects::new(Store::open_read_only(&path)?.into_connection());
        let source = Source {
            path,
            objects: Arc::new(objects),
        };
        Self::connect(run, Arc::new(source))
    }

    /// The same replay with a connection of its own, for another thread; what is known of objects is shared.
    ///
    /// # Errors
    /// When it cannot be opened any more.
    pub fn another(&self) -> Result<Self, InspectError> {
        Self::connect(self.run.clone(), self.source.clone())
    }

    fn connect(run: Option<(PathBuf, Arc<RunRecord>)>, source: Arc<Source>) -> Result<Self, InspectError> {
        Ok(Self {
            run,
            connection: source.connect()?,
            source,
            progress: ProgressBar::hidden(),
        })
    }

    /// Shows on a terminal how far each scan is.
    pub fn show_progress(&mut self) {
        let style =
            ProgressStyle::with_template("{bar:32} {human_pos} of {human_len} trajectories, {per_sec}, {eta} left");
        self.progress = ProgressBar::no_length().with_style(style.expect("a fixed template"));
    }

    /// How far something else that reads it is.
    pub fn progress(&self) -> &ProgressBar {
        &self.progress
    }

    /// The database.
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// Bytes of the database and of its write-ahead log, where what a learner has just written is.
    pub fn size(&self) -> u64 {
        let files = [self.path(), &wal_of(self.path())];
        let sizes = files.map(|file| std::fs::metadata(file).map_or(0, |file| file.len()));
        sizes.iter().sum()
    }

    /// The run directory, if the replay lies in one.
    pub fn root(&self) -> Option<&Path> {
        self.run.as_ref().map(|(root, _)| root.as_path())
    }

    /// What run.toml says, if the replay lies in a run directory.
    pub fn record(&self) -> Option<&RunRecord> {
        self.run.as_ref().map(|(_, record)| &**record)
    }

    /// How people call it: the name of its directory.
    pub fn name(&self) -> String {
        let place = self.root().unwrap_or(self.path());
        let place = place.canonicalize().unwrap_or_else(|_| place.to_path_buf());
        place.file_name().map_or_else(
            || place.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        )
    }

    /// The task of the run; None when the replay lies alone.
    ///
    /// # Errors
    /// When it cannot be built, for example because its data is not on this machine.
    pub fn task(&self) -> Result<Option<Task>, InspectError> {
        Ok(self.task_config()?.map(|config| Task::load(&config)).transpose()?)
    }

    /// Which task it is of, as run.toml says, or `merge`.
    ///
    /// # Errors
    /// When reading fails.
    pub fn task_config(&self) -> Result<Option<TaskConfig>, InspectError> {
        if let Some(record) = self.record() {
            return Ok(Some(record.config.task.clone()));
        }
        let noted = self.rows("SELECT value FROM meta WHERE key = 'task'", |row| {
            row.get::<_, String>(0)
        })?;
        let noted = noted.first().map(|text| serde_json::from_str(text));
        noted
            .transpose()
            .map_err(|error| InspectError::Input(format!("what meta says of the task: {error}")))
    }

    /// As [`Self::task`], for questions that can do without it: a task that cannot be built is told in the log.
    ///
    /// # Errors
    /// When the replay cannot be read.
    pub fn task_or_warning(&self) -> Result<Option<Task>, InspectError> {
        match self.task() {
            Err(InspectError::Input(reason)) => {
                tracing::warn!("modes are left out: {reason}");
                Ok(None)
            }
            other => other,
        }
    }

    /// A connection with the view `replay`.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Where other threads get connections of their own.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// One number by a question of ours.
    ///
    /// # Errors
    /// When reading fails.
    pub fn number(&self, sql: &str) -> Result<i64, InspectError> {
        self.ask(|connection| connection.query_row(sql, [], |row| row.get(0)))
    }

    /// Runs a question of ours.
    ///
    /// # Errors
    /// When reading fails.
    pub fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, InspectError> {
        question(self.connection()).map_err(|error| self.failed(error))
    }

    /// The rows of a question of ours.
    ///
    /// # Errors
    /// When reading fails.
    pub fn rows<T>(
        &self,
        sql: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, InspectError> {
        self.ask(|connection| connection.prepare(sql)?.query_map([], read)?.collect())
    }

    /// What an error of SQLite's means.
    pub fn failed(&self, error: rusqlite::Error) -> InspectError {
        self.source.failed(error)
    }
}

/// The database and the directory that it lies in.
fn locate(place: &Path) -> Result<(PathBuf, Option<PathBuf>), InspectError> {
    let inside = RunPaths::new(place).replay();
    if inside.is_file() {
        return Ok((inside, Some(place.to_path_buf())));
    }
    if place.is_file() {
        return Ok((place.to_path_buf(), place.parent().map(Path::to_path_buf)));
    }
    Err(InspectError::NotAReplay {
        path: place.to_path_buf(),
        is_there: place.exists(),
    })
}

/// Lets users read, and nothing else: no other file is attached or written, nothing is changed.
fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive | AuthAction::Function { .. } => {
            Authorization::Allow
        }
        AuthAction::Transaction { .. } => Authorization::Allow,
        AuthAction::Pragma { pragma_name, .. } if READING_PRAGMAS.contains(&pragma_name) => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

const READING_PRAGMAS: [&str; 6] = [
    "data_version",
    "foreign_key_check",
    "integrity_check",
    "page_count",
    "page_size",
    "table_info",
];
