//! The seats that a token's holder may look at and work with: a toolbar its own, a supervisor those of its queues.

use super::{ApiState, seat_of};
use crate::control::{Holder, Reach, Role, SeatVerb, SeatView};
use crate::event::seat::{Author, AuthorKind};
use crate::io::http::problem::Problem;
use axum::http::StatusCode;

/// The one who gives a verb to this seat, or the refusal.
pub async fn author(state: &ApiState, holder: &Holder, seat: &str) -> Result<Author, Problem> {
    if holder.is_seat(seat) {
        return Ok(toolbar(holder));
    }
    within(state, holder, seat).await?;
    let kind = if holder.roles.contains(&Role::Supervisor) { AuthorKind::Supervisor } else { AuthorKind::Operator };
    Ok(Author { kind, name: holder.name.as_str().into() })
}

/// The person at a seat, by the toolbar that has this token: two toolbars of one seat have two.
pub fn toolbar(holder: &Holder) -> Author {
    Author { kind: AuthorKind::Seat, name: holder.name.as_str().into() }
}

/// Lets through who reaches this seat.
pub async fn within(state: &ApiState, holder: &Holder, seat: &str) -> Result<(), Problem> {
    match holder.reach() {
        _ if holder.is_seat(seat) => Ok(()),
        Reach::All => Ok(()),
        Reach::Queues(_) if includes(holder, &seat_of(state, seat).await?) => Ok(()),
        Reach::Queues(_) => Err(not_yours(both!("this seat is in none of the token's queues", "此座席不在该令牌的任何队列中"))),
        Reach::Own => Err(not_yours(both!("this token is another seat's", "该令牌属于另一座席"))),
    }
}

/// Tells whether the holder reaches this seat.
pub fn includes(holder: &Holder, view: &SeatView) -> bool {
    holder.is_seat(&view.seat)
        || match holder.reach() {
            Reach::All => true,
            Reach::Queues(queues) => view.queues.iter().any(|queue| queues.iter().any(|name| **name == **queue)),
            Reach::Own => false,
        }
}

/// The other seats that a verb is about, which its author must reach too: those that are supervised. Whom a seat may pick up
/// for is a matter of the seats.
pub fn others(verb: &SeatVerb) -> Option<&str> {
    match verb {
        SeatVerb::Supervise { seat, .. } | SeatVerb::Intercept { seat } => Some(seat),
        _ => None,
    }
}

fn not_yours(detail: crate::base::Text) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail).needing(vec![Role::Supervisor.name()]).coded("not_yours")
}
