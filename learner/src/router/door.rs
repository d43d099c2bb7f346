//! Who is let in: greeting, then, with a key, the handshake. Until then a connection has little time, few bytes and one
//! of few places, and nothing of it reaches the learner.

use super::Closed;
use super::keys::{AcceptedKeys, Found};
use super::pending::Pending;
use super::wire::{self, Reader};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use thermoflow::protocol::secure::{
    Challenge, Channel, HandshakeError, Key, KeyFileError, KeyId, KeySource, Knock, MAX_UNSEALED, Reason, Refusal,
    Rejected,
};
use thermoflow::units::Incarnation;
use thermoflow_watch::metrics::Traffic;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::warn;

/// Connections that were let in, at once. When all are taken, others are closed and may come again.
const CONNECTIONS: usize = 8192;

/// How long a peer may take until it is let in.
const ENTER_WITHIN: Duration = Duration::from_secs(5);

/// What all connections share; see the module.
#[derive(Debug)]
pub struct Door {
    run: String,
    /// None: everyone who speaks ZeroMQ is let in, which is why it listens on loopback only.
    keys: Option<Mutex<AcceptedKeys>>,
    places: Arc<Semaphore>,
    pending: Mutex<Pending<oneshot::Sender<()>>>,
    rejected: Mutex<Rejected>,
    traffic: Mutex<Traffic>,
}

/// What one has who was let in.
#[derive(Debug)]
pub(super) struct Guest {
    /// With a key: how to talk, and in the name of which actor.
    pub sealed: Option<(Channel, Incarnation)>,
    /// Given back when the connection ends.
    pub _place: OwnedSemaphorePermit,
}

impl Door {
    /// A door of this run. With `key`, only actors that have it are let in.
    ///
    /// # Errors
    /// When there is no key where one should be.
    pub fn new(run: &str, key: Option<KeySource>) -> Result<Self, KeyFileError> {
        let open = |source| AcceptedKeys::open(source, Instant::now()).map(Mutex::new);
        Ok(Self {
            run: run.into(),
            keys: key.map(open).transpose()?,
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            pending: Mutex::default(),
            rejected: Mutex::default(),
            traffic: Mutex::default(),
        })
    }

    /// What was not let in so far, or dropped later.
    pub fn rejected(&self) -> Rejected {
        *lock(&self.rejected)
    }

    /// One more of those.
    pub fn reject(&self, reason: Reason) {
        lock(&self.rejected).count(reason);
    }

    /// What passed so far.
    pub fn traffic(&self) -> Traffic {
        *lock(&self.traffic)
    }

    /// A message of so many bytes came.
    pub(super) fn received(&self, bytes: usize) {
        lock(&self.traffic).received.add(bytes);
    }

    /// A message of so many bytes was written.
    pub(super) fn sent(&self, bytes: usize) {
        lock(&self.traffic).sent.add(bytes);
    }

    /// Says what was rejected, when it is more than was `said`. Called at a limited rate: a flood of connections is no
    /// flood of lines.
    pub fn log(&self, said: &mut Rejected) {
        let rejected = self.rejected();
        if std::mem::replace(said, rejected) != rejected {
            warn!(?rejected, "connections or messages were rejected (all since the start)");
        }
    }

    /// Connection `number` waits to be let in; another one that waits may have to go for it.
    pub(super) fn ticket(self: &Arc<Self>, number: u64, ip: IpAddr) -> Ticket {
        let (tell, told) = oneshot::channel();
        // Dropping the other's end tells it.
        drop(lock(&self.pending).enter(number, ip, tell));
        let door = self.clone();
        Ticket { door, number, told }
    }

    /// Greets, and with a key does the handshake. A peer that cannot know why it is closed is told, in clear.
    async fn admit(
        &self,
        read: &mut Reader,
        write: &mut OwnedWriteHalf,
    ) -> Result<Option<(Channel, Incarnation)>, Closed> {
        wire::greet(read, write).await?;
        let Some(keys) = &self.keys else { return Ok(None) };
        let shaken = self.shake_hands(keys, read, write).await;
        if let Err(Closed::Handshake(error)) = &shaken
            && let Some(refusal) = refusal(error)
        {
            wire::say_last(read, write, &refusal.encode()).await?;
        }
        shaken.map(Some)
    }

    async fn shake_hands(
        &self,
        keys: &Mutex<AcceptedKeys>,
        read: &mut Reader,
        write: &mut OwnedWriteHalf,
    ) -> Result<(Channel, Incarnation), Closed> {
        let knock = Knock::decode(&wire::read_message(read, MAX_UNSEALED).await?)?;
        let key = find(keys, knock.key).await?;
        let challenge = Challenge::new(&self.run, rand::random());
        wire::write_message(write, &challenge.encode()).await?;
        let proof = wire::read_message(read, MAX_UNSEALED).await?;
        let (answer, channel) = challenge.accept(knock, &key, &proof)?;
        wire::write_message(write, &answer).await?;
        Ok((channel, knock.incarnation))
    }
}

/// A connection's place among those that wait.
#[derive(Debug)]
pub(super) struct Ticket {
    door: Arc<Door>,
    number: u64,
    told: oneshot::Receiver<()>,
}

impl Ticket {
    /// Lets the connection in, or says why not.
    pub async fn enter(mut self, read: &mut Reader, write: &mut OwnedWriteHalf) -> Result<Guest, Closed> {
        let sealed = tokio::select! {
            biased;
            entered = tokio::time::timeout(ENTER_WITHIN, self.door.admit(read, write)) => {
                entered.unwrap_or(Err(Closed::Slow))?
            }
            _ = &mut self.told => return Err(Closed::Crowded),
        };
        let place = self.door.places.clone().try_acquire_owned();
        Ok(Guest {
            sealed,
            _place: place.map_err(|_| Closed::Full)?,
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.door.pending).leave(self.number);
    }
}

/// The key of this name, if it is accepted; a file that was just changed is waited for.
async fn find(keys: &Mutex<AcceptedKeys>, id: KeyId) -> Result<Key, HandshakeError> {
    loop {
        let found = lock(keys).find(id, Instant::now());
        match found {
            Found::Key(key) => return Ok(key),
            Found::Unknown => return Err(HandshakeError::UnknownKey(id)),
            Found::AskAt(time) => tokio::time::sleep_until(time.into()).await,
        }
    }
}

/// What a peer is told that means well, and cannot know what is wrong.
fn refusal(error: &HandshakeError) -> Option<Refusal> {
    match error.reason() {
        Reason::Keyless | Reason::Protocol => Some(Refusal::KeyWanted),
        Reason::UnknownKey => Some(Refusal::UnknownKey),
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds this")
}
