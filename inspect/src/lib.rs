//! Questions to the replay of a run: what was found, at which β, by whom, and why the policy did it.
//!
//! Each question is a module that makes plain data; [`cli`] prints it in a terminal and `serve` shows it in a browser.

pub mod cli;
mod error;
pub mod export;
mod new_file;
pub mod query;
pub mod replay;
pub mod schema;

pub use error::InspectError;
