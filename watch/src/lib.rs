//! What Prometheus is shown of a program: where it listens, how numbers are named, how they are served.
//!
//! Nothing here knows what is counted; the programs do. Whoever reaches the address may read: there is no secret in a
//! metric, and none may get there.

mod endpoint;
mod listen;
pub mod metrics;

pub use endpoint::{Endpoint, Serving, WatchError};
pub use listen::Listen;
