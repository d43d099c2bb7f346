//! `serve` as a program: where it listens, what it refuses, how it ends. Its answers are tested beside the code, the page
//! in `inspect/web/e2e`.

use super::example::Example;
use super::processes::{error_line, signal};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A server that has said where it is.
struct Server {
    child: Child,
    said: BufReader<ChildStdout>,
    line: String,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        Self { child, said, line }
    }

    /// Ctrl-C.
    fn stop(mut self) {
        signal("-INT", self.child.id());
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        assert_eq!((self.child.wait().unwrap().code(), rest.as_str()), (Some(0), ""));
    }
}

#[test]
fn it_says_where_it_is_and_ends_with_ctrl_c() {
    let example = Example::new(2);
    let server = Server::start(&mut example.command("serve RUN --bind 127.0.0.1:0"));
    assert!(
        server.line.starts_with("http://127.0.0.1:") && !server.line.contains("token"),
        "{}",
        server.line
    );
    server.stop();
}

#[test]
fn a_token_is_asked_for_beyond_loopback_and_where_it_is_wanted() {
    let example = Example::new(2);
    for arguments in ["serve RUN --bind 0.0.0.0:0", "serve RUN --bind 127.0.0.1:0 --token"] {
        let server = Server::start(&mut example.command(arguments));
        let token = server
            .line
            .split("/?token=")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        assert!(token.is_some_and(|token| token.len() == 32), "{}", server.line);
        server.stop();
        let mut own = example.command(arguments);
        let server = Server::start(own.env("THERMOFLOW_TOKEN", "0123456789abcdef"));
        assert!(server.line.contains("?token=0123456789abcdef "), "{}", server.line);
        server.stop();
    }
}

#[test]
fn what_cannot_be_served_is_said_in_a_line() {
    let example = Example::new(2);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    example.assert_refused(
        &format!("serve RUN --bind {address}"),
        2,
        &[&address, "is in use: choose another"],
    );
    example.assert_refused(
        "serve RUN --bind 192.0.2.1:0",
        2,
        &["192.0.2.1:0 is no address of this machine"],
    );
    example.assert_refused("serve OUT", 2, &["neither a run directory nor a replay.sqlite"]);
    let mut short = example.command("serve RUN --token --bind 127.0.0.1:0");
    let output = short.env("THERMOFLOW_TOKEN", "short").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        error_line(&stderr).contains("THERMOFLOW_TOKEN must be letters and digits"),
        "{stderr}"
    );
}
