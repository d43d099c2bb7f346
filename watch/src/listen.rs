//! Where metrics are asked for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on, as on the command line: `9464` (loopback), `127.0.0.1:9464`, `[::]:9464`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(SocketAddr);

/// Text that is no address.
#[derive(Debug, thiserror::Error)]
#[error(
    "PORT (on loopback) or ADDRESS:PORT is allowed, for example 9464, 0.0.0.0:9464 or [::1]:9464; port 0 takes a free one"
)]
pub struct NoAddress;

impl Listen {
    /// The address.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for Listen {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Ok(port) = text.parse() {
            return Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        text.parse().map(Self).map_err(|_| NoAddress)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_on_loopback_and_nonsense_is_refused() {
        let address = |text: &str| text.parse::<Listen>().map(|listen| listen.to_string());
        assert_eq!(address("9464").unwrap(), "127.0.0.1:9464");
        assert_eq!(address("0.0.0.0:0").unwrap(), "0.0.0.0:0");
        assert_eq!(address("[::1]:9464").unwrap(), "[::1]:9464");
        for nonsense in ["", "65536", "-1", "node-7:9464", "tcp://127.0.0.1:9464", "127.0.0.1"] {
            let error = address(nonsense).unwrap_err().to_string();
            assert!(error.contains("ADDRESS:PORT is allowed"), "{nonsense}: {error}");
        }
    }
}
