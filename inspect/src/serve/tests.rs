//! The server's answers, asked as a browser asks, of a small replay whose answers can be counted by hand.

use super::{Door, Run, app};
use crate::replay::{Filter, Replay};
use crate::summary::Summary;
use crate::tests::{example, trajectory};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;
use thermoflow::replay::Store;
use tower::ServiceExt;

struct Example {
    _dir: TempDir,
    replay: Replay,
    run: Arc<Run>,
    app: Router,
}

fn served() -> Example {
    served_with(None)
}

fn served_with(token: Option<&str>) -> Example {
    let (dir, replay) = example();
    let run = Arc::new(Run::open(replay.path()).unwrap());
    let door = Door::new("127.0.0.1:8070".parse().unwrap(), token.map(str::to_owned)).unwrap();
    Example {
        _dir: dir,
        replay,
        app: app(vec![run.clone()], door),
        run,
    }
}

impl Example {
    async fn send(&self, request: Request<Body>) -> Response {
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, uri: &str) -> Response {
        self.send(request(uri, "localhost:8070")).await
    }

    async fn bytes(&self, uri: &str) -> Vec<u8> {
        let response = self.get(uri).await;
        assert_eq!(response.status(), StatusCode::OK, "{uri}");
        to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    async fn json(&self, uri: &str) -> Value {
        serde_json::from_slice(&self.bytes(uri).await).unwrap()
    }

    /// The status, and what the answer says is wrong.
    async fn refused(&self, uri: &str) -> (StatusCode, String) {
        let response = self.get(uri).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (status, body["error"].as_str().unwrap().to_owned())
    }

    /// Writes what a learner would.
    fn commit(&self, round: u64, name: &str) {
        let mut more = trajectory(round, 3);
        more.actor_name = name.into();
        if name != "odd" {
            (more.incarnation, more.seq) = (thermoflow::units::Incarnation(7), thermoflow::units::Seq(0));
        }
        Store::open(self.replay.path()).unwrap().commit(&[more]).unwrap();
    }
}

/// The last digit of a mean depends on which thread read what.
fn without_means(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.remove("mean");
            fields
                .values_mut()
                .for_each(|field| *field = without_means(field.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_means(item.take())),
        _ => (),
    }
    value
}

fn request(uri: &str, host: &str) -> Request<Body> {
    Request::get(uri)
        .header(header::HOST, host)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn answers_are_those_of_the_terminal() {
    let example = served();
    let of_terminal = |condition: Option<&str>| {
        let filter = Filter::new(condition, &example.replay).unwrap();
        without_means(serde_json::to_value(Summary::read(&example.replay, &filter).unwrap()).unwrap())
    };
    let all = example.json("/api/summary").await;
    assert_eq!((&all["read"], &all["total"]), (&16.into(), &16.into()));
    assert_eq!(without_means(all["answer"].clone()), of_terminal(None));
    let some = example.json("/api/summary?where=y%3E0.5%20AND%20beta%3C4").await;
    assert_eq!(some["answer"]["trajectories"], 2);
    assert_eq!(
        without_means(some["answer"].clone()),
        of_terminal(Some("y>0.5 AND beta<4"))
    );

    let histogram = example.json("/api/histogram?of=staleness&by=actor").await;
    assert_eq!(
        histogram["answer"]["groups"][1]["counts"],
        serde_json::json!([2, 2, 2, 2])
    );
    let runs = example.json("/api/runs").await;
    assert_eq!(runs["runs"][0]["task"], Value::Null);
    assert!(
        runs["runs"][0]["columns"]
            .as_array()
            .unwrap()
            .iter()
            .any(|column| column["name"] == "beta")
    );
}

#[tokio::test]
async fn a_sample_holds_all_of_a_small_replay() {
    let example = served();
    let scatter = example.json("/api/scatter?where=beta%3D4").await["answer"].clone();
    assert_eq!(scatter["count"], 4);
    let mut y: Vec<f64> = serde_json::from_value(scatter["points"]["y"].clone()).unwrap();
    y.sort_by(f64::total_cmp);
    assert_eq!(y, [0.1f32, 0.2, 0.8, 0.9].map(f64::from));
    let id = scatter["points"]["id"][0].as_str().unwrap();
    let trace = example.json(&format!("/api/trajectory?id={id}")).await;
    assert_eq!((&trace["id"], &trace["x"]), (&id.into(), &scatter["points"]["x"][0]));
    assert_eq!(example.json("/api/trajectory?id=CCCC").await["seen"], 3);
}

#[tokio::test]
async fn objects_come_in_any_order_page_by_page() {
    let example = served();
    let names = async |query: &str| {
        let page = example.json(&format!("/api/top?{query}")).await["answer"].clone();
        let rows = page["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["x"].as_str().unwrap().to_owned());
        (page["total"].as_u64().unwrap(), rows.collect::<Vec<_>>().join(" "))
    };
    let expected = |total, names: &str| (total, names.to_owned());
    assert_eq!(names("").await, expected(4, "CCCG CCCC AAAC AAAA"));
    assert_eq!(names("count=2&offset=1").await, expected(4, "CCCC AAAC"));
    assert_eq!(names("sort=x&order=asc").await, expected(4, "AAAA AAAC CCCC CCCG"));
    assert_eq!(names("sort=seen&contains=CC").await, expected(2, "CCCC CCCG"));
    assert_eq!(names("sort=first&order=asc&count=1").await, expected(4, "AAAA"));
    // Among what passes: round 3 has every object once.
    let late = "where=round%3D3%20AND%20y%3C0.85";
    assert_eq!(names(late).await, expected(3, "CCCC AAAC AAAA"));
    assert_eq!(
        names(&format!("{late}&sort=x&order=asc&count=2")).await,
        expected(3, "AAAA AAAC")
    );
    assert_eq!(names(&format!("{late}&sort=x&contains=CC")).await, expected(1, "CCCC"));
    assert_eq!(
        names(&format!("{late}&sort=y&order=asc&contains=A")).await,
        expected(2, "AAAA AAAC")
    );
    assert_eq!(names("where=round%3D2&sort=seen").await, expected(3, "CCCC AAAA AAAC"));
    assert_eq!(names("where=round%3D2&sort=first&order=asc").await.0, 3);
}

#[tokio::test]
async fn what_is_committed_later_is_counted_on_top() {
    let example = served();
    let count = async |uri: &str, path: &str| example.json(uri).await.pointer(path).cloned().unwrap();
    let ask = async || {
        (
            count("/api/summary", "/answer/trajectories").await,
            count("/api/summary?where=beta%3D4", "/answer/trajectories").await,
            count("/api/scatter", "/answer/count").await,
            count("/api/timeline", "/answer/parts").await.as_array().unwrap().len(),
            count("/api/top?where=beta%3D4", "/answer/rows/0/seen").await,
            count("/api/histogram?by=actor", "/answer/groups")
                .await
                .as_array()
                .unwrap()
                .len(),
        )
    };
    assert_eq!(ask().await, (16.into(), 4.into(), 16.into(), 16, 1.into(), 2));
    example.commit(4, "odd");
    assert_eq!(ask().await, (17.into(), 5.into(), 17.into(), 17, 2.into(), 2));
    example.commit(5, "new");
    assert_eq!(ask().await, (18.into(), 6.into(), 18.into(), 18, 3.into(), 3));
}

#[tokio::test]
async fn a_listener_is_told_at_once_and_when_there_is_more() {
    let example = served();
    let mut events = example.get("/api/live").await.into_body().into_data_stream();
    let mut next = async || {
        let event = String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
        serde_json::from_str::<Value>(event.trim().strip_prefix("data: ").unwrap()).unwrap()
    };
    assert_eq!(next().await["trajectories"], 16);
    example.commit(4, "odd");
    example.run.batches().unwrap();
    assert_eq!(next().await["trajectories"], 17);
}

#[tokio::test]
async fn downloads_hold_what_is_filtered() {
    let example = served();
    let csv = String::from_utf8(
        example
            .bytes("/api/export?format=csv&columns=x,beta&where=y%3E0.5")
            .await,
    )
    .unwrap();
    assert_eq!(csv.lines().count(), 1 + 4, "{csv}");
    assert_eq!(csv.lines().next(), Some("x,beta"));
    let parquet = example.bytes("/api/export?format=parquet").await;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    let tensors = example.bytes("/api/export?format=safetensors&columns=beta").await;
    assert_eq!(
        safetensors::SafeTensors::deserialize(&tensors)
            .unwrap()
            .tensor("beta")
            .unwrap()
            .shape(),
        [16]
    );
    let response = example.get("/api/export?format=jsonl").await;
    let disposition = response.headers()[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment") && disposition.ends_with(".jsonl\""),
        "{disposition}"
    );
}

#[tokio::test]
async fn what_cannot_be_answered_is_said_in_a_line() {
    let example = served();
    for (uri, status, words) in [
        ("/api/summary?where=gamma%3E1", 400, "no such column: gamma"),
        ("/api/export?format=csv&where=gamma%3E1", 400, "no such column: gamma"),
        ("/api/export?format=csv&columns=gamma", 400, "gamma"),
        ("/api/export?format=xlsx", 400, "xlsx"),
        ("/api/histogram?of=gamma", 400, "gamma"),
        ("/api/trajectory?id=TTTT", 400, "there is no object"),
        ("/api/summary?run=1", 404, "there is no run 1"),
        ("/api/nothing", 404, "no such answer"),
    ] {
        let (found, message) = example.refused(uri).await;
        assert_eq!(found.as_u16(), status, "{uri}: {message}");
        assert!(message.contains(words) && !message.contains('\n'), "{uri}: {message}");
    }
}

#[tokio::test]
async fn only_who_asks_for_this_machine_is_answered() {
    let example = served();
    for (host, status) in [
        ("localhost:9000", StatusCode::OK),
        ("127.0.0.1", StatusCode::OK),
        ("[::1]:8070", StatusCode::OK),
        ("evil.example:8070", StatusCode::FORBIDDEN),
        ("localhost.evil.example", StatusCode::FORBIDDEN),
        ("10.0.0.1:8070", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(
            example.send(request("/api/summary", host)).await.status(),
            status,
            "{host}"
        );
    }
    let headers = example.get("/api/runs").await.headers().clone();
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'self'")
    );
}

#[tokio::test]
async fn a_token_opens_the_door_and_nothing_else_does() {
    let token = "0123456789abcdef";
    let example = served_with(Some(token));
    let status = async |uri: &str, name: header::HeaderName, value: &str| {
        let mut request = request(uri, "localhost:8070");
        request.headers_mut().insert(name, value.parse().unwrap());
        example.send(request).await.status()
    };
    let uri = "/api/summary";
    assert_eq!(example.refused(uri).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(example.get("/").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        status(uri, header::AUTHORIZATION, "Bearer 0123456789abcdef").await,
        StatusCode::OK
    );
    assert_eq!(
        status(uri, header::AUTHORIZATION, "Bearer 0123456789abcdee").await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        status(uri, header::COOKIE, "a=b; thermoflow-8070=0123456789abcdef").await,
        StatusCode::OK
    );
    assert_eq!(
        status(uri, header::COOKIE, "thermoflow-8071=0123456789abcdef").await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(example.get("/?token=0123").await.status(), StatusCode::UNAUTHORIZED);
    // The address that is printed leads to the page, without the token in the browser's history.
    let response = example.get(&format!("/?token={token}&where=y")).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], "/?where=y");
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
}

#[test]
fn beyond_loopback_there_is_no_door_without_a_token() {
    let address = "0.0.0.0:8070".parse().unwrap();
    assert!(Door::new(address, None).is_none());
    assert!(Door::new(address, Some("0123456789abcdef".into())).is_some());
}
