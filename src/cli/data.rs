//! `thermoflow data`: published data of tasks that users fetch themselves.

use super::{BadInput, Output};
use anyhow::{Context, bail};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use thermoflow::console::print_json;
use thermoflow::durable;
use thermoflow::task::blocks::{AUTHORS, BlockData, BlockDataError, BlockKind, KINDS, folder, read_file};
use thermoflow::task::import::{Files, KnownFile, MAX_BYTES, SOURCES, Source, Versions};
use walkdir::WalkDir;

const EXAMPLES: &str = "\
Examples:
  git clone https://github.com/dbsxodud-11/logit-gfn && thermoflow data import logit-gfn
  thermoflow data import downloads --out /scratch/thermoflow-data --json
  thermoflow data list

Data is kept in --out FOLDER, else in $THERMOFLOW_DATA, else in thermoflow below the user's data
directory ($XDG_DATA_HOME, ~/.local/share); tasks look in the latter two. Pickles are never run.";

/// Imports the published data of qm9str, sehstr and rna1, and lists what is there
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(Import),
    List(List),
}

/// Searches a directory for the authors' files and writes a safetensors file per task
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct Import {
    /// Directory with the authors' files, at any depth
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where to write; made if it is not there
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Take files whose sizes and hashes are not those that were published
    #[arg(long)]
    any_version: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Shows which data has been imported, and where it is looked for
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct List {
    /// Where to look, instead of where tasks do
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, out: &mut Output) -> anyhow::Result<()> {
        match self.command {
            Command::Import(args) => args.run(out),
            Command::List(args) => args.run(out),
        }
    }
}

/// What an import did.
#[derive(Debug, Serialize)]
struct Report {
    folder: PathBuf,
    /// Where the authors' files were found, by name.
    found: BTreeMap<&'static str, PathBuf>,
    imported: Vec<Imported>,
    /// Files that were not found, by the task that needs them.
    missing: BTreeMap<&'static str, Vec<&'static str>>,
}

/// Data of a task.
#[derive(Debug, Serialize)]
struct Imported {
    task: &'static str,
    path: PathBuf,
    blocks: usize,
    modes: usize,
    /// SHA-256 of the authors' files.
    files: BTreeMap<String, String>,
}

impl Imported {
    fn new(kind: &BlockKind, path: PathBuf, data: BlockData) -> Self {
        Self {
            task: kind.name,
            path,
            blocks: data.blocks.len(),
            modes: data.modes.len(),
            files: data.files,
        }
    }

    fn print(&self, verb: &str, out: &mut Output) -> std::io::Result<()> {
        let Self {
            task,
            path,
            blocks,
            modes,
            ..
        } = self;
        let blocks = if *blocks > 0 {
            format!("{blocks} blocks, ")
        } else {
            String::new()
        };
        writeln!(out, "{verb} {task}: {blocks}{modes} modes, {}", path.display())
    }
}

impl Import {
    fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let found = self.search()?;
        let files = read_all(&found)?;
        let lacks = |source: &Source| -> Vec<_> {
            let names = source.files().map(|file| file.name);
            names.filter(|name| !files.contains_key(name)).collect()
        };
        let (whole, partial): (Vec<&Source>, Vec<&Source>) =
            SOURCES.iter().partition(|source| lacks(source).is_empty());
        if whole.is_empty() {
            let names: Vec<_> = partial.iter().flat_map(|source| lacks(source)).collect();
            bail!(BadInput(format!(
                "nothing to import in {}: missing are {} (they are in {AUTHORS})",
                self.dir.display(),
                names.join(", ")
            )));
        }
        let folder = self.out.clone().unwrap_or_else(folder);
        let report = Report {
            imported: self.import(&whole, &files, &folder)?,
            missing: partial.iter().map(|source| (source.kind.name, lacks(source))).collect(),
            folder,
            found,
        };
        match self.json {
            true => print_json(&report, out),
            false => Ok(report.print(out)?),
        }
    }

    /// The authors' files below the directory; of several with one name the published one, else the first.
    fn search(&self) -> anyhow::Result<BTreeMap<&'static str, PathBuf>> {
        let mut found = BTreeMap::new();
        for entry in WalkDir::new(&self.dir).sort_by_file_name() {
            let entry = entry.map_err(|error| BadInput(error.to_string()))?;
            let mut known = SOURCES.iter().flat_map(Source::files);
            let Some(file) = known.find(|known| entry.file_type().is_file() && entry.file_name() == known.name) else {
                continue;
            };
            if !found.contains_key(file.name) || file.is_published(&read(entry.path(), file)?) {
                found.insert(file.name, entry.into_path());
            }
        }
        Ok(found)
    }

    /// Checks everything before anything is written.
    fn import(&self, sources: &[&Source], files: &Files, folder: &Path) -> anyhow::Result<Vec<Imported>> {
        let versions = if self.any_version {
            Versions::Any
        } else {
            Versions::Published
        };
        let data = sources.iter().map(|source| source.import(files, versions));
        let data: Vec<BlockData> = data.collect::<Result<_, _>>()?;
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let write = |(source, data): (&&Source, BlockData)| {
            let path = folder.join(source.kind.file_name());
            durable::replace(&path, &data.write(source.kind))
                .with_context(|| format!("{} cannot be written", path.display()))?;
            Ok(Imported::new(source.kind, path, data))
        };
        sources.iter().zip(data).map(write).collect()
    }
}

impl Report {
    fn print(&self, out: &mut Output) -> std::io::Result<()> {
        for (name, path) in &self.found {
            writeln!(out, "found {name}: {}", path.display())?;
        }
        for imported in &self.imported {
            imported.print("imported", out)?;
        }
        for (task, names) in &self.missing {
            writeln!(out, "not imported {task}: {} not found", names.join(", "))?;
        }
        Ok(())
    }
}

fn read_all(found: &BTreeMap<&'static str, PathBuf>) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for known in SOURCES.iter().flat_map(Source::files) {
        if let Some(path) = found.get(known.name) {
            files.insert(known.name, read(path, known)?);
        }
    }
    Ok(files)
}

/// A file's bytes; of one that is too large only so many that the import refuses it.
fn read(path: &Path, known: KnownFile) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(known.size);
    let file = File::open(path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    file.map_err(|error| BadInput(error.to_string()))
        .with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(bytes)
}

/// A line of the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Listed {
    Imported(Imported),
    Missing {
        task: &'static str,
        path: PathBuf,
    },
    Damaged {
        task: &'static str,
        path: PathBuf,
        reason: String,
    },
}

impl Listed {
    fn new(kind: &'static BlockKind, folder: &Path) -> Self {
        let path = folder.join(kind.file_name());
        let task = kind.name;
        match read_file(kind, &path).and_then(|bytes| BlockData::read(kind, &bytes)) {
            Ok(data) => Self::Imported(Imported::new(kind, path, data)),
            Err(BlockDataError::NotImported { .. }) => Self::Missing { task, path },
            Err(error) => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                Self::Damaged { task, path, reason }
            }
        }
    }

    fn print(&self, out: &mut Output) -> std::io::Result<()> {
        match self {
            Self::Imported(imported) => imported.print("imported", out),
            Self::Missing { task, path } => writeln!(out, "missing {task}: {}", path.display()),
            Self::Damaged { task, path, reason } => writeln!(out, "damaged {task}: {}: {reason}", path.display()),
        }
    }
}

impl List {
    fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let folder = self.folder.unwrap_or_else(folder);
        let listed: Vec<_> = KINDS.into_iter().map(|kind| Listed::new(kind, &folder)).collect();
        if self.json {
            return print_json(&listed, out);
        }
        listed.iter().try_for_each(|listed| listed.print(out))?;
        Ok(())
    }
}
