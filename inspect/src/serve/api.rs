//! Addresses and their answers: arguments in, JSON out.

use super::Served;
use super::download::{self, Wanted as Download};
use super::kept::Answer;
use super::live::Live;
use super::run::{Compared, Run};
use crate::InspectError;
use crate::groups::By;
use crate::histogram::Quantity;
use crate::show::Id;
use crate::top::{Sort, Wanted};
use axum::extract::{FromRequestParts, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::Arc;
use thermoflow::replay::StoreError;
use tokio::task::spawn_blocking;

/// Rows of a page, at most.
const MOST_ROWS: usize = 1000;

/// Bins of a histogram, at most.
const MOST_BINS: usize = 500;

type Shared = State<Arc<Served>>;

pub fn routes() -> Router<Arc<Served>> {
    Router::new()
        .route("/runs", get(runs))
        .route("/summary", get(summary))
        .route("/scatter", get(scatter))
        .route("/histogram", get(histogram))
        .route("/timeline", get(timeline))
        .route("/losses", get(losses))
        .route("/top", get(top))
        .route("/trajectory", get(trajectory))
        .route("/compare", get(compare))
        .route("/export", get(export))
        .route("/live", get(live))
        .fallback(async || Refused(StatusCode::NOT_FOUND, "there is no such answer".into()))
}

/// Which trajectories of which run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Of {
    run: usize,
    #[serde(rename = "where")]
    condition: String,
}

impl Of {
    fn condition(&self) -> Option<&str> {
        Some(self.condition.trim()).filter(|condition| !condition.is_empty())
    }
}

/// Why there is no answer.
pub(super) struct Refused(pub StatusCode, pub String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        let status = match error.downcast_ref::<InspectError>() {
            Some(InspectError::Store(StoreError::Busy { .. })) => StatusCode::SERVICE_UNAVAILABLE,
            Some(known) if known.is_bad_input() => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, format!("{error:#}"))
    }
}

/// Arguments behind the question mark; what is wrong with them is told as any other error.
struct Args<T>(T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Args<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(arguments)| Self(arguments))
            .map_err(|error| Refused(StatusCode::BAD_REQUEST, error.body_text()))
    }
}

type Reply<T> = Result<Json<T>, Refused>;

impl Served {
    pub(super) fn run(&self, place: usize) -> Result<Arc<Run>, Refused> {
        let known = self.runs.len();
        let missing = || {
            Refused(
                StatusCode::NOT_FOUND,
                format!("there is no run {place}: there are {known}"),
            )
        };
        self.runs.get(place).cloned().ok_or_else(missing)
    }

    /// Does what reads the replay, when it is its turn.
    async fn work<T: Send + 'static>(
        &self,
        place: usize,
        question: impl FnOnce(&Run) -> anyhow::Result<T> + Send + 'static,
    ) -> Reply<T> {
        let run = self.run(place)?;
        let turn = self.work.clone().acquire_owned().await.expect("it is never closed");
        let answer = spawn_blocking(move || {
            let answer = question(&run);
            drop(turn);
            answer
        });
        // A panic is told in the log.
        let answer = answer.await.map_err(|_| {
            Refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the answer failed: see the log".into(),
            )
        })?;
        Ok(Json(answer?))
    }
}

#[derive(Serialize)]
struct Runs {
    version: &'static str,
    runs: Vec<super::run::About>,
}

async fn runs(State(served): Shared) -> Reply<Runs> {
    let mut runs = Vec::new();
    for place in 0..served.runs.len() {
        runs.push(served.work(place, |run| Ok(run.about()?)).await?.0);
    }
    Ok(Json(Runs {
        version: env!("CARGO_PKG_VERSION"),
        runs,
    }))
}

async fn summary(State(served): Shared, Args(of): Args<Of>) -> Reply<Answer<crate::summary::Summary>> {
    served.work(of.run, move |run| Ok(run.summary(of.condition())?)).await
}

async fn scatter(State(served): Shared, Args(of): Args<Of>) -> Reply<Answer<crate::scatter::Scatter>> {
    served.work(of.run, move |run| Ok(run.scatter(of.condition())?)).await
}

async fn timeline(State(served): Shared, Args(of): Args<Of>) -> Reply<Answer<super::run::Stages>> {
    served.work(of.run, move |run| Ok(run.timeline(of.condition())?)).await
}

async fn losses(State(served): Shared, Args(of): Args<Of>) -> Reply<crate::losses::Curves> {
    served.work(of.run, |run| Ok(run.losses()?)).await
}

#[derive(Debug, Deserialize)]
struct Split {
    #[serde(default)]
    of: Option<Quantity>,
    #[serde(default)]
    by: Option<By>,
    #[serde(default)]
    bins: Option<usize>,
}

async fn histogram(
    State(served): Shared,
    Args(of): Args<Of>,
    Args(split): Args<Split>,
) -> Reply<Answer<crate::histogram::Histogram>> {
    let what = (split.of.unwrap_or(Quantity::Y), split.by);
    let bins = split.bins.unwrap_or(40).clamp(1, MOST_BINS);
    served
        .work(of.run, move |run| Ok(run.histogram(of.condition(), what, bins)?))
        .await
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Table {
    sort: Sort,
    order: Order,
    contains: String,
    offset: usize,
    count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Asc,
    Desc,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            sort: Sort::Y,
            order: Order::Desc,
            contains: String::new(),
            offset: 0,
            count: 25,
        }
    }
}

async fn top(State(served): Shared, Args(of): Args<Of>, Args(table): Args<Table>) -> Reply<Answer<crate::top::Page>> {
    served
        .work(of.run, move |run| {
            let wanted = Wanted {
                sort: table.sort,
                descending: table.order == Order::Desc,
                contains: &table.contains,
                offset: table.offset,
                count: table.count.min(MOST_ROWS),
            };
            Ok(run.top(of.condition(), &wanted)?)
        })
        .await
}

#[derive(Debug, Deserialize)]
struct Named {
    id: String,
}

async fn trajectory(State(served): Shared, Args(of): Args<Of>, Args(named): Args<Named>) -> Reply<crate::show::Trace> {
    let Ok(id) = named.id.parse::<Id>();
    served.work(of.run, move |run| run.trajectory(&id)).await
}

async fn compare(State(served): Shared, Args(of): Args<Of>) -> Reply<Answer<Vec<Compared>>> {
    let of = Arc::new(of);
    let mut all = Answer {
        read: 0,
        total: 0,
        answer: Vec::new(),
    };
    for place in 0..served.runs.len() {
        let of = of.clone();
        let one = served
            .work(place, move |run| Ok(run.compared(of.condition())?))
            .await?
            .0;
        all.read += one.read;
        all.total += one.total;
        all.answer.push(one.answer);
    }
    Ok(Json(all))
}

async fn export(State(served): Shared, Args(of): Args<Of>, Args(wanted): Args<Download>) -> Result<Response, Refused> {
    let run = served.run(of.run)?;
    download::start(run, of.condition().map(str::to_owned), wanted).await
}

async fn live(
    State(served): Shared,
    Args(of): Args<Of>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refused> {
    let mut receiver = served.run(of.run)?.live.subscribe();
    // What there is, at once.
    receiver.mark_changed();
    let events = stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok()?;
        let live: Live = *receiver.borrow_and_update();
        let event = Event::default().json_data(live).expect("numbers are JSON");
        Some((Ok(event), receiver))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
