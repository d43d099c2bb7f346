//! Addresses on the command line, and the rule that without a key nothing leaves this machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// `tcp://HOST:PORT`, HOST a loopback address. Port 0 lets the system choose (when listening).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(SocketAddr);

/// Why an address was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address.
    #[error("{0:?} is not an address: tcp://127.0.0.1:PORT is expected (or [::1], or localhost)")]
    Syntax(String),
    /// Other machines could reach it.
    #[error(
        "{0:?} is not a loopback address: without a key, links are neither encrypted nor authenticated, so they stay on \
         this machine (127.0.0.1, [::1]). Encrypted links between machines are not available yet; until then use an \
         SSH tunnel"
    )]
    NotLoopback(String),
}

impl Address {
    /// Where to bind or connect.
    pub fn socket(self) -> SocketAddr {
        self.0
    }

    /// The same host with another port.
    pub fn with_port(self, port: u16) -> Self {
        Self(SocketAddr::new(self.0.ip(), port))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let syntax = || AddressError::Syntax(text.into());
        let rest = text.strip_prefix("tcp://").unwrap_or(text);
        if let Ok(socket) = rest.parse::<SocketAddr>() {
            return if socket.ip().is_loopback() {
                Ok(Self(socket))
            } else {
                Err(AddressError::NotLoopback(text.into()))
            };
        }
        let (host, port) = rest.rsplit_once(':').ok_or_else(syntax)?;
        let port = port.parse().map_err(|_| syntax())?;
        match host {
            "localhost" => Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))),
            "" => Err(syntax()),
            // A name or `*`: it may resolve to anything, at any time.
            _ => Err(AddressError::NotLoopback(text.into())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_allowed_and_all_else_is_refused_with_the_reason() {
        for text in ["tcp://127.0.0.1:5", "127.8.9.1:5", "tcp://[::1]:5", "localhost:5"] {
            assert_eq!(text.parse::<Address>().unwrap().socket().port(), 5, "{text}");
        }
        for text in [
            "tcp://0.0.0.0:5",
            "tcp://10.0.0.1:5",
            "tcp://[::]:5",
            "example.org:5",
            "tcp://*:5",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error, AddressError::NotLoopback(text.into()));
            assert!(
                error.to_string().contains(text) && error.to_string().contains("key"),
                "{error}"
            );
        }
        for text in [
            "",
            "tcp://",
            "127.0.0.1",
            "127.0.0.1:x",
            "127.0.0.1:70000",
            "ipc:///tmp/x",
            ":5",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        let shown = "localhost:0".parse::<Address>().unwrap().with_port(9).to_string();
        assert_eq!(shown, "tcp://127.0.0.1:9");
    }
}
