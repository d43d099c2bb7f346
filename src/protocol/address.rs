//! Addresses on the command line, and the rule that without a key nothing leaves this machine. Names are not resolved
//! here: whoever connects does that, anew each time.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `tcp://HOST:PORT`. Port 0 lets the system choose (when listening).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: Host,
    port: u16,
}

/// A machine, or one of its networks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    /// Kept as it is: what it resolves to may change.
    Name(String),
}

/// Why an address was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address.
    #[error("{0:?} is not an address: tcp://HOST:PORT is expected, HOST a name, 127.0.0.1, [::1] …")]
    Syntax(String),
    /// Other machines are involved, and there is no key.
    #[error(
        "{0} is not a loopback address, and without a key links stay on this machine (127.0.0.1, [::1], localhost): make \
         a key with `thermoflow key new PATH` and give it to the learner and all actors (--key-file PATH, or the \
         environment variable THERMOFLOW_KEY)"
    )]
    NoKey(Address),
    /// Nobody is there.
    #[error("{0} is where one listens, not where one connects: give the host of the learner")]
    Wildcard(Address),
}

impl Address {
    /// The same host with another port.
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Where actors are to connect if one listens here: `advertised` in place of all networks at once.
    ///
    /// # Errors
    /// When `advertised` is no host.
    pub fn advertised(&self, advertised: &str) -> Result<Self, AddressError> {
        let host = Host::parse(advertised).ok_or_else(|| AddressError::Syntax(advertised.into()))?;
        let port = self.port;
        Ok(Self { host, port })
    }

    /// True for all networks at once.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host, Host::Ip(ip) if ip.is_unspecified())
    }

    /// Invariant: without a key nothing but loopback is listened on or connected to.
    ///
    /// # Errors
    /// When there is no key and other machines are, or may be, involved.
    pub fn check_key(&self, has_key: bool) -> Result<(), AddressError> {
        // A name may resolve to anything, at any time.
        let is_loopback = matches!(self.host, Host::Ip(ip) if ip.is_loopback());
        if has_key || is_loopback {
            Ok(())
        } else {
            Err(AddressError::NoKey(self.clone()))
        }
    }

    /// For who connects; see also [`Self::check_key`].
    ///
    /// # Errors
    /// When it is a wildcard.
    pub fn check_connect(&self) -> Result<(), AddressError> {
        match self.is_wildcard() {
            true => Err(AddressError::Wildcard(self.clone())),
            false => Ok(()),
        }
    }

    /// `HOST:PORT`, for the system to resolve.
    pub fn authority(&self) -> String {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => format!("{ip}:{}", self.port),
            Host::Name(name) => format!("{name}:{}", self.port),
        }
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(ip) = bracketed.or(Some(text)).and_then(|text| text.parse::<Ipv6Addr>().ok()) {
            return Some(Self::Ip(ip.into()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        match text {
            "localhost" => Some(Self::Ip(Ipv4Addr::LOCALHOST.into())),
            // As ZeroMQ's users write it.
            "*" => Some(Self::Ip(Ipv4Addr::UNSPECIFIED.into())),
            _ => is_name(text).then(|| Self::Name(text.into())),
        }
    }
}

/// A host name as the DNS has them; one that looks like a number is none, and a mistyped address more likely.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(is_label) && !last.bytes().all(|b| b.is_ascii_digit())
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let syntax = || AddressError::Syntax(text.into());
        let rest = text.strip_prefix("tcp://").unwrap_or(text);
        let (host, port) = rest.rsplit_once(':').ok_or_else(syntax)?;
        let port = port.parse().map_err(|_| syntax())?;
        // Without brackets the port of an IPv6 address could be its last group.
        let host = (!host.contains(':') || host.starts_with('['))
            .then(|| Host::parse(host))
            .flatten();
        let host = host.ok_or_else(syntax)?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_read_and_shown_and_names_stay_names() {
        for (text, shown) in [
            ("tcp://127.0.0.1:5", "tcp://127.0.0.1:5"),
            ("127.8.9.1:5", "tcp://127.8.9.1:5"),
            ("tcp://[::1]:5", "tcp://[::1]:5"),
            ("localhost:5", "tcp://127.0.0.1:5"),
            ("tcp://*:5", "tcp://0.0.0.0:5"),
            ("learner.example:5", "tcp://learner.example:5"),
            ("tcp://node-7:5", "tcp://node-7:5"),
        ] {
            assert_eq!(address(text).to_string(), shown);
            assert_eq!(address(shown), address(text));
        }
        for text in [
            "",
            "tcp://",
            "127.0.0.1",
            "127.0.0.1:x",
            "127.0.0.1:70000",
            "ipc:///tmp/x",
            ":5",
            "::1:5",
            "[::1:5",
            "256.0.0.1:5",
            "a b:5",
            "-a:5",
            "a..b:5",
            "user@host:5",
        ] {
            assert_eq!(
                text.parse::<Address>(),
                Err(AddressError::Syntax(text.into())),
                "{text}"
            );
        }
    }

    #[test]
    fn without_a_key_only_loopback_is_allowed_and_the_refusal_says_how_to_make_one() {
        for text in ["tcp://127.0.0.1:5", "127.8.9.1:5", "tcp://[::1]:5", "localhost:5"] {
            address(text).check_key(false).unwrap();
        }
        for text in [
            "tcp://0.0.0.0:5",
            "tcp://10.0.0.1:5",
            "tcp://[::]:5",
            "tcp://example.org:5",
            "tcp://[::ffff:10.0.0.1]:5",
        ] {
            let error = address(text).check_key(false).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("thermoflow key new"), "{error}");
            address(text).check_key(true).unwrap();
        }
    }

    #[test]
    fn a_wildcard_is_advertised_by_another_name_and_not_connected_to() {
        for text in ["tcp://0.0.0.0:5", "tcp://[::]:5"] {
            assert!(address(text).is_wildcard() && address(text).check_connect().is_err());
            let shown = |host| address(text).advertised(host).unwrap().to_string();
            assert_eq!(shown("learner"), "tcp://learner:5");
            assert_eq!(shown("::1"), "tcp://[::1]:5");
            assert!(address(text).advertised("a:5").is_err());
        }
        assert!(!address("10.0.0.1:5").is_wildcard() && address("10.0.0.1:5").check_connect().is_ok());
    }
}
