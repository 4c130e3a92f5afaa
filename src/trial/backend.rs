//! The trial's ticket backend: an HTTP server that keeps what it is sent.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
pub struct Backend {
    records: Arc<Mutex<Vec<Value>>>,
}

impl Backend {
    /// Listens on a free port of this address until the process ends.
    pub fn start() -> io::Result<(Backend, SocketAddr)> {
        let backend = Backend::default();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let routes = Router::new().route("/records", post(receive)).with_state(backend.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("backend".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, routes).await
            })
        })?;
        Ok((backend, address))
    }

    /// Final records of calls to this number, as received.
    pub fn records(&self, number: &str) -> Vec<Value> {
        let records = self.records.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let of = |r: &&Value| r["type"] == "call.record" && r["data"]["hotline"]["dialled"] == number;
        records.iter().filter(of).cloned().collect()
    }
}

async fn receive(State(backend): State<Backend>, Json(event): Json<Value>) -> StatusCode {
    backend.records.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(event);
    StatusCode::NO_CONTENT
}
