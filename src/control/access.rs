//! Decides who may ask what: roles that a token carries, what each allows, and what is missing when something is not allowed.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A right is what a request needs leave for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Figures and state, nothing of any call.
    Watch,
    /// Live calls and records, callers masked.
    ReadCalls,
    /// Callers who are to be rung back, masked.
    ReadCallbacks,
    /// Callers' numbers in full; on top of what shows them masked.
    SeeNumbers,
    MoveCalls,
    /// Say what they are about.
    TagCalls,
    /// Reload and drain.
    Manage,
    /// Calls that others answered by themselves, and what others know of ours.
    HandIn,
    /// The feed of events.
    Follow,
    /// Recordings of calls.
    Listen,
    /// Queues: how many wait, which seats are free; nothing of any caller.
    ReadQueues,
    /// Seats with their calls, and what happens to them.
    ReadSeats,
    /// Verbs of a seat's toolbar.
    WorkSeats,
    /// Hear a seat's conversation, speak into it, take it over, end it.
    Supervise,
}

/// Roles that a token may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Monitor,
    Viewer,
    Operator,
    Admin,
    Unmasked,
    Source,
    Feed,
    Listener,
    /// One seat's toolbar.
    Seat,
    Supervisor,
    Wallboard,
}

impl Role {
    pub const ALL: [Role; 11] = [
        Role::Monitor,
        Role::Viewer,
        Role::Operator,
        Role::Admin,
        Role::Unmasked,
        Role::Source,
        Role::Feed,
        Role::Listener,
        Role::Seat,
        Role::Supervisor,
        Role::Wallboard,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Role::Monitor => "monitor",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Unmasked => "unmasked",
            Role::Source => "source",
            Role::Feed => "feed",
            Role::Listener => "listener",
            Role::Seat => "seat",
            Role::Supervisor => "supervisor",
            Role::Wallboard => "wallboard",
        }
    }

    pub fn rights(self) -> &'static [Right] {
        match self {
            Role::Monitor => &[Right::Watch],
            Role::Viewer => &[Right::Watch, Right::ReadCalls, Right::ReadCallbacks],
            Role::Operator => &[Right::Watch, Right::ReadCalls, Right::ReadCallbacks, Right::MoveCalls, Right::TagCalls],
            Role::Admin => &[Right::Watch, Right::ReadCalls, Right::ReadCallbacks, Right::Manage],
            Role::Unmasked => &[Right::SeeNumbers],
            Role::Source => &[Right::HandIn],
            Role::Feed => &[Right::Follow],
            Role::Listener => &[Right::Listen],
            Role::Seat => &[Right::ReadCallbacks, Right::ReadQueues, Right::ReadSeats, Right::WorkSeats],
            Role::Supervisor => {
                &[Right::Watch, Right::ReadCallbacks, Right::ReadQueues, Right::ReadSeats, Right::WorkSeats, Right::Supervise]
            }
            Role::Wallboard => &[Right::Watch, Right::ReadQueues],
        }
    }
}

/// The holder of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The token's name in the configuration.
    pub name: String,
    pub roles: Vec<Role>,
    /// The seat that it is the toolbar of.
    pub seat: Option<Arc<str>>,
    /// The queues whose seats a supervisor works with; none named: all.
    pub queues: Vec<String>,
}

impl Holder {
    /// Anybody, where nobody needs a token. Numbers in full and voices are for somebody with a name only.
    pub fn anybody() -> Holder {
        let named = [Role::Unmasked, Role::Listener, Role::Supervisor];
        let roles = Role::ALL.into_iter().filter(|role| !named.contains(role)).collect();
        Holder { name: "anybody".to_owned(), roles, seat: None, queues: Vec::new() }
    }

    /// Tells whether it is this seat's own toolbar.
    pub fn is_seat(&self, seat: &str) -> bool {
        self.roles.contains(&Role::Seat) && self.seat.as_deref() == Some(seat)
    }

    /// The seats that it may look at and work with, besides its own.
    pub fn reach(&self) -> Reach<'_> {
        match (self.roles.contains(&Role::Supervisor), &self.seat) {
            (true, _) if !self.queues.is_empty() => Reach::Queues(&self.queues),
            (false, Some(_)) => Reach::Own,
            _ => Reach::All,
        }
    }

    pub fn may(&self, right: Right) -> bool {
        self.roles.iter().any(|role| role.rights().contains(&right))
    }

    /// Or else what is missing.
    pub fn must(&self, right: Right) -> Result<(), Missing> {
        if self.may(right) { Ok(()) } else { Err(Missing(right)) }
    }
}

/// The seats that a token's holder reaches, as far as its roles let it do anything with seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'a> {
    /// Its own alone.
    Own,
    /// Those of these queues.
    Queues(&'a [String]),
    All,
}

/// A right that the holder of a token does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub Right);

impl Missing {
    /// Any of these would do.
    pub fn roles(self) -> impl Iterator<Item = &'static str> {
        Role::ALL.into_iter().filter(move |role| role.rights().contains(&self.0)).map(Role::name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: [Right; 14] = [
        Right::Watch,
        Right::ReadCalls,
        Right::SeeNumbers,
        Right::MoveCalls,
        Right::TagCalls,
        Right::Manage,
        Right::HandIn,
        Right::Follow,
        Right::Listen,
        Right::ReadQueues,
        Right::ReadSeats,
        Right::WorkSeats,
        Right::Supervise,
        Right::ReadCallbacks,
    ];

    fn holder(roles: &[Role]) -> Holder {
        Holder { name: "x".to_owned(), roles: roles.to_vec(), seat: None, queues: Vec::new() }
    }

    /// One row a role: w(atch), c(alls), n(umbers), m(ove), t(ag), a(dminister), h(and in), f(ollow), l(isten),
    /// q(ueues), s(eats), v(erbs), S(upervise), b(ack: who is to be rung).
    #[test]
    fn each_role_allows_what_it_should_and_nothing_else() {
        let allowed = |role| {
            let holder = holder(&[role]);
            RIGHTS
                .iter()
                .zip("wcnmtahflqsvSb".chars())
                .filter(|(right, _)| holder.may(**right))
                .map(|(_, c)| c)
                .collect::<String>()
        };
        let table = Role::ALL.map(|role| format!("{} {}", role.name(), allowed(role)));
        assert_eq!(
            table,
            [
                "monitor w",
                "viewer wcb",
                "operator wcmtb",
                "admin wcab",
                "unmasked n",
                "source h",
                "feed f",
                "listener l",
                "seat qsvb",
                "supervisor wqsvSb",
                "wallboard wq"
            ]
            .map(String::from)
        );
    }

    #[test]
    fn roles_add_up_and_none_allows_nothing() {
        let both = holder(&[Role::Viewer, Role::Unmasked]);
        assert!(both.may(Right::ReadCalls) && both.may(Right::SeeNumbers) && !both.may(Right::MoveCalls));
        assert!(RIGHTS.iter().all(|right| !holder(&[]).may(*right)));
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = holder(&[Role::Viewer]).must(Right::MoveCalls).unwrap_err();
        assert_eq!(missing.roles().collect::<Vec<_>>(), ["operator"]);
        let missing = holder(&[Role::Feed]).must(Right::ReadCalls).unwrap_err();
        assert_eq!(missing.roles().collect::<Vec<_>>(), ["viewer", "operator", "admin"]);
        for right in RIGHTS {
            assert!(Missing(right).roles().next().is_some(), "nobody may ever {right:?}");
        }
    }

    #[test]
    fn without_tokens_all_is_allowed_but_numbers_and_voices() {
        let anybody = Holder::anybody();
        let not: Vec<_> = RIGHTS.into_iter().filter(|right| !anybody.may(*right)).collect();
        assert_eq!(not, [Right::SeeNumbers, Right::Listen, Right::Supervise]);
    }

    #[test]
    fn a_seat_reaches_itself_a_supervisor_its_queues() {
        let queues = vec!["12345".to_owned()];
        let of = |roles: &[Role], seat: Option<&str>, queues: &[String]| Holder {
            seat: seat.map(Arc::from),
            queues: queues.to_vec(),
            ..holder(roles)
        };
        let seat = of(&[Role::Seat], Some("zhang"), &[]);
        assert_eq!(seat.reach(), Reach::Own);
        assert!(seat.is_seat("zhang") && !seat.is_seat("li"));
        assert_eq!(of(&[Role::Supervisor], None, &[]).reach(), Reach::All);
        assert_eq!(of(&[Role::Supervisor], None, &queues).reach(), Reach::Queues(&queues));
        let both = of(&[Role::Seat, Role::Supervisor], Some("zhang"), &queues);
        assert!(both.is_seat("zhang") && both.reach() == Reach::Queues(&queues));
        assert!(!of(&[Role::Supervisor], Some("zhang"), &[]).is_seat("zhang"), "it is no toolbar without the role");
        assert_eq!(Holder::anybody().reach(), Reach::All);
    }
}
