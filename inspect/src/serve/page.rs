//! The page itself, which is inside the program.

use axum::body::Body;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::Embed;

/// What `npm run build` made of inspect/web.
#[derive(Embed)]
#[folder = "$CARGO_MANIFEST_DIR/web/dist"]
#[allow_missing = true]
struct Assets;

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>thermoflow replay</title><p>This program was built \
without its page, because npm was not there. Install Node.js 20 or newer with npm, then run <code>make build</code>. \
The answers in JSON are at <a href=/api/runs>/api/runs</a>.";

/// A file of the page.
pub async fn asset(uri: Uri) -> Response {
    let name = uri.path().trim_start_matches('/');
    let name = if name.is_empty() { "index.html" } else { name };
    let Some(file) = Assets::get(name) else {
        return if name == "index.html" {
            (StatusCode::NOT_IMPLEMENTED, Html(NOT_BUILT)).into_response()
        } else {
            (StatusCode::NOT_FOUND, "there is no such page").into_response()
        };
    };
    // The names of all files but the first hold a hash of what is in them.
    let caching = if name == "index.html" {
        "no-cache"
    } else {
        "public, max-age=31536000, immutable"
    };
    let headers = [
        (header::CONTENT_TYPE, file.metadata.mimetype().to_owned()),
        (header::CACHE_CONTROL, caching.to_owned()),
    ];
    (headers, Body::from(file.data)).into_response()
}
