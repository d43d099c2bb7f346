//! What anyone may say to the router, as a function of bytes, for `fuzz/` and a test. Not in the programs.

use super::zmtp::{self, Frame, GREETING};
use std::ops::ControlFlow;
use thermoflow::protocol::secure::MAX_UNSEALED;

/// The bytes of a connection: greeting, READY, messages. Reads them as `wire` does, and panics when a header asks for more
/// than a header has or lets a longer message through than allowed.
pub fn zmtp(bytes: &[u8]) {
    let _ = read(bytes);
    // Each part by itself, so that an input need not get the parts before right.
    let _ = zmtp::check_ready(bytes);
    let mut rest = bytes;
    while let Some(Frame::Message(length) | Frame::Command(length)) = header(&mut rest) {
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn read(bytes: &[u8]) -> Option<()> {
    let (greeting, mut rest) = bytes.split_first_chunk::<GREETING>()?;
    zmtp::check_greeting(greeting).ok()?;
    let Frame::Command(length) = header(&mut rest)? else {
        return None;
    };
    zmtp::check_ready(rest.get(..length)?).ok()
}

fn header(rest: &mut &[u8]) -> Option<Frame> {
    let mut have = 0;
    loop {
        match zmtp::frame(&rest[..have], MAX_UNSEALED as u64).ok()? {
            ControlFlow::Continue(needed) => {
                assert!(have < needed && needed <= 9, "{needed} bytes of a header after {have}");
                rest.get(..needed)?;
                have = needed;
            }
            ControlFlow::Break(frame) => {
                let (Frame::Message(length) | Frame::Command(length)) = frame;
                assert!(length <= MAX_UNSEALED);
                *rest = &rest[have..];
                return Some(frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// As `hostile` of the core does for its targets.
    #[test]
    fn every_seed_is_survived() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/zmtp");
        let seeds: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|seed| seed.unwrap().path())
            .collect();
        assert!(!seeds.is_empty());
        for seed in seeds {
            eprintln!("{}", seed.display());
            zmtp(&fs::read(&seed).unwrap());
        }
    }

    /// Makes the seeds anew: `cargo test --release -- --ignored write_the_seeds`
    #[test]
    #[ignore = "writes into the repository"]
    fn write_the_seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/zmtp");
        fs::create_dir_all(&folder).unwrap();
        let dealer = b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0";
        let message = [&zmtp::message_header(4)[..], b"TF\x01\x00"].concat();
        let whole = [&zmtp::greeting()[..], dealer, &message, b"\x00\x04TF\x01\x05"].concat();
        for (name, bytes) in [
            ("connection", &whole[..]),
            ("greeting", &zmtp::greeting()),
            ("router-ready", &zmtp::ready()),
            ("dealer-ready", dealer),
            ("ready-body", &dealer[2..]),
            ("message", &message),
            ("giant", b"\x02\xff\xff\xff\xff\xff\xff\xff\xff"),
            ("http", b"GET / HTTP/1.1\r\nHost: learner\r\n\r\n"),
        ] {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}
