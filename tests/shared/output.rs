//! What a program says in all, waited for with patience, so that a test of a program that hangs ends.

use super::processes::signal;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long a program may run. Nothing is asserted about time.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a command says that gets no input.
pub fn of(command: &mut Command) -> Output {
    let piped = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    of_child(piped.spawn().expect("the program starts"))
}

/// What a program that was started says on those of its pipes that nobody else has taken.
pub fn of_child(child: Child) -> Output {
    within(PATIENCE, child)
}

/// The same for a program with more to do. It is killed after that time.
pub fn within(patience: Duration, child: Child) -> Output {
    let pid = child.id();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = ended.recv_timeout(patience).unwrap_or_else(|_| {
        signal("-KILL", pid);
        panic!("still running after {patience:?}");
    });
    output.expect("its output can be read")
}
