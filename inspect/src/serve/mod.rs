//! The page that shows runs in a browser: a server of answers in JSON on loopback, and the page itself.
//!
//! No question is answered here; the modules beside this one do that. What is read once is kept and extended as the
//! learner writes, and each request does a bounded piece of work, so the page is never kept waiting.

mod api;
mod door;
mod download;
mod grown;
mod kept;
mod live;
mod page;
mod run;

pub use door::Door;
pub use kept::Answer;
pub use run::{About, Compared, Run, Stages};

use axum::Router;
use axum::middleware::from_fn_with_state;
use std::future::{Future, IntoFuture};
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Requests that read the replay at a time; others wait for their turn. Each uses all cores.
const AT_WORK: usize = 2;

/// What is served.
pub(crate) struct Served {
    runs: Vec<Arc<Run>>,
    work: Arc<Semaphore>,
}

/// Serves runs until `shutdown`. Connections that are open then are cut.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    runs: Vec<Run>,
    door: Door,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let runs: Vec<Arc<Run>> = runs.into_iter().map(Arc::new).collect();
    let watchers: Vec<_> = runs.iter().map(|run| tokio::spawn(live::watch(run.clone()))).collect();
    let served = axum::serve(listener, app(runs, door)).into_future();
    let result = tokio::select! {
        result = served => result,
        () = shutdown => Ok(()),
    };
    watchers.iter().for_each(tokio::task::JoinHandle::abort);
    result
}

fn app(runs: Vec<Arc<Run>>, door: Door) -> Router {
    let served = Arc::new(Served {
        runs,
        work: Arc::new(Semaphore::new(AT_WORK)),
    });
    Router::new()
        .nest("/api", api::routes())
        .fallback(page::asset)
        .with_state(served)
        .layer(from_fn_with_state(Arc::new(door), door::guard))
}

#[cfg(test)]
mod tests;
