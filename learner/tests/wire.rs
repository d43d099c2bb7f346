//! A whole learner, spoken to over the wire by a hand-made actor that knows the protocol's messages only.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::path::Path;
use std::time::{Duration, Instant};
use thermoflow::config::{Mode, RawConfig, RunConfig};
use thermoflow::env::States;
use thermoflow::protocol::secure::{Challenge, Channel, Key, KeyRing, KeySource, Knock};
use thermoflow::protocol::{ActorStatus, Hello, ToActor, ToLearner, decode_to_actor, encode};
use thermoflow::replay::Store;
use thermoflow::rollout::Trajectory;
use thermoflow::task::Task;
use thermoflow::units::{Incarnation, PolicyVersion, Seq};
use thermoflow_learner::{End, LearnerError, Settings, run};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zeromq::{DealerSocket, Socket, SocketEvent, SocketRecv, SocketSend};

/// How long anything may take; ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const BATCH: u32 = 32;

fn config() -> RunConfig {
    let mut raw = RawConfig::default();
    raw.task.name = Some("tfbind8".into());
    raw.train.mode = Some(Mode::Async);
    raw.train.rounds = Some(1_000_000);
    raw.resolve().unwrap()
}

/// A learner in this process.
struct Learner {
    address: String,
    task: JoinHandle<Result<End, LearnerError>>,
    stop: oneshot::Sender<()>,
}

impl Learner {
    async fn start(dir: &Path) -> Self {
        Self::start_with(dir, None, false).await
    }

    async fn start_with(dir: &Path, key: Option<KeySource>, resume: bool) -> Self {
        let address_file = dir.join("address");
        let settings = Settings {
            config: config(),
            run_dir: dir.join("run"),
            resume,
            bind: "tcp://127.0.0.1:0".parse().unwrap(),
            advertise: None,
            key,
            address_file: Some(address_file.clone()),
            progress: false,
            metrics: None,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(run(settings, async {
            let _ = stopped.await;
        }));
        let started = Instant::now();
        let address = loop {
            match std::fs::read_to_string(&address_file) {
                Ok(text) => break text.trim().to_owned(),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
            assert!(
                started.elapsed() < PATIENCE && !task.is_finished(),
                "the learner does not start"
            );
        };
        Self { address, task, stop }
    }

    async fn stop(self) -> End {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap()
    }
}

async fn until_disconnected(events: &mut BoxStream<'static, SocketEvent>) {
    while !matches!(events.next().await, Some(SocketEvent::Disconnected(_)) | None) {}
}

/// A hand-made actor.
struct Client {
    socket: DealerSocket,
    events: BoxStream<'static, SocketEvent>,
    /// With a key.
    channel: Option<Channel>,
    incarnation: Incarnation,
}

impl Client {
    async fn connect(address: &str, incarnation: u64) -> Self {
        let mut socket = DealerSocket::new();
        let events = socket.monitor().boxed();
        socket.connect(address).await.unwrap();
        Self {
            socket,
            events,
            channel: None,
            incarnation: Incarnation(incarnation),
        }
    }

    /// Does the handshake.
    async fn with_key(mut self, key: &Key) -> Self {
        let knock = Knock {
            key: key.id(),
            incarnation: self.incarnation,
        };
        self.socket.send(knock.encode().into()).await.unwrap();
        let challenge = Challenge::decode(&self.bytes().await.unwrap()).unwrap();
        let (proof, waiting) = challenge.respond(knock, key);
        self.socket.send(proof.into()).await.unwrap();
        self.channel = Some(waiting.finish(&self.bytes().await.unwrap()).unwrap());
        self
    }

    async fn send(&mut self, message: &ToLearner) {
        let bytes = encode(message);
        let bytes = match &mut self.channel {
            Some(channel) => channel.seal(&bytes),
            None => bytes,
        };
        self.socket.send(bytes.into()).await.unwrap();
    }

    async fn receive(&mut self) -> ToActor {
        let bytes = self.bytes().await.expect("an answer");
        let bytes = match &mut self.channel {
            Some(channel) => channel.open(&bytes).unwrap(),
            None => bytes,
        };
        decode_to_actor(&bytes).unwrap()
    }

    /// What comes next, or nothing when the connection ends.
    async fn bytes(&mut self) -> Option<Vec<u8>> {
        tokio::select! {
            biased;
            message = self.socket.recv() => Some(message.unwrap().into_vec()[0].to_vec()),
            () = until_disconnected(&mut self.events) => None,
            () = tokio::time::sleep(PATIENCE) => panic!("nothing happens"),
        }
    }

    async fn say_hello(&mut self, oldest: u64) {
        let [name, host, device] = ["client", "here", "cpu"].map(String::from);
        let (incarnation, oldest) = (self.incarnation, Seq(oldest));
        self.send(&ToLearner::Hello(Hello {
            incarnation,
            oldest,
            name,
            host,
            process: 1,
            device,
        }))
        .await;
    }

    /// Says hello; returns the next trajectory's number and the weights that followed the welcome.
    async fn hello(&mut self, oldest: u64) -> (Seq, PolicyVersion) {
        self.say_hello(oldest).await;
        let ToActor::Welcome(welcome) = self.receive().await else {
            panic!("no welcome")
        };
        loop {
            if let ToActor::Weights { version, .. } = self.receive().await {
                return (welcome.next, version);
            }
        }
    }

    /// The next acknowledgement.
    async fn acknowledged(&mut self) -> Seq {
        loop {
            if let ToActor::Ack { next, .. } = self.receive().await {
                return next;
            }
        }
    }
}

/// A batch that passes every check.
fn batch(task: &Task, round: u64, policy_version: PolicyVersion) -> Vec<Trajectory> {
    let one = |index: u32| {
        let actions: Vec<u16> = (0..8)
            .map(|step| ((round + u64::from(index * step)) % 4) as u16)
            .collect();
        let mut objects = States::new(task.env.state_width());
        objects.push(&task.env.object_of(&actions).unwrap());
        let y = task.scorer.score(&objects).unwrap()[0];
        let log_reward = task.reward.log_reward(y);
        Trajectory {
            beta: 1.5,
            actions,
            y,
            log_reward,
            log_pf: -9.0,
            policy_version,
            round,
            index,
        }
    };
    (0..BATCH).map(one).collect()
}

fn stored(dir: &Path) -> u64 {
    Store::open_read_only(&dir.join("run/replay.sqlite"))
        .unwrap()
        .counts()
        .unwrap()
        .trajectories
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_on_the_disk_and_what_is_repeated_is_not_stored_twice() {
    let dir = tempfile::tempdir().unwrap();
    let learner = Learner::start(dir.path()).await;
    let task = Task::load(&config().task).unwrap();
    let mut client = Client::connect(&learner.address, 7).await;
    let (next, version) = client.hello(0).await;
    assert_eq!(next, Seq(0));
    let mut latencies = Vec::new();
    for round in 0..40 {
        let first = Seq(round * u64::from(BATCH));
        let message = ToLearner::Trajectories {
            first,
            batch: batch(&task, round, version),
        };
        let sent = Instant::now();
        client.send(&message).await;
        let end = first.0 + u64::from(BATCH);
        assert_eq!(client.acknowledged().await, Seq(end));
        latencies.push(sent.elapsed());
        assert_eq!(stored(dir.path()), end, "committed, then acknowledged");
        client.send(&message).await;
        assert_eq!(
            client.acknowledged().await,
            Seq(end),
            "a repeated batch is acknowledged again"
        );
    }
    latencies.sort_unstable();
    println!(
        "send to ack: median {:?}, slowest {:?}",
        latencies[latencies.len() / 2],
        latencies[latencies.len() - 1]
    );

    // The same actor on a new connection goes on where it was.
    let mut again = Client::connect(&learner.address, 7).await;
    assert_eq!(again.hello(40 * 32 - 5).await.0, Seq(40 * 32));
    assert_eq!(learner.stop().await, End::Stopped);
    assert_eq!(stored(dir.path()), 40 * 32, "nothing was stored twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_learner_knows_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let learner = Learner::start(dir.path()).await;
    let task = Task::load(&config().task).unwrap();
    let mut client = Client::connect(&learner.address, 7).await;
    let (first, version) = client.hello(0).await;
    let batch = batch(&task, 0, version);
    client.send(&ToLearner::Trajectories { first, batch }).await;
    client.acknowledged().await;
    assert_eq!(learner.stop().await, End::Stopped);

    std::fs::remove_file(dir.path().join("address")).unwrap();
    let learner = Learner::start_with(dir.path(), None, true).await;
    let mut client = Client::connect(&learner.address, 7).await;
    // The acknowledgement may have been lost with the learner.
    let (next, newest) = client.hello(0).await;
    assert_eq!(next, Seq(BATCH.into()), "it does not ask for it again");
    assert!(newest > version, "a version number is never used twice");
    assert_eq!(learner.stop().await, End::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_are_refused_and_harm_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let learner = Learner::start(dir.path()).await;
    let task = Task::load(&config().task).unwrap();
    let mut good = Client::connect(&learner.address, 1).await;
    let (_, version) = good.hello(0).await;

    // A stranger is asked for its name.
    let mut stranger = Client::connect(&learner.address, 2).await;
    stranger.send(&ToLearner::Heartbeat(ActorStatus::default())).await;
    assert_eq!(stranger.receive().await, ToActor::Stranger);

    // Nonsense closes the connection.
    stranger.socket.send(vec![0xff; 1000].into()).await.unwrap();

    // A trajectory that cannot be true is refused with the reason, and nothing of its batch is kept.
    let mut liar = Client::connect(&learner.address, 3).await;
    liar.hello(0).await;
    let mut lies = batch(&task, 0, version);
    lies[5].y += 0.25;
    liar.send(&ToLearner::Trajectories {
        first: Seq(0),
        batch: lies,
    })
    .await;
    loop {
        match liar.receive().await {
            ToActor::Refused { reason } => break assert!(reason.contains("log R"), "{reason}"),
            ToActor::Weights { .. } | ToActor::Heartbeat { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    // A batch that comes too early is asked for again from where it should be.
    good.send(&ToLearner::Trajectories {
        first: Seq(100),
        batch: batch(&task, 0, version),
    })
    .await;
    assert_eq!(good.acknowledged().await, Seq(0));
    good.send(&ToLearner::Trajectories {
        first: Seq(0),
        batch: batch(&task, 0, version),
    })
    .await;
    assert_eq!(good.acknowledged().await, Seq(32));
    learner.stop().await;
    assert_eq!(stored(dir.path()), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_an_actor_is_served_and_can_only_be_the_one_its_link_was_made_for() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::new([1; 32]);
    let keys = KeySource::Variable(KeyRing::new(key.clone()));
    let learner = Learner::start_with(dir.path(), Some(keys), false).await;
    let task = Task::load(&config().task).unwrap();
    let mut client = Client::connect(&learner.address, 7).await.with_key(&key).await;
    let (_, version) = client.hello(0).await;
    let message = ToLearner::Trajectories {
        first: Seq(0),
        batch: batch(&task, 0, version),
    };
    client.send(&message).await;
    assert_eq!(client.acknowledged().await, Seq(32));

    let mut other = Client::connect(&learner.address, 8).await.with_key(&key).await;
    other.incarnation = Incarnation(7);
    other.say_hello(0).await;
    assert_eq!(other.bytes().await, None, "the link is closed");
    client.send(&message).await;
    assert_eq!(
        client.acknowledged().await,
        Seq(32),
        "the one whose name it was goes on"
    );
    learner.stop().await;
}
