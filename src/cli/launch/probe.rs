//! `thermoflow launch probe`: looks around on a compute node, and whether one reaches another. And the port that a learner
//! is to have, tried beforehand.

use super::slurm;
use crate::cli::{BadInput, sibling};
use anyhow::{Context, anyhow, bail};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thermoflow::durable;
use thermoflow::process::host_name;
use thermoflow::protocol::secure::files;

/// How long a connection may take. Within a cluster it takes milliseconds, unless something swallows packets.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How often the listening job looks for somebody.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the two say to each other, so that it is known that nobody else listens there.
const GREETING: [u8; 16] = *b"thermoflow probe";

/// Looks around on a compute node
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file in the run directory
    #[arg(long)]
    config: PathBuf,
    /// The key
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// The file that says where one listens
    #[arg(long)]
    place: PathBuf,
    /// Listen at this port, 0: a free one, until somebody connects
    #[arg(long, conflicts_with = "connect")]
    listen: Option<u16>,
    /// Connect to where the other listens
    #[arg(long)]
    connect: bool,
}

impl Args {
    pub fn run(self) -> anyhow::Result<()> {
        let host = host_name();
        readable(&self.config).map_err(|error| {
            anyhow!("{host} does not have the run directory ({error}): choose one that all nodes share")
        })?;
        if let Some(path) = &self.key_file {
            files::read(path).with_context(|| format!("{host} cannot use the key: copy the file there with scp -p"))?;
        }
        for program in ["thermoflow-learner", "thermoflow-actor", "thermoflow-relay"] {
            sibling::find(program).with_context(|| format!("on {host}"))?;
        }
        if let Some(port) = self.listen {
            let listener = listen(Ipv4Addr::UNSPECIFIED, port)?;
            greet(&listener, &self.place)?;
        }
        if self.connect {
            let Place { address, .. } = Place::read(&self.place)?;
            reach(&address).map_err(|error| {
                anyhow!(
                    "{host} does not reach {address} ({error}): the host's name must be known to all nodes, and no firewall \
                     between them; launch.port names the port that is to be let through"
                )
            })?;
        }
        Ok(())
    }
}

/// Listens where a learner would.
pub fn listen(ip: Ipv4Addr, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((ip, port)).map_err(|error| {
        let host = host_name();
        let why = match error.kind() {
            ErrorKind::AddrInUse => "is in use".to_owned(),
            _ => format!("cannot be listened on ({error})"),
        };
        BadInput(format!(
            "port {port} of {host} {why}: give the learner another (launch.port; 0 takes a free one)"
        ))
        .into()
    })
}

/// Where one listens: the host as a learner would name it, and the node as Slurm does.
pub struct Place {
    /// HOST:PORT.
    pub address: String,
    /// See there.
    pub node: String,
}

impl Place {
    /// What the listening side wrote.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let (address, node) = text.trim().split_once(' ').context("the probe wrote no address")?;
        Ok(Self {
            address: address.into(),
            node: node.into(),
        })
    }
}

/// Says where it listens, and takes the first who knows the greeting. It gives up when what it said is taken away.
fn greet(listener: &TcpListener, place: &Path) -> anyhow::Result<()> {
    let (host, port) = (host_name(), listener.local_addr()?.port());
    let node = slurm::variable("SLURMD_NODENAME").unwrap_or_else(|| host.clone());
    durable::replace(place, format!("{host}:{port} {node}\n").as_bytes())?;
    listener.set_nonblocking(true)?;
    while place.exists() {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(LOOK_EVERY);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        stream.set_nonblocking(false)?;
        // Somebody else who looks for open ports is no reason to fail.
        if heard(&mut stream).is_ok_and(|heard| heard) {
            return Ok(stream.write_all(&GREETING)?);
        }
    }
    bail!("nobody came")
}

/// Exchanges the greeting with whoever listens at `address` (`HOST:PORT`).
fn reach(address: &str) -> anyhow::Result<()> {
    let mut last = anyhow!("the name stands for no address");
    for address in address.to_socket_addrs()? {
        let tried = TcpStream::connect_timeout(&address, CONNECT_WITHIN).and_then(|mut stream| {
            stream.write_all(&GREETING)?;
            heard(&mut stream)
        });
        match tried {
            Ok(true) => return Ok(()),
            Ok(false) => last = anyhow!("somebody else answers there"),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

fn heard(stream: &mut TcpStream) -> std::io::Result<bool> {
    stream.set_read_timeout(Some(CONNECT_WITHIN))?;
    let mut bytes = [0; GREETING.len()];
    stream.read_exact(&mut bytes)?;
    Ok(bytes == GREETING)
}

fn readable(path: &Path) -> anyhow::Result<()> {
    std::fs::read(path)
        .map(drop)
        .with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = listen(Ipv4Addr::LOCALHOST, port).unwrap_err().to_string();
        assert!(
            error.contains(&format!("port {port} of ")) && error.contains("is in use"),
            "{error}"
        );
        assert!(listen(Ipv4Addr::LOCALHOST, 0).is_ok());
    }

    #[test]
    fn who_listens_is_reached_and_a_stranger_is_told_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("probe");
        let listener = listen(Ipv4Addr::LOCALHOST, 0).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let greeting = std::thread::spawn({
            let file = file.clone();
            move || greet(&listener, &file)
        });
        // A stranger comes first and says nothing.
        drop(TcpStream::connect(&address).unwrap());
        reach(&address).unwrap();
        greeting.join().unwrap().unwrap();
        let port = address.rsplit_once(':').unwrap().1;
        assert!(Place::read(&file).unwrap().address.ends_with(port));

        let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = stranger.local_addr().unwrap().to_string();
        let answer = std::thread::spawn(move || {
            let (mut stream, _) = stranger.accept().unwrap();
            stream.read_exact(&mut [0; 16]).unwrap();
            stream.write_all(&[b'x'; 16])
        });
        assert!(reach(&address).unwrap_err().to_string().contains("somebody else"));
        answer.join().unwrap().unwrap();
    }
}
