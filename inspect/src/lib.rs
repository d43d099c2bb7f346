//! Questions to the replay of a run: what was found, at which β, by whom, and why the policy did it.
//!
//! Each question is a module that makes plain data; [`cli`] prints it in a terminal and `serve` shows it in a browser.

pub mod batches;
pub mod bench;
pub mod cli;
pub mod compact;
pub mod compare;
mod error;
pub mod export;
pub mod figure;
pub mod groups;
pub mod histogram;
mod lookup;
pub mod losses;
pub mod merge;
pub mod modes;
mod new_file;
pub mod query;
pub mod replay;
pub mod scatter;
pub mod schema;
pub mod serve;
pub mod show;
pub mod sketch;
pub mod summary;
mod tally;
pub mod timeline;
pub mod top;
pub mod verify;

pub use error::InspectError;
#[cfg(test)]
pub(crate) mod tests;
