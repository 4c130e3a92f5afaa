//! The feed over WebSocket (RFC 6455): each event is a text message, pings keep the line. It takes no messages.

use super::follow::{End, FeedUpdate, Follower};
use super::problem::Problem;
use crate::base::Text;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use std::time::Duration;
use tokio::time::timeout;

const VERSION: &str = "13";
/// The subprotocol: what the messages are.
const EVENTS: &str = "hotline.events";
/// Before a token among the subprotocols: all that a page in a browser can send along.
const BEARER: &str = "bearer.";
/// Messages that come in are told apart and thrown away.
const MESSAGE: usize = 64 << 10;
/// Limits the bytes that wait to be written to a client that does not read; then pings are not answered any more, and events wait for it.
const UNREAD: usize = 1 << 20;
/// For the closing handshake.
const FAREWELL: Duration = Duration::from_secs(1);

/// Tells whether the request would rather have this than its answer (RFC 6455 §4.2.1).
pub fn asked_for(headers: &HeaderMap) -> bool {
    listed(headers, header::UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// The token of a page in a browser, which cannot say `Authorization`; an address would stand in logs.
pub fn token(headers: &HeaderMap) -> Option<Vec<u8>> {
    let token = listed(headers, header::SEC_WEBSOCKET_PROTOCOL).find_map(|protocol| protocol.strip_prefix(BEARER));
    BASE64URL_NOPAD.decode(token.filter(|_| asked_for(headers))?.as_bytes()).ok()
}

/// The refusal of a version that nobody speaks any more, with the one that would be understood (RFC 6455 §4.4).
pub fn outdated(headers: &HeaderMap) -> Option<Response> {
    headers.get(header::SEC_WEBSOCKET_VERSION).filter(|version| *version != VERSION)?;
    let instead = [(header::SEC_WEBSOCKET_VERSION, VERSION), (header::UPGRADE, "websocket")];
    let problem = Problem::new(
        StatusCode::UPGRADE_REQUIRED,
        both!("the version of WebSocket that is spoken here is {VERSION}", "只支持第 {VERSION} 版 WebSocket"),
    );
    Some((instead, problem).into_response())
}

/// Ready to switch over. A client that names subprotocols fails by itself unless one of them is answered.
pub fn agreed(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    headers: &HeaderMap,
) -> Result<WebSocketUpgrade, Problem> {
    let wrong = |why: Text| Problem::new(StatusCode::BAD_REQUEST, why);
    let upgrade = upgrade.map_err(|rejection| wrong(unfit(&rejection.body_text())))?;
    let upgrade = upgrade.protocols([EVENTS]).max_message_size(MESSAGE).max_frame_size(MESSAGE).read_buffer_size(4 << 10);
    let upgrade = upgrade.write_buffer_size(MESSAGE).max_write_buffer_size(UNREAD);
    if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) && upgrade.selected_protocol().is_none() {
        let why = both!(
            "the subprotocol is {EVENTS}; name it, beside a token if there is one, or name none",
            "子协议应为 {EVENTS}：请写明（若有令牌则一并写明），或都不写"
        );
        return Err(wrong(why));
    }
    Ok(upgrade)
}

fn unfit(why: &str) -> Text {
    both!("{why}", "不是 WebSocket 请求（{why}）")
}

/// The members of a list (RFC 9110 §5.6.1).
fn listed(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

pub struct Socket {
    socket: WebSocket,
    /// Why it is not served any more, if the fault is its own.
    fault: Option<CloseFrame>,
}

impl Socket {
    pub fn new(socket: WebSocket) -> Socket {
        Socket { socket, fault: None }
    }
}

impl Follower for Socket {
    async fn tell(&mut self, news: FeedUpdate<'_>) -> bool {
        let message = match news {
            FeedUpdate::Event { n, json, .. } => text(n, json),
            FeedUpdate::Alive(n) => Message::Ping(n.to_string().into()),
        };
        self.socket.send(message).await.is_ok()
    }

    /// Pings and a close are answered by the library as it reads on.
    async fn gone(&mut self) {
        while self.fault.is_none() {
            match self.socket.recv().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => {}
                Some(Ok(Message::Text(_) | Message::Binary(_))) => self.fault = Some(not_asked()),
                None | Some(Err(_)) => return,
            }
        }
    }

    async fn part(mut self, end: End, _n: u64) {
        let frame = match end {
            End::Gone => self.fault.take(),
            // It would not read that either: the number of the last message that it has says where to go on.
            End::TookNothing => None,
            End::Expelled => Some(close(close_code::POLICY, "the token is not valid any more")),
            End::Over => Some(close(close_code::AWAY, "the gateway ends; come back with the last number")),
        };
        if let Some(frame) = frame {
            // A client that does not answer is left.
            let _ = timeout(FAREWELL, goodbye(&mut self.socket, frame)).await;
        }
    }
}

fn text(n: u64, json: &Bytes) -> Message {
    let whole = [format!("{{\"number\":{n},\"event\":").as_bytes(), json, b"}"].concat();
    Message::Text(Utf8Bytes::try_from(whole).unwrap_or_default())
}

/// RFC 6455 §7.4.1: it may be that somebody waits for an answer.
fn not_asked() -> CloseFrame {
    close(close_code::UNSUPPORTED, "the feed takes no messages: what is wanted stands in the address")
}

fn close(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
}

/// RFC 6455 §7.1.2: closed when the other side has said so too.
async fn goodbye(socket: &mut WebSocket, frame: CloseFrame) {
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
