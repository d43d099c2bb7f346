//! The router against real DEALER sockets of the `zeromq` crate, and against peers that mean no good.

use super::*;
use std::time::Instant;
use thermoflow::protocol::secure::{
    Challenge, Channel, Key, KeyRing, KeySource, Knock, MAX_UNSEALED, Refusal, files, overhead,
};
use thermoflow::protocol::{MAX_TO_LEARNER, ToLearner, WireError, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend};

/// Ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const ACTOR: Incarnation = Incarnation(7);

struct Site {
    router: Router,
    address: Address,
}

async fn site(key: Option<KeySource>) -> Site {
    let bound = Bound::new(&"tcp://127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = bound.address().clone();
    let router = bound.open(Door::new("run", key).unwrap());
    Site { router, address }
}

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

async fn keyed() -> Site {
    site(Some(KeySource::Variable(KeyRing::new(key(1))))).await
}

impl Site {
    async fn next(&mut self) -> Incoming {
        tokio::time::timeout(PATIENCE, self.router.next())
            .await
            .expect("something happens")
    }

    async fn opened(&mut self) -> (Route, Option<Incarnation>, mpsc::Sender<Outgoing>) {
        match self.next().await {
            Incoming::Opened(route, incarnation, sender) => (route, incarnation, sender),
            other => panic!("{other:?}"),
        }
    }

    async fn message(&mut self) -> Vec<u8> {
        match self.next().await {
            Incoming::Message(_, bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    async fn dealer(&self) -> DealerSocket {
        let mut dealer = DealerSocket::new();
        dealer.connect(&self.address.to_string()).await.unwrap();
        dealer
    }

    /// Sends raw bytes and returns what came back once the router has closed the connection.
    async fn closed_after(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address.authority()).await.unwrap();
        // The router may close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .expect("it is closed");
        answer
    }

    async fn until_rejected(&self, condition: impl Fn(Rejected) -> bool) {
        let start = Instant::now();
        while !condition(self.router.rejected()) {
            assert!(start.elapsed() < PATIENCE, "{:?}", self.router.rejected());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn receive(dealer: &mut DealerSocket) -> Vec<u8> {
    let message = tokio::time::timeout(PATIENCE, dealer.recv()).await.expect("an answer");
    message.unwrap().into_vec()[0].to_vec()
}

/// An actor's side of the handshake, over a real socket.
async fn shake_hands(dealer: &mut DealerSocket, key: Key) -> Result<Channel, HandshakeError> {
    let knock = Knock {
        key: key.id(),
        incarnation: ACTOR,
    };
    dealer.send(knock.encode().into()).await.unwrap();
    let challenge = Challenge::decode(&receive(dealer).await)?;
    let (proof, waiting) = challenge.respond(knock, &key);
    dealer.send(proof.into()).await.unwrap();
    waiting.finish(&receive(dealer).await)
}

/// What a DEALER says before its first message.
fn hello() -> Vec<u8> {
    let mut ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER".to_vec();
    ready.splice(..0, [4, ready.len() as u8]);
    [&zmtp::greeting()[..], &ready].concat()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&zmtp::message_header(message.len())[..], message].concat()
}

#[tokio::test]
async fn dealers_are_served_and_closed() {
    let mut site = site(None).await;
    let mut dealer = site.dealer().await;
    let (route, incarnation, sender) = site.opened().await;
    assert_eq!(incarnation, None);
    for size in [0, 1, 255, 256, 1 << 20] {
        dealer.send(vec![7; size].into()).await.unwrap();
        match site.next().await {
            Incoming::Message(from, bytes) => assert_eq!((from, bytes), (route.clone(), vec![7; size])),
            other => panic!("{other:?}"),
        }
        sender.send(Outgoing::Message(vec![9; size])).await.unwrap();
        assert_eq!(receive(&mut dealer).await, vec![9; size]);
    }
    // What was queued before the sender was dropped still arrives.
    sender.send(Outgoing::Message(b"bye".to_vec())).await.unwrap();
    drop(sender);
    assert_eq!(receive(&mut dealer).await, b"bye");
    assert!(matches!(site.next().await, Incoming::Closed(from) if from == route));
}

#[tokio::test]
async fn with_a_key_messages_are_sealed_both_ways() {
    let mut site = keyed().await;
    let mut dealer = site.dealer().await;
    let (channel, opened) = tokio::join!(shake_hands(&mut dealer, key(1)), site.opened());
    let (mut channel, (_, incarnation, sender)) = (channel.unwrap(), opened);
    assert_eq!(incarnation, Some(ACTOR));
    for size in [0, 1, 70_000, 1 << 20, MAX_TO_LEARNER] {
        dealer.send(channel.seal(&vec![7; size]).into()).await.unwrap();
        assert_eq!(site.message().await, vec![7; size]);
        sender.send(Outgoing::Message(vec![9; size])).await.unwrap();
        let sealed = receive(&mut dealer).await;
        assert_eq!(sealed.len(), size + overhead(size));
        assert_eq!(channel.open(&sealed).unwrap(), vec![9; size]);
    }
    assert_eq!(site.router.rejected(), Rejected::default());
}

#[tokio::test]
async fn what_does_not_open_is_dropped_counted_and_in_the_end_too_much() {
    let mut site = keyed().await;
    let mut dealer = site.dealer().await;
    let (channel, (route, _, _sender)) = tokio::join!(shake_hands(&mut dealer, key(1)), site.opened());
    let mut channel = channel.unwrap();
    let sealed = channel.seal(b"once");
    for _ in 0..3 {
        dealer.send(sealed.clone().into()).await.unwrap();
    }
    dealer.send(encode(&ToLearner::Goodbye).into()).await.unwrap();
    let mut forged = channel.seal(b"forged");
    *forged.last_mut().unwrap() ^= 1;
    dealer.send(forged.into()).await.unwrap();
    dealer.send(channel.seal(b"more").into()).await.unwrap();
    assert_eq!(site.message().await, b"once");
    assert_eq!(site.message().await, b"more", "nothing of the rest came through");
    let rejected = Rejected {
        replayed: 2,
        keyless: 1,
        forged: 1,
        ..Rejected::default()
    };
    assert_eq!(site.router.rejected(), rejected);
    for _ in 0..12 {
        dealer.send(sealed.clone().into()).await.unwrap();
    }
    assert!(matches!(site.next().await, Incoming::Closed(from) if from == route));
}

#[tokio::test]
async fn an_actor_without_the_right_key_is_told_and_never_let_in() {
    let mut site = keyed().await;
    let mut stranger = site.dealer().await;
    let refused = shake_hands(&mut stranger, key(2)).await.unwrap_err();
    assert_eq!(refused, HandshakeError::Wire(WireError::Refusal(Refusal::UnknownKey)));
    let mut keyless = site.dealer().await;
    keyless.send(encode(&ToLearner::Goodbye).into()).await.unwrap();
    assert_eq!(receive(&mut keyless).await, Refusal::KeyWanted.encode());
    let mut old = site.dealer().await;
    old.send(b"TF\x00\x00".to_vec().into()).await.unwrap();
    assert_eq!(receive(&mut old).await[2], thermoflow::protocol::PROTOCOL);
    // It knows the key's name and not the key.
    let mut impostor = site.dealer().await;
    let knock = Knock {
        key: key(1).id(),
        incarnation: ACTOR,
    };
    impostor.send(knock.encode().into()).await.unwrap();
    let challenge = Challenge::decode(&receive(&mut impostor).await).unwrap();
    impostor.send(challenge.respond(knock, &key(2)).0.into()).await.unwrap();
    site.until_rejected(|rejected| rejected.forged == 1).await;
    drop((stranger, keyless, old));
    site.until_rejected(|r| (r.unknown_key, r.keyless, r.protocol) == (1, 1, 1))
        .await;
    // The first that comes up is the honest one.
    let mut dealer = site.dealer().await;
    let (channel, (_, incarnation, _)) = tokio::join!(shake_hands(&mut dealer, key(1)), site.opened());
    assert!(channel.is_ok() && incarnation == Some(ACTOR));
}

#[tokio::test]
async fn a_key_that_is_new_in_the_file_is_accepted_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let ring = KeyRing::new(key(1));
    files::create(&path, &ring).unwrap();
    let mut site = site(Some(KeySource::File(path.clone()))).await;
    files::replace(&path, &ring.rotated(key(2))).unwrap();
    let mut dealers = Vec::new();
    for byte in [2, 1] {
        let mut dealer = site.dealer().await;
        let (channel, opened) = tokio::join!(shake_hands(&mut dealer, key(byte)), site.opened());
        channel.unwrap();
        dealers.push((dealer, opened));
    }
}

/// What port scanners, browsers and worse send, closes their connection and nothing else.
#[tokio::test]
async fn hostile_peers_are_closed_and_others_served() {
    let huge = [2, 0x7f, 255, 255, 255, 255, 255, 255, 255];
    let long = framed(&[0; MAX_UNSEALED + 1]);
    let http = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    let huge_command = [&zmtp::greeting()[..], &[6], &huge[1..]].concat();
    let old_zmtp = [&zmtp::greeting()[..10], &[1; 54]].concat();
    for (mut site, has_key) in [(site(None).await, false), (keyed().await, true)] {
        for bytes in [&http, &huge_command, &old_zmtp] {
            site.closed_after(bytes).await;
        }
        let many_parts = [1, 1, b'x'];
        for bytes in [&huge[..], &many_parts] {
            site.closed_after(&[&hello()[..], bytes].concat()).await;
            if !has_key {
                site.opened().await;
                assert!(matches!(site.next().await, Incoming::Closed(_)));
            }
        }
        if has_key {
            site.closed_after(&[&hello()[..], &long].concat()).await;
        }
        let malformed = if has_key { 4 } else { 3 };
        site.until_rejected(|r| (r.foreign, r.protocol, r.malformed) == (1, 1, malformed))
            .await;
        // The next that comes up is the honest one.
        let mut dealer = site.dealer().await;
        if has_key {
            let (channel, _) = tokio::join!(shake_hands(&mut dealer, key(1)), site.opened());
            channel.unwrap();
        } else {
            site.opened().await;
        }
    }
}

/// Thousands of connections that say nothing, nonsense, or half of a handshake; an honest actor goes on being served,
/// and a new one gets in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_strangers_stops_nobody() {
    let mut site = keyed().await;
    let mut honest = site.dealer().await;
    let (channel, (.., sender)) = tokio::join!(shake_hands(&mut honest, key(1)), site.opened());
    let mut channel = channel.unwrap();
    let authority = site.address.authority();
    let flood = tokio::spawn(async move {
        let knock = Knock {
            key: key(1).id(),
            incarnation: ACTOR,
        };
        let half = [&hello()[..], &framed(&knock.encode())].concat();
        let nonsense = [b"\xff".as_slice(), &[7; 500]].concat();
        let mut held = std::collections::VecDeque::new();
        for number in 0..3000 {
            let Ok(mut stream) = TcpStream::connect(&authority).await else {
                continue;
            };
            let bytes: &[u8] = [&[], &half[..], &nonsense][number % 3];
            let _ = stream.write_all(bytes).await;
            held.push_back(stream);
            // Many at once, but fewer than the test's own process may have open.
            if held.len() > 300 {
                held.pop_front();
            }
        }
        held
    });
    let mut served = 0;
    while !flood.is_finished() {
        honest.send(channel.seal(&[1; 1000]).into()).await.unwrap();
        assert_eq!(site.message().await, [1; 1000], "nothing of strangers comes up");
        sender.send(Outgoing::Message(vec![2; 1000])).await.unwrap();
        assert_eq!(channel.open(&receive(&mut honest).await).unwrap(), [2; 1000]);
        served += 1;
    }
    let _held = flood.await.unwrap();
    assert!(served > 10, "{served}");
    let rejected = site.router.rejected();
    assert!(rejected.crowded > 500 && rejected.foreign > 500, "{rejected:?}");
    let mut late = site.dealer().await;
    let (channel, _) = tokio::join!(shake_hands(&mut late, key(1)), site.opened());
    assert!(
        channel.is_ok(),
        "a new one gets in while strangers still hold their connections"
    );
}

#[tokio::test]
async fn a_peer_that_leaves_is_noticed_and_one_that_does_not_read_holds_up_nobody() {
    let mut site = site(None).await;
    let deaf = site.dealer().await;
    let (route, _, sender) = site.opened().await;
    // Far more than the kernel buffers: the queue fills and says so at once.
    let message = || Outgoing::Message(vec![0; 128 << 10]);
    let stuck = (0..2 * OUTGOING).any(|_| sender.try_send(message()).is_err());
    assert!(stuck, "a full queue is reported");
    drop(deaf);
    assert!(matches!(site.next().await, Incoming::Closed(from) if from == route));
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let site = site(None).await;
    let error = Bound::new(&site.address).await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
