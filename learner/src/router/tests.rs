//! The router against real DEALER sockets of the `zeromq` crate, and against peers that mean no good.

use super::*;
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend};

async fn bound() -> Router {
    Router::bind("tcp://127.0.0.1:0".parse().unwrap()).await.unwrap()
}

async fn next(router: &mut Router) -> Incoming {
    tokio::time::timeout(Duration::from_secs(20), router.next())
        .await
        .expect("something happens")
}

async fn opened(router: &mut Router) -> (Route, mpsc::Sender<Outgoing>) {
    match next(router).await {
        Incoming::Opened(route, sender) => (route, sender),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn dealers_are_served_and_closed() {
    let mut router = bound().await;
    let mut dealer = DealerSocket::new();
    dealer.connect(&router.address().to_string()).await.unwrap();
    let (route, sender) = opened(&mut router).await;
    for size in [0, 1, 255, 256, 1 << 20] {
        dealer.send(vec![7; size].into()).await.unwrap();
        match next(&mut router).await {
            Incoming::Message(from, bytes) => assert_eq!((from, bytes), (route.clone(), vec![7; size])),
            other => panic!("{other:?}"),
        }
        sender.send(Arc::new(vec![9; size])).await.unwrap();
        assert_eq!(dealer.recv().await.unwrap().into_vec()[0].to_vec(), vec![9; size]);
    }
    // What was queued before the sender was dropped still arrives.
    sender.send(Arc::new(b"bye".to_vec())).await.unwrap();
    drop(sender);
    assert_eq!(dealer.recv().await.unwrap().into_vec()[0].to_vec(), b"bye");
    assert!(matches!(next(&mut router).await, Incoming::Closed(from) if from == route));
}

/// Sends raw bytes after our greeting and returns once the router has closed the connection.
async fn closed_after(router: &Router, bytes: &[u8]) {
    let mut stream = TcpStream::connect(router.address().socket()).await.unwrap();
    // The router may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer))
        .await
        .expect("it is closed");
}

#[tokio::test]
async fn hostile_peers_are_closed_and_others_served() {
    let mut router = bound().await;
    let mut ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER".to_vec();
    ready.splice(..0, [4, ready.len() as u8]);
    let hello = [&zmtp::greeting()[..], &ready].concat();
    let huge_frame = [&hello[..], &[2, 0x7f, 255, 255, 255, 255, 255, 255, 255]].concat();
    let many_parts = [&hello[..], &[1, 1, b'x']].concat();
    let huge_command = [&zmtp::greeting()[..], &[6, 0x7f, 255, 255, 255, 255, 255, 255, 255]].concat();
    for (bytes, greeted) in [
        (
            b"GET / HTTP/1.1\r\nHost: here\r\n\r\n0123456789012345678901234567890123456789".to_vec(),
            false,
        ),
        (huge_command, false),
        (huge_frame, true),
        (many_parts, true),
    ] {
        closed_after(&router, &bytes).await;
        if greeted {
            opened(&mut router).await;
        }
        assert!(matches!(next(&mut router).await, Incoming::Closed(_)));
    }
    let mut dealer = DealerSocket::new();
    dealer.connect(&router.address().to_string()).await.unwrap();
    opened(&mut router).await;
}

#[tokio::test]
async fn a_peer_that_leaves_is_noticed_and_one_that_does_not_read_holds_up_nobody() {
    let mut router = bound().await;
    let mut deaf = DealerSocket::new();
    deaf.connect(&router.address().to_string()).await.unwrap();
    let (route, sender) = opened(&mut router).await;
    // Far more than the kernel buffers: the queue fills and says so at once.
    let message = Arc::new(vec![0; 4 << 20]);
    let stuck = (0..2 * OUTGOING).any(|_| sender.try_send(message.clone()).is_err());
    assert!(stuck, "a full queue is reported");
    drop(deaf);
    assert!(matches!(next(&mut router).await, Incoming::Closed(from) if from == route));
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let router = bound().await;
    let error = Router::bind(router.address()).await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
