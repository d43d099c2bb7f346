//! `thermoflow launch logs`, and the last words of a program.

use crate::cli::{BadInput, Output};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use thermoflow::launch::{LaunchPaths, Record};

/// Shows what the programs said last
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run directory
    run: PathBuf,
    /// Whose: learner, actor-3 … [default: all]
    who: Option<String>,
    /// Lines of each
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: usize,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let paths = LaunchPaths::new(&self.run);
        Record::read(&paths)?;
        let names = self.names(&paths)?;
        for name in &names {
            if names.len() > 1 {
                writeln!(out, "== {name}")?;
            }
            writeln!(out, "{}", last_lines(&paths.logs().join(name), self.lines))?;
        }
        Ok(())
    }

    /// Names of files.
    fn names(&self, paths: &LaunchPaths) -> anyhow::Result<Vec<String>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(paths.logs())? {
            all.push(entry?.file_name().to_string_lossy().into_owned());
        }
        all.sort();
        let Some(who) = &self.who else { return Ok(all) };
        let found = all
            .iter()
            .find(|name| *name == who || name.strip_suffix(".log") == Some(who));
        let missing = || BadInput(format!("{who:?} said nothing yet; there are {}", all.join(", ")));
        Ok(vec![found.ok_or_else(missing)?.clone()])
    }
}

/// The last lines of a file; none when there is no file yet.
pub fn last_lines(path: &Path, count: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
