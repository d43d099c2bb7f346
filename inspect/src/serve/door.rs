//! Who is let in: on loopback everybody of this machine, unless a token is asked for; from elsewhere only with the token.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The page loads nothing from elsewhere, runs no code but its own, and is shown in no other page.
const HEADERS: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Decides who is let in.
#[derive(Debug, Clone)]
pub struct Door {
    address: SocketAddr,
    token: Option<String>,
}

impl Door {
    /// Of a server at an address. Other than loopback takes a token; None when there is none.
    pub fn new(address: SocketAddr, token: Option<String>) -> Option<Self> {
        (address.ip().is_loopback() || token.is_some()).then_some(Self { address, token })
    }

    /// What to open in a browser.
    pub fn url(&self) -> String {
        let token = self
            .token
            .as_ref()
            .map_or_else(String::new, |token| format!("?token={token}"));
        format!("http://{}/{token}", self.address)
    }

    /// A name of its own for each port: cookies are shared by all ports of a host.
    fn cookie(&self) -> String {
        format!("thermoflow-{}", self.address.port())
    }

    /// A page elsewhere may have a name that leads to loopback; then the browser says that name.
    fn is_named(&self, headers: &HeaderMap) -> bool {
        if !self.address.ip().is_loopback() {
            return true;
        }
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let name = host
            .rsplit_once(':')
            .filter(|(_, port)| port.parse::<u16>().is_ok())
            .map_or(host, |(name, _)| name);
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        name == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    fn knows(&self, token: &str) -> bool {
        let expected = self.token.as_deref().unwrap_or_default();
        bool::from(expected.as_bytes().ct_eq(token.as_bytes()))
    }

    fn is_let_in(&self, headers: &HeaderMap) -> bool {
        if self.token.is_none() {
            return true;
        }
        let text = |name: HeaderName| {
            headers
                .get_all(name)
                .into_iter()
                .filter_map(|value| value.to_str().ok())
        };
        let cookie = self.cookie();
        let mut cookies = text(COOKIE).flat_map(|line| line.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == cookie).then_some(value)
        });
        let mut bearers = text(AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
        cookies.any(|token| self.knows(token)) || bearers.any(|token| self.knows(token))
    }

    /// Where an address with the right token leads: the same without it, and a cookie instead.
    fn exchange(&self, uri: &Uri) -> Option<Response> {
        let pairs = uri.query()?.split('&');
        let (tokens, rest): (Vec<&str>, Vec<&str>) = pairs.partition(|pair| pair.starts_with("token="));
        let token = tokens.first()?.strip_prefix("token=")?;
        if self.token.is_none() || !self.knows(token) {
            return None;
        }
        let query = if rest.is_empty() {
            String::new()
        } else {
            format!("?{}", rest.join("&"))
        };
        let cookie = format!("{}={token}; Path=/; HttpOnly; SameSite=Strict", self.cookie());
        let headers = [(LOCATION, format!("{}{query}", uri.path())), (SET_COOKIE, cookie)];
        Some((StatusCode::SEE_OTHER, headers).into_response())
    }
}

/// Lets a request in, or says why not.
pub async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let mut response = if !door.is_named(request.headers()) {
        let message = format!("open {} on this machine; other names are not answered", door.url());
        refuse(StatusCode::FORBIDDEN, &message)
    } else if let Some(response) = door.exchange(request.uri()) {
        response
    } else if door.is_let_in(request.headers()) {
        next.run(request).await
    } else {
        let message = "a token is needed: open the address that `thermoflow replay serve` printed";
        refuse(StatusCode::UNAUTHORIZED, message)
    };
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(serde_json::json!({ "error": message }))).into_response()
}
