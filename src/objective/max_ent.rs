//! Maximum entropy: trajectory balance with P_B uniform over the distinct parents, not learned (METHOD.md, Other
//! objectives).

use super::{ObjectiveKind, trajectory_balance};

/// Trajectory balance with a uniform P_B.
pub const KIND: ObjectiveKind = ObjectiveKind {
    name: "maxent",
    summary: "trajectory balance with P_B uniform over the parents",
    uniform_backward: true,
    ..trajectory_balance::KIND
};
