//! A page of text at `/metrics`, for whoever asks.

use crate::Listen;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::Listener;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tracing::info;

/// The text format that every Prometheus reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Connections at a time: some Prometheus servers and a person or two. Further ones wait to be accepted, so that whoever
/// opens many takes no file handles from the run.
const CONNECTIONS: usize = 16;

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
#[error("{address} cannot be listened on for metrics (--metrics-listen){}", hint(source))]
pub struct WatchError {
    address: Listen,
    source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => ": the port is in use (port 0 takes a free one)",
        io::ErrorKind::PermissionDenied => ": ports below 1024 are for privileged programs",
        io::ErrorKind::AddrNotAvailable => ": this machine has no such address",
        _ => "",
    }
}

/// A socket that listens; it answers once it [serves](Self::serve).
#[derive(Debug)]
pub struct Endpoint(TcpListener);

impl Endpoint {
    /// Listens.
    ///
    /// # Errors
    /// When that address cannot be listened on.
    pub async fn bind(listen: Listen) -> Result<Self, WatchError> {
        let bound = TcpListener::bind(listen.address()).await;
        bound.map(Self).map_err(|source| WatchError {
            address: listen,
            source,
        })
    }

    /// Answers from now on, until what is returned is dropped. It says in the log where.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn serve(self, registry: Registry) -> Serving {
        let few = Few {
            listener: self.0,
            free: Arc::new(Semaphore::new(CONNECTIONS)),
        };
        if let Ok(address) = few.local_addr() {
            info!("metrics at http://{address}/metrics");
        }
        let served = async move {
            // It never fails: what cannot be accepted is tried again.
            let _ = axum::serve(few, app(registry)).await;
        };
        Serving(tokio::spawn(served))
    }
}

/// Metrics are served as long as it lives.
#[derive(Debug)]
pub struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn app(registry: Registry) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(Arc::new(registry))
}

async fn metrics(State(registry): State<Arc<Registry>>) -> impl IntoResponse {
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("text can be written to memory");
    ([(CONTENT_TYPE, TEXT)], text)
}

/// Accepts no more than [`CONNECTIONS`] at a time.
struct Few {
    listener: TcpListener,
    free: Arc<Semaphore>,
}

impl Listener for Few {
    type Io = Held;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Held, SocketAddr) {
        let place = self.free.clone().acquire_owned().await.expect("it is never closed");
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Held { stream, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that holds one of the places.
struct Held {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn connect(address: SocketAddr, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn it_answers_when_a_place_is_free_and_no_longer_than_it_is_held() {
        let endpoint = Endpoint::bind("0".parse().unwrap()).await.unwrap();
        let address = endpoint.0.local_addr().unwrap();
        let serving = endpoint.serve(metrics::registry("test", "1.2.3"));
        let mut crowd = Vec::new();
        for _ in 0..CONNECTIONS {
            // Nothing but the beginning of a request.
            crowd.push(connect(address, b"GET ").await);
        }
        let mut asked = connect(
            address,
            b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
        .await;
        drop(crowd);
        let mut answer = String::new();
        asked.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(TEXT), "{answer}");
        let line = r#"thermoflow_build_info{program="test",version="1.2.3"} 1"#;
        assert!(answer.contains(line), "{answer}");

        let taken = Endpoint::bind(address.to_string().parse().unwrap())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            taken.contains(&format!("{address} cannot be listened on")) && taken.contains("in use"),
            "{taken}"
        );
        drop(serving);
        tokio::task::yield_now().await;
        Endpoint::bind(address.to_string().parse().unwrap()).await.unwrap();
    }
}
