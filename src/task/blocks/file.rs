//! The file format: a safetensors file with metadata `format`, `task`, `source`, `files` (SHA-256 of what it was made of)
//! and `blocks`, and the tensors of a kind. Everything is checked when a file is read.

use super::super::table::ScoreTable;
use super::{AUTHORS, BlockDataError, BlockKind, ScoredBy, TreeArrays, Trees};
use crate::env::States;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Version of the format.
const FORMAT: &str = "thermoflow-blocks-1";
/// The largest published file is below 1 MiB; more than this is not read.
pub const MAX_BYTES: usize = 16 << 20;

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockData {
    /// SHA-256 of the authors' files it was made of, in hexadecimal, by name.
    pub files: BTreeMap<String, String>,
    /// The fragments as SMILES, by number; empty for tasks without.
    pub blocks: Vec<String>,
    /// Listed modes, `[modes, length]`.
    pub modes: States,
    /// How objects are scored.
    pub scores: Scores,
}

/// How objects are scored.
#[derive(Debug, Clone, PartialEq)]
pub enum Scores {
    /// A score for every object.
    Table(ScoreTable),
    /// Regression trees.
    Trees(Trees),
    /// By something that is not in the file.
    Elsewhere,
}

/// Name, type, shape and bytes of a tensor.
type Tensor = (&'static str, Dtype, Vec<usize>, Vec<u8>);

impl BlockData {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not such a file of this kind, or anything in it is wrong.
    pub fn read(kind: &BlockKind, bytes: &[u8]) -> Result<Self, BlockDataError> {
        if bytes.len() > MAX_BYTES {
            return Err(BlockDataError::TooLarge { allowed: MAX_BYTES });
        }
        let format = |error: safetensors::SafeTensorError| BlockDataError::Format(error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(format)?;
        let metadata = Metadata(header.metadata().as_ref());
        metadata.must_be("format", FORMAT)?;
        metadata.must_be("task", kind.name)?;
        let tensors = Tensors(&tensors);
        let mut modes = States::new(kind.length);
        modes.extend(
            tensors
                .bytes("modes", Dtype::U8, &[None, Some(kind.length)])?
                .chunks_exact(kind.length),
        );
        let data = Self {
            files: metadata.json("files", "a map from name to SHA-256")?,
            blocks: metadata.json("blocks", "a list of SMILES")?,
            modes,
            scores: match kind.scored_by {
                ScoredBy::Table => {
                    Scores::Table(ScoreTable::from_bytes(tensors.bytes("scores", Dtype::F32, &[None])?)?)
                }
                ScoredBy::Trees => Scores::Trees(Trees::new(tensors.trees()?)?),
                ScoredBy::Elsewhere => Scores::Elsewhere,
            },
        };
        data.check(kind)
    }

    /// Checks that parts make up the data of a kind.
    ///
    /// # Errors
    /// When blocks, modes or scores are not those of `kind`.
    pub fn check(self, kind: &BlockKind) -> Result<Self, BlockDataError> {
        let needed = if kind.has_blocks { kind.letters() } else { 0 };
        if self.blocks.len() != needed || self.blocks.iter().any(|block| !is_smiles(block)) {
            return Err(BlockDataError::Metadata {
                key: "blocks",
                found: format!("{:?}", self.blocks),
                needed: format!("{needed} SMILES"),
            });
        }
        check_modes(kind, &self.modes)?;
        match (&self.scores, kind.scored_by) {
            (Scores::Table(table), ScoredBy::Table) if table.scores().len() != objects(kind) => Err(shape_error(
                "scores",
                &[table.scores().len()],
                format!("[{}]", objects(kind)),
            )),
            (Scores::Table(_), ScoredBy::Table)
            | (Scores::Trees(_), ScoredBy::Trees)
            | (Scores::Elsewhere, ScoredBy::Elsewhere) => Ok(self),
            (_, scored_by) => unreachable!("{} is scored by {scored_by:?}", kind.name),
        }
    }

    /// The file's bytes.
    pub fn write(&self, kind: &BlockKind) -> Vec<u8> {
        let metadata = HashMap::from([
            ("format".into(), FORMAT.into()),
            ("task".into(), kind.name.into()),
            ("source".into(), AUTHORS.into()),
            ("files".into(), to_json(&self.files)),
            ("blocks".into(), to_json(&self.blocks)),
        ]);
        let tensors = self.tensors();
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            let view = TensorView::new(*dtype, shape.clone(), bytes);
            (*name, view.expect("bytes fit the shape"))
        });
        safetensors::serialize(views, Some(metadata)).expect("tensors lie one after the other")
    }

    fn tensors(&self) -> Vec<Tensor> {
        let shape = vec![self.modes.len(), self.modes.width()];
        let mut tensors: Vec<Tensor> = vec![(
            "modes",
            Dtype::U8,
            shape,
            self.modes.iter().flatten().copied().collect(),
        )];
        match &self.scores {
            Scores::Table(table) => {
                tensors.push(("scores", Dtype::F32, vec![table.scores().len()], table.to_bytes()));
            }
            Scores::Trees(trees) => tensors.extend(tree_tensors(trees.arrays())),
            Scores::Elsewhere => {}
        }
        tensors
    }
}

/// Number of objects of a kind.
fn objects(kind: &BlockKind) -> usize {
    kind.letters().pow(kind.length as u32)
}

fn is_smiles(block: &str) -> bool {
    (1..=200).contains(&block.len()) && block.chars().all(|c| c.is_ascii_graphic())
}

fn check_modes(kind: &BlockKind, modes: &States) -> Result<(), BlockDataError> {
    let mut seen = BTreeSet::new();
    for (index, mode) in modes.iter().enumerate() {
        let is_object = mode.iter().all(|&letter| usize::from(letter) < kind.letters());
        if !is_object || !seen.insert(mode) {
            let needed = format!("modes must be distinct and their letters below {}", kind.letters());
            let mode = mode.to_vec();
            return Err(BlockDataError::Mode { index, mode, needed });
        }
    }
    match modes.is_empty() {
        true => Err(shape_error("modes", &[0], "[1 or more, length]".into())),
        false => Ok(()),
    }
}

fn shape_error(name: &'static str, found: &[usize], needed: String) -> BlockDataError {
    let found = format!("of shape {found:?}");
    BlockDataError::Tensor { name, found, needed }
}

fn tree_tensors(arrays: &TreeArrays) -> [Tensor; 7] {
    let ints = |name, values: &[i32]| -> Tensor {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (name, Dtype::I32, vec![values.len()], bytes)
    };
    let floats = |name, values: &[f64]| -> Tensor {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (name, Dtype::F64, vec![values.len()], bytes)
    };
    [
        floats("baseline", &[arrays.baseline]),
        ints("tree_offsets", &arrays.offsets),
        ints("feature", &arrays.feature),
        floats("threshold", &arrays.threshold),
        ints("left", &arrays.left),
        ints("right", &arrays.right),
        floats("value", &arrays.value),
    ]
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("strings are plain data")
}

/// The metadata of a file.
struct Metadata<'a>(Option<&'a HashMap<String, String>>);

impl Metadata<'_> {
    fn get(&self, key: &str) -> &str {
        self.0.and_then(|map| map.get(key)).map_or("", String::as_str)
    }

    fn must_be(&self, key: &'static str, needed: &str) -> Result<(), BlockDataError> {
        match self.get(key) {
            found if found == needed => Ok(()),
            _ => Err(self.refuse(key, format!("{needed:?}"))),
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&self, key: &'static str, needed: &str) -> Result<T, BlockDataError> {
        serde_json::from_str(self.get(key)).map_err(|_| self.refuse(key, needed.into()))
    }

    fn refuse(&self, key: &'static str, needed: String) -> BlockDataError {
        let found = self.get(key).chars().take(100).collect();
        BlockDataError::Metadata { key, found, needed }
    }
}

/// The tensors of a file.
struct Tensors<'a>(&'a SafeTensors<'a>);

impl Tensors<'_> {
    /// The bytes of a tensor of this type and shape; None stands for any length.
    fn bytes(&self, name: &'static str, dtype: Dtype, shape: &[Option<usize>]) -> Result<&[u8], BlockDataError> {
        let needed = || {
            let lengths = shape
                .iter()
                .map(|length| length.map_or("any".into(), |length| length.to_string()));
            format!("{dtype:?} of shape [{}]", lengths.collect::<Vec<_>>().join(", "))
        };
        let Ok(view) = self.0.tensor(name) else {
            let found = "not there".into();
            let needed = needed();
            return Err(BlockDataError::Tensor { name, found, needed });
        };
        let fits = |(&found, needed): (&usize, &Option<usize>)| needed.is_none_or(|needed| needed == found);
        let has_shape = view.shape().len() == shape.len() && view.shape().iter().zip(shape).all(fits);
        if view.dtype() != dtype || !has_shape {
            let found = format!("{:?} of shape {:?}", view.dtype(), view.shape());
            let needed = needed();
            return Err(BlockDataError::Tensor { name, found, needed });
        }
        Ok(view.data())
    }

    fn ints(&self, name: &'static str) -> Result<Vec<i32>, BlockDataError> {
        let (values, _) = self.bytes(name, Dtype::I32, &[None])?.as_chunks::<4>();
        Ok(values.iter().map(|&value| i32::from_le_bytes(value)).collect())
    }

    fn floats(&self, name: &'static str, length: Option<usize>) -> Result<Vec<f64>, BlockDataError> {
        let (values, _) = self.bytes(name, Dtype::F64, &[length])?.as_chunks::<8>();
        Ok(values.iter().map(|&value| f64::from_le_bytes(value)).collect())
    }

    fn trees(&self) -> Result<TreeArrays, BlockDataError> {
        Ok(TreeArrays {
            baseline: self.floats("baseline", Some(1))?[0],
            offsets: self.ints("tree_offsets")?,
            feature: self.ints("feature")?,
            threshold: self.floats("threshold", None)?,
            left: self.ints("left")?,
            right: self.ints("right")?,
            value: self.floats("value", None)?,
        })
    }
}
