//! `thermoflow bench replay`: how long questions to a replay take, how much memory they need, and what a reader costs a
//! learner that writes meanwhile. Each is a process of its own, because a process tells only its own peak of memory.

mod beside;
mod load;
mod make;
mod process;
mod report;

pub use beside::{Polling, Writing, poll, write};
pub use load::Load;
pub use make::make;
pub use report::{Beside, Question, Report, Settings, Writer, make_apart, measure};
