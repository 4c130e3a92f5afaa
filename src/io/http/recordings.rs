//! Recordings, for who has a token or a link that opens by itself. The audit log tells who listened to what before the
//! first byte leaves.

use super::endpoint::Endpoint;
use super::noted::noted;
use super::problem::Problem;
use super::{ApiState, WORK};
use crate::base::CallId;
use crate::control::{Holder, Right};
use crate::io::clock;
use crate::io::process::threads;
use crate::io::recorder::store::WAV;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::Stream;
use serde::Deserialize;
use std::fs::File;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Bytes of a file that are read at once.
const PIECE: u64 = 64 << 10;

pub fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/recordings/{id}", Right::Listen, listen).linked()]
}

#[derive(Deserialize)]
struct Link {
    expires: Option<i64>,
    signature: Option<String>,
}

async fn listen(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(link): Query<Link>,
    holder: Option<Extension<Arc<Holder>>>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    match answer(&state, &id, &link, holder, method == Method::HEAD, &headers).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    state: &ApiState,
    id: &str,
    link: &Link,
    holder: Option<Extension<Arc<Holder>>>,
    head: bool,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let call: CallId = id.parse().map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, both!("a recording's id is its call's, a UUID", "录音编号即通话编号，应为 UUID"))
    })?;
    let who = match holder {
        Some(Extension(holder)) => holder.name.clone(),
        None => judge(state, call, link)?,
    };
    let (file, length) = open(state, call).await?;
    let Ok(range) = wanted(headers, call, length) else {
        let problem =
            Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, both!("the recording has {length} bytes", "录音共 {length} 字节"));
        return Ok(([(header::CONTENT_RANGE, format!("bytes */{length}"))], problem).into_response());
    };
    // Nothing is heard of a head.
    if !head {
        note(state, call, &who, range.as_ref()).await?;
    }
    Ok(response(call, file, length, range, head))
}

/// Judges a request that comes by a link.
fn judge(state: &ApiState, call: CallId, link: &Link) -> Result<String, Problem> {
    let held = match (link.expires, &link.signature) {
        (Some(expires), Some(signature)) => {
            state.recordings.opens(call, expires, signature, state.intake.clock.likely(clock::now()))
        }
        _ => false,
    };
    let detail = || {
        both!(
            "this link does not open the recording: its time is over, or it is none of ours; ask with a token, as a `listener`",
            "此链接打不开录音：已过期或不是本机签发；请用 `listener` 角色的令牌"
        )
    };
    held.then(|| "link".to_owned()).ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, detail()))
}

async fn open(state: &ApiState, call: CallId) -> Result<(File, u64), Problem> {
    let none = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            both!(
                "there is no recording of this call: not yet, not any more, or there never was",
                "没有此通话的录音：尚未生成、已删除或从未录制"
            ),
        )
    };
    let path = state.recordings.file(call, WAV).ok_or_else(none)?;
    let opened = threads::aside(WORK, move || {
        // Opening a pipe would wait for whoever writes to it.
        if !std::fs::metadata(&path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is no file"));
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    let opened = opened.await.unwrap_or_else(|| Err(io::Error::other(threads::fault())));
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => none(),
        _ => {
            tracing::error!(%call, %error, "a recording cannot be read");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                both!("the recording cannot be read now; see the gateway's log", "现在无法读取录音，请看网关日志"),
            )
        }
    })
}

async fn note(state: &ApiState, call: CallId, who: &str, range: Option<&Range<u64>>) -> Result<(), Problem> {
    let part = range.map_or(String::new(), |range| format!(" bytes {}-{}", range.start, range.end - 1));
    noted(state, who, "recording", format!("{call}{part}")).await
}

/// The part that is asked for (RFC 9110 §14.2); none: all of it. More than one part is answered with all of it, as is a part
/// of another file than the one there is (§13.1.5). An error: there is no such part.
fn wanted(headers: &HeaderMap, call: CallId, length: u64) -> Result<Option<Range<u64>>, ()> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|known| known != tag(call, length)) {
        return Ok(None);
    }
    let Some((first, last)) = text(header::RANGE).and_then(part) else { return Ok(None) };
    let range = match (first, last) {
        (Some(first), last) => first..last.map_or(length, |last| last.saturating_add(1).min(length)),
        (None, Some(last)) => length.saturating_sub(last)..length,
        (None, None) => return Ok(None),
    };
    if range.is_empty() { Err(()) } else { Ok(Some(range)) }
}

/// `bytes=first-last`, one of which may be missing. None: another unit, several parts, or nonsense, which counts as not said.
fn part(value: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    let (first, last) = (number(first.trim())?, number(last.trim())?);
    let sound = first.is_none_or(|first| last.is_none_or(|last| first <= last));
    sound.then_some((first, last))
}

/// A recording that is done does not change.
fn tag(call: CallId, length: u64) -> String {
    format!("\"{call}-{length}\"")
}

fn response(call: CallId, file: File, length: u64, range: Option<Range<u64>>, head: bool) -> Response {
    let part = range.clone().unwrap_or(0..length);
    let mut headers = HeaderMap::new();
    let mut set = |name: header::HeaderName, value: String| {
        HeaderValue::try_from(value).map(|value| headers.insert(name, value)).ok();
    };
    set(header::CONTENT_TYPE, "audio/wav".to_owned());
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::CONTENT_LENGTH, (part.end - part.start).to_string());
    set(header::ETAG, tag(call, length));
    // Each time it is heard is noted, so nobody keeps it for others.
    set(header::CACHE_CONTROL, "private, no-store".to_owned());
    set(header::CONTENT_DISPOSITION, format!("inline; filename=\"{call}.wav\""));
    if let Some(Range { start, end }) = range {
        set(header::CONTENT_RANGE, format!("bytes {start}-{}/{length}", end - 1));
    }
    let status = if headers.contains_key(header::CONTENT_RANGE) { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let body = if head { Body::empty() } else { Body::from_stream(Pieces { file: Arc::new(file), part, next: None }) };
    (status, headers, body).into_response()
}

/// A piece that is being read.
type Next = Pin<Box<dyn Future<Output = Option<io::Result<Bytes>>> + Send>>;

/// A file's part, read piece by piece as the client takes it.
struct Pieces {
    file: Arc<File>,
    part: Range<u64>,
    next: Option<Next>,
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.part.is_empty() {
            return Poll::Ready(None);
        }
        let (file, at) = (self.file.clone(), self.part.start);
        let count = (self.part.end - at).min(PIECE);
        let next = self.next.get_or_insert_with(|| Box::pin(threads::aside(WORK, move || read(&file, at, count))));
        let piece = ready!(next.as_mut().poll(cx)).unwrap_or_else(|| Err(io::Error::other(threads::fault())));
        self.next = None;
        self.part.start += count;
        Poll::Ready(Some(piece))
    }
}

fn read(file: &File, at: u64, count: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; count as usize];
    file.read_exact_at(&mut piece, at)?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_a_player_asks_for() {
        let call: CallId = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80".parse().unwrap();
        let asked = |range: &str, if_range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            if !if_range.is_empty() {
                headers.insert(header::IF_RANGE, if_range.parse().unwrap());
            }
            wanted(&headers, call, 1000)
        };
        assert_eq!(asked("bytes=0-", ""), Ok(Some(0..1000)));
        assert_eq!(asked("bytes=10-19", ""), Ok(Some(10..20)));
        assert_eq!(asked("bytes=990-5000", ""), Ok(Some(990..1000)));
        assert_eq!(asked("bytes=-100", ""), Ok(Some(900..1000)));
        assert_eq!(asked("bytes=-5000", ""), Ok(Some(0..1000)));
        assert_eq!((asked("bytes=1000-", ""), asked("bytes=-0", "")), (Err(()), Err(())));
        for whole in ["bytes=0-1,4-5", "frames=0-1", "bytes=5-4", "bytes=-", "bytes=a-b", "bytes=+1-2x"] {
            assert_eq!(asked(whole, ""), Ok(None), "{whole}");
        }
        assert_eq!(asked("bytes=0-1", &tag(call, 1000)), Ok(Some(0..2)));
        assert_eq!(asked("bytes=0-1", "\"another\""), Ok(None));
    }
}
