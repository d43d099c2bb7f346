//! An ensemble of regression trees over one-hot strings: the numbers, checked, and the plain walk from root to leaf.
//!
//! Not here: fast scoring of many strings (`scorer`).

/// Letters of sEHstr's alphabet.
pub const LETTERS: usize = 18;
/// Letters of a string.
pub const LENGTH: usize = 6;
/// A leaf is a bit of a mask (`scorer`).
pub const MAX_LEAVES: usize = 32;
/// Far above the published 100; what is larger is not ours.
const MAX_TREES: usize = 10_000;

/// Trees one after the other, as flat arrays. A string's score is the baseline plus a leaf's value from every tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TreeArrays {
    /// Score before any tree.
    pub baseline: f64,
    /// `[trees + 1]`: the nodes of tree t are `offsets[t]..offsets[t + 1]`; the first one is its root.
    pub offsets: Vec<i32>,
    /// `[nodes]`: position · 18 + letter, whose one-hot feature a node looks at; −1 at leaves.
    pub feature: Vec<i32>,
    /// `[nodes]`: to the left when the feature is at most this; in [0, 1), so that 0 goes left and 1 goes right.
    pub threshold: Vec<f64>,
    /// `[nodes]`: place of the left child in its tree; −1 at leaves.
    pub left: Vec<i32>,
    /// `[nodes]`: place of the right child in its tree; −1 at leaves.
    pub right: Vec<i32>,
    /// `[nodes]`: what a leaf adds (the learning rate is in it); 0 at splits.
    pub value: Vec<f64>,
}

/// Why numbers are no trees.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TreesError {
    /// Arrays of different lengths.
    #[error("the nodes have {found} {what}, {needed} are needed")]
    Length {
        /// Which array.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Number of nodes.
        needed: usize,
    },
    /// Offsets that do not cut the nodes into trees.
    #[error("the trees' offsets must be 2 to {} numbers that rise from 0 to the {nodes} nodes", MAX_TREES + 1)]
    Offsets {
        /// Number of nodes.
        nodes: usize,
    },
    /// A baseline that is not a number.
    #[error("the baseline {0} must be finite")]
    Baseline(f64),
    /// A node that is wrong.
    #[error("node {node} of tree {tree}: {what} {found} is not allowed ({allowed})")]
    Node {
        /// The tree.
        tree: usize,
        /// The node's place in it.
        node: usize,
        /// Which number.
        what: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// More leaves than a mask has bits.
    #[error("tree {tree} has more than {MAX_LEAVES} leaves")]
    Leaves {
        /// The tree.
        tree: usize,
    },
    /// Nodes that the root does not lead to.
    #[error("the root of tree {tree} leads to {reached} of its {nodes} nodes")]
    Unreachable {
        /// The tree.
        tree: usize,
        /// How many nodes it leads to.
        reached: usize,
        /// How many there are.
        nodes: usize,
    },
}

/// Where a walk goes from a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// Nowhere: what it adds.
    Leaf(f64),
    /// Right when the letter at a position is this one, else left.
    Split {
        /// The position.
        position: usize,
        /// The letter.
        letter: usize,
        /// Left and right child: places in the tree.
        children: [usize; 2],
    },
}

/// Trees whose every number was checked: children are in range, every node is reached once, a walk ends at a leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Trees(TreeArrays);

impl Trees {
    /// Checks all numbers.
    ///
    /// # Errors
    /// Names the tree, the node and the value that is wrong.
    pub fn new(arrays: TreeArrays) -> Result<Self, TreesError> {
        let trees = Self(arrays);
        trees.check_lengths()?;
        for tree in 0..trees.len() {
            trees.check_tree(tree)?;
        }
        Ok(trees)
    }

    /// The numbers.
    pub fn arrays(&self) -> &TreeArrays {
        &self.0
    }

    /// Number of trees.
    pub fn len(&self) -> usize {
        self.0.offsets.len() - 1
    }

    /// Never true: there is at least one tree.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A node of a tree; 0 is the root.
    pub fn node(&self, tree: usize, node: usize) -> Node {
        let index = self.0.offsets[tree] as usize + node;
        match self.0.feature[index] {
            ..0 => Node::Leaf(self.0.value[index]),
            feature => Node::Split {
                position: feature as usize / LETTERS,
                letter: feature as usize % LETTERS,
                children: [self.0.left[index] as usize, self.0.right[index] as usize],
            },
        }
    }

    /// The score of a string, one node after the other: the reference for faster ways.
    pub fn walk(&self, object: &[u8]) -> f64 {
        (0..self.len()).fold(self.0.baseline, |sum, tree| sum + self.leaf(tree, object))
    }

    fn leaf(&self, tree: usize, object: &[u8]) -> f64 {
        let mut at = 0;
        loop {
            match self.node(tree, at) {
                Node::Leaf(value) => return value,
                Node::Split {
                    position,
                    letter,
                    children,
                } => at = children[usize::from(usize::from(object[position]) == letter)],
            }
        }
    }

    fn check_lengths(&self) -> Result<(), TreesError> {
        let arrays = &self.0;
        let needed = arrays.feature.len();
        let lengths = [
            ("thresholds", arrays.threshold.len()),
            ("left children", arrays.left.len()),
            ("right children", arrays.right.len()),
            ("values", arrays.value.len()),
        ];
        if let Some(&(what, found)) = lengths.iter().find(|(_, found)| *found != needed) {
            return Err(TreesError::Length { what, found, needed });
        }
        let rises = arrays.offsets.is_sorted_by(|a, b| a < b);
        let ends = arrays.offsets.first() == Some(&0) && arrays.offsets.last().map(|&end| end as usize) == Some(needed);
        if !(rises && ends && (2..=MAX_TREES + 1).contains(&arrays.offsets.len())) {
            return Err(TreesError::Offsets { nodes: needed });
        }
        match arrays.baseline.is_finite() {
            true => Ok(()),
            false => Err(TreesError::Baseline(arrays.baseline)),
        }
    }

    /// Walks to every node of a tree: numbers in range, no node reached twice or never.
    fn check_tree(&self, tree: usize) -> Result<(), TreesError> {
        let nodes = (self.0.offsets[tree + 1] - self.0.offsets[tree]) as usize;
        let mut reached = vec![false; nodes];
        let mut to_visit = vec![0];
        let mut leaves = 0;
        while let Some(node) = to_visit.pop() {
            self.check_node(tree, node, nodes)?;
            if std::mem::replace(&mut reached[node], true) {
                return Err(refuse(
                    tree,
                    node,
                    "parent",
                    "a second one",
                    "a node has one parent".into(),
                ));
            }
            match self.node(tree, node) {
                Node::Leaf(_) => leaves += 1,
                Node::Split { children, .. } => to_visit.extend(children),
            }
        }
        let reached = reached.into_iter().filter(|&reached| reached).count();
        match () {
            () if reached != nodes => Err(TreesError::Unreachable { tree, reached, nodes }),
            () if leaves > MAX_LEAVES => Err(TreesError::Leaves { tree }),
            () => Ok(()),
        }
    }

    fn check_node(&self, tree: usize, node: usize, nodes: usize) -> Result<(), TreesError> {
        let arrays = &self.0;
        let index = arrays.offsets[tree] as usize + node;
        let (feature, threshold, value) = (arrays.feature[index], arrays.threshold[index], arrays.value[index]);
        let features = (LETTERS * LENGTH) as i32;
        if !(-1..features).contains(&feature) {
            return Err(refuse(
                tree,
                node,
                "feature",
                feature,
                format!("-1 to {}", features - 1),
            ));
        }
        if !value.is_finite() {
            return Err(refuse(tree, node, "value", value, "finite numbers".into()));
        }
        if !(0.0..1.0).contains(&threshold) {
            return Err(refuse(tree, node, "threshold", threshold, "0 ≤ threshold < 1".into()));
        }
        let is_leaf = feature == -1;
        for (what, child) in [("left child", arrays.left[index]), ("right child", arrays.right[index])] {
            // A root is nobody's child.
            let is_allowed = if is_leaf {
                child == -1
            } else {
                (1..nodes as i64).contains(&child.into())
            };
            if !is_allowed {
                let allowed = if is_leaf {
                    "-1 at a leaf".into()
                } else {
                    format!("1 to {}", nodes - 1)
                };
                return Err(refuse(tree, node, what, child, allowed));
            }
        }
        Ok(())
    }
}

fn refuse(tree: usize, node: usize, what: &'static str, found: impl ToString, allowed: String) -> TreesError {
    let found = found.to_string();
    TreesError::Node {
        tree,
        node,
        what,
        found,
        allowed,
    }
}
