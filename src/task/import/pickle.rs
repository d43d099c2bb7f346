//! Three shapes of Python pickles: a list of strings, a dict of NumPy floats, scikit-learn's boosted trees.
//!
//! `deser_pickle` reads pickles without running them: what a pickle would call comes out as a class name and data. Here
//! every class and layout is compared with the one that is expected. It keeps an object's state where it has one, so
//! that the name of a number type ("f4") is lost: its size, byte order and the range of the values stand in for it.

use super::super::blocks::TreeArrays;
use deser::Deserialize;
use deser_pickle::{DeserializerConfig, Object};
use std::collections::BTreeMap;

/// A value that a pickle refers to again is repeated; 161,051 scores share a type of 9 parts. More is an attack.
const MAX_REPEATED: usize = 1 << 22;
const CONFIG: DeserializerConfig = DeserializerConfig::builder().max_shared_events(MAX_REPEATED).build();

/// Module and name of the classes that are expected. NumPy 2 renamed `numpy.core`.
const SCALAR: &[&str] = &["numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"];
const ARRAY: &[&str] = &[
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
];
const DTYPE: &[&str] = &["numpy.dtype"];
const REGRESSOR: &[&str] =
    &["sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor"];
const PREDICTOR: &[&str] = &["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"];

/// A node of scikit-learn's trees: the fields of its record and where they begin; the record has 52 bytes.
const NODE_FIELDS: [(&str, u64); 13] = [
    ("value", 0),
    ("count", 8),
    ("feature_idx", 12),
    ("num_threshold", 16),
    ("missing_go_to_left", 24),
    ("left", 25),
    ("right", 29),
    ("gain", 33),
    ("depth", 41),
    ("is_leaf", 45),
    ("bin_threshold", 46),
    ("is_categorical", 47),
    ("bitset_idx", 48),
];
const NODE_BYTES: usize = 52;

/// Why a pickle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PickleError {
    /// Damaged, or of another shape.
    #[error("it is no such pickle: {0}")]
    Format(#[from] deser::Error),
    /// A value that is not expected.
    #[error("{what} is {found}: {needed} is needed")]
    Value {
        /// What.
        what: &'static str,
        /// The offending value.
        found: String,
        /// What is needed.
        needed: String,
    },
}

/// A NumPy number type: version, byte order, sub-array, field names, fields (type, offset), size, alignment, flags.
type Dtype<'a> = Object<(
    u64,
    &'a str,
    Option<u8>,
    Option<Vec<&'a str>>,
    Option<Fields<'a>>,
    i64,
    i64,
    u64,
)>;
type Fields<'a> = BTreeMap<&'a str, (PlainDtype<'a>, u64)>;
/// The type of a field: the same without fields.
type PlainDtype<'a> = Object<(u64, &'a str, Option<u8>, Option<u8>, Option<u8>, i64, i64, u64)>;
/// A NumPy number: type and bytes.
type Scalar<'a> = Object<(Dtype<'a>, &'a [u8])>;
/// A NumPy array: version, shape, type, column order, bytes.
type Array<'a> = Object<(u64, Vec<u64>, Dtype<'a>, bool, &'a [u8])>;

/// The attributes of `HistGradientBoostingRegressor` that predictions depend on.
#[derive(Deserialize)]
struct Regressor<'a> {
    n_features_in_: u64,
    n_trees_per_iteration_: u64,
    _baseline_prediction: Scalar<'a>,
    /// A list of one tree per iteration.
    _predictors: Vec<(Object<Predictor<'a>>,)>,
}

/// The attributes of `TreePredictor` that predictions depend on.
#[derive(Deserialize)]
struct Predictor<'a> {
    nodes: Array<'a>,
}

/// A list of strings.
///
/// # Errors
/// When the pickle is something else.
pub fn strings(bytes: &[u8]) -> Result<Vec<&str>, PickleError> {
    Ok(CONFIG.from_slice(bytes)?)
}

/// A dict of strings and NumPy 32-bit floats.
///
/// # Errors
/// When the pickle is something else.
pub fn scores(bytes: &[u8]) -> Result<BTreeMap<&str, f32>, PickleError> {
    let dict: BTreeMap<&str, Scalar> = CONFIG.from_slice(bytes)?;
    let score = |(key, scalar): (_, Scalar)| {
        let score = f32::from_le_bytes(scalar_bytes(&scalar)?);
        // Small integers look like this when they are taken for floats.
        match score.is_subnormal() || !score.is_finite() {
            true => Err(unexpected("a score", score, "a finite 32-bit float")),
            false => Ok((key, score)),
        }
    };
    dict.into_iter().map(score).collect()
}

/// The trees of a `HistGradientBoostingRegressor`. Their leaves have the learning rate in them.
///
/// # Errors
/// When the pickle is something else.
pub fn trees(bytes: &[u8]) -> Result<TreeArrays, PickleError> {
    let regressor: Object<Regressor> = CONFIG.from_slice(bytes)?;
    expect_class(&regressor, "the pickled object", REGRESSOR)?;
    let regressor = regressor.value;
    expect("n_features_in_", regressor.n_features_in_, 108)?;
    expect("n_trees_per_iteration_", regressor.n_trees_per_iteration_, 1)?;
    let mut trees = TreeArrays {
        baseline: f64::from_le_bytes(scalar_bytes(&regressor._baseline_prediction)?),
        offsets: vec![0],
        ..TreeArrays::default()
    };
    for (predictor,) in &regressor._predictors {
        expect_class(predictor, "a predictor", PREDICTOR)?;
        for record in node_records(&predictor.value.nodes)? {
            push_node(&mut trees, record)?;
        }
        trees.offsets.push(trees.feature.len() as i32);
    }
    Ok(trees)
}

/// The nodes of a tree, after a look at what the array says of itself.
fn node_records<'a>(array: &Array<'a>) -> Result<&'a [[u8; NODE_BYTES]], PickleError> {
    expect_class(array, "an array", ARRAY)?;
    let (_, shape, dtype, _, bytes) = &array.value;
    expect_class(dtype, "an array's type", DTYPE)?;
    let (_, _, _, names, fields, size, ..) = &dtype.value;
    let names = names.as_deref().unwrap_or_default();
    let offset = |name: &&str| {
        fields
            .as_ref()
            .and_then(|fields| fields.get(name))
            .map(|(_, offset)| *offset)
    };
    let layout: Vec<_> = names
        .iter()
        .map(|name| (*name, offset(name).unwrap_or(u64::MAX)))
        .collect();
    if layout != NODE_FIELDS || *size != NODE_BYTES as i64 {
        let found = format!("{layout:?}, {size} bytes");
        return Err(unexpected(
            "a node's record",
            found,
            &format!("{NODE_FIELDS:?}, {NODE_BYTES} bytes"),
        ));
    }
    let big_endian = fields.iter().flatten().find(|(_, (dtype, _))| dtype.value.1 == ">");
    if let Some((name, _)) = big_endian {
        return Err(unexpected("a field's byte order", format!("> ({name})"), "<"));
    }
    let (records, rest) = bytes.as_chunks::<NODE_BYTES>();
    if shape[..] != [records.len() as u64] || !rest.is_empty() {
        let found = format!("{shape:?} with {} bytes", bytes.len());
        return Err(unexpected("an array's shape", found, "52 bytes a node"));
    }
    Ok(records)
}

/// Adds a node; `Trees` checks its numbers.
fn push_node(trees: &mut TreeArrays, record: &[u8; NODE_BYTES]) -> Result<(), PickleError> {
    let is_leaf = match record[45] {
        0 => false,
        1 => true,
        other => return Err(unexpected("is_leaf", other, "0 or 1")),
    };
    expect("is_categorical", record[47].into(), 0)?;
    // What is beyond i32 becomes −2, which is refused.
    let int = |offset| match is_leaf {
        true => -1,
        false => i32::try_from(u32::from_le_bytes(part(record, offset))).unwrap_or(-2),
    };
    let float = |offset| f64::from_le_bytes(part(record, offset));
    trees.feature.push(int(12));
    trees.threshold.push(if is_leaf { 0.0 } else { float(16) });
    trees.left.push(int(25));
    trees.right.push(int(29));
    trees.value.push(if is_leaf { float(0) } else { 0.0 });
    Ok(())
}

fn part<const N: usize>(record: &[u8; NODE_BYTES], offset: usize) -> [u8; N] {
    std::array::from_fn(|byte| record[offset + byte])
}

/// The bytes of a little-endian number of `N` bytes.
fn scalar_bytes<const N: usize>(scalar: &Scalar) -> Result<[u8; N], PickleError> {
    expect_class(scalar, "a number", SCALAR)?;
    let (dtype, bytes) = &scalar.value;
    expect_class(dtype, "a number's type", DTYPE)?;
    let order = dtype.value.1;
    if order != "<" {
        return Err(unexpected("a number's byte order", order, "<"));
    }
    let found = bytes.len();
    (*bytes)
        .try_into()
        .map_err(|_| unexpected("a number's size", found, &N.to_string()))
}

fn expect_class<T>(object: &Object<T>, what: &'static str, classes: &[&str]) -> Result<(), PickleError> {
    let found = object.class.as_ref().map_or("plain data", |class| class.path());
    match classes.contains(&found) {
        true => Ok(()),
        false => Err(unexpected(what, found, classes[0])),
    }
}

fn expect(what: &'static str, found: u64, needed: u64) -> Result<(), PickleError> {
    match found == needed {
        true => Ok(()),
        false => Err(unexpected(what, found, &needed.to_string())),
    }
}

fn unexpected(what: &'static str, found: impl ToString, needed: &str) -> PickleError {
    PickleError::Value {
        what,
        found: found.to_string(),
        needed: needed.into(),
    }
}
