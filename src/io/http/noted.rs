//! The audit log has who sees callers' numbers in full or hears their voices, before anything is shown.

use super::endpoint::forbidden;
use super::problem::Problem;
use super::{ApiState, WORK};
use crate::control::{Holder, Right};
use crate::io::clock;
use crate::io::process::threads;
use axum::http::StatusCode;

/// Lets through who may see numbers in full, once it is noted who did.
pub async fn in_full(state: &ApiState, holder: &Holder, did: &'static str, what: String) -> Result<(), Problem> {
    holder.must(Right::SeeNumbers).map_err(|missing| forbidden(holder, missing))?;
    noted(state, &holder.name, did, what).await
}

pub async fn noted(state: &ApiState, who: &str, did: &'static str, what: String) -> Result<(), Problem> {
    let (audit, who) = (state.audit.clone(), who.to_owned());
    let noted = threads::aside(WORK, move || audit.note(clock::now().wall, &who, did, &what)).await;
    noted.unwrap_or_else(|| Err(threads::fault())).map_err(|why| {
        tracing::error!("{why}");
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            both!("who sees or hears this cannot be noted now; see the gateway's log", "现在无法记录谁查看或收听，请看网关日志"),
        )
    })
}
