//! Decides who may ask what: roles that a token carries, what each allows, and what is missing when something is not allowed.

use serde::{Deserialize, Serialize};

/// A right is what a request needs leave for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Figures and state, nothing of any call.
    Watch,
    /// Live calls and records, callers masked.
    ReadCalls,
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
}

impl Role {
    pub const ALL: [Role; 8] =
        [Role::Monitor, Role::Viewer, Role::Operator, Role::Admin, Role::Unmasked, Role::Source, Role::Feed, Role::Listener];

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
        }
    }

    pub fn rights(self) -> &'static [Right] {
        match self {
            Role::Monitor => &[Right::Watch],
            Role::Viewer => &[Right::Watch, Right::ReadCalls],
            Role::Operator => &[Right::Watch, Right::ReadCalls, Right::MoveCalls, Right::TagCalls],
            Role::Admin => &[Right::Watch, Right::ReadCalls, Right::Manage],
            Role::Unmasked => &[Right::SeeNumbers],
            Role::Source => &[Right::HandIn],
            Role::Feed => &[Right::Follow],
            Role::Listener => &[Right::Listen],
        }
    }
}

/// The holder of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The token's name in the configuration.
    pub name: String,
    pub roles: Vec<Role>,
}

impl Holder {
    /// Anybody, where nobody needs a token. Numbers in full and voices are for somebody with a name only.
    pub fn anybody() -> Holder {
        let named = [Role::Unmasked, Role::Listener];
        let roles = Role::ALL.into_iter().filter(|role| !named.contains(role)).collect();
        Holder { name: "anybody".to_owned(), roles }
    }

    pub fn may(&self, right: Right) -> bool {
        self.roles.iter().any(|role| role.rights().contains(&right))
    }

    /// Or else what is missing.
    pub fn must(&self, right: Right) -> Result<(), Missing> {
        if self.may(right) { Ok(()) } else { Err(Missing(right)) }
    }
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

    const RIGHTS: [Right; 9] = [
        Right::Watch,
        Right::ReadCalls,
        Right::SeeNumbers,
        Right::MoveCalls,
        Right::TagCalls,
        Right::Manage,
        Right::HandIn,
        Right::Follow,
        Right::Listen,
    ];

    fn holder(roles: &[Role]) -> Holder {
        Holder { name: "x".to_owned(), roles: roles.to_vec() }
    }

    /// One row a role: w(atch), c(alls), n(umbers), m(ove), t(ag), a(dminister), h(and in), f(ollow), l(isten).
    #[test]
    fn each_role_allows_what_it_should_and_nothing_else() {
        let allowed = |role| {
            let holder = holder(&[role]);
            RIGHTS.iter().zip("wcnmtahfl".chars()).filter(|(right, _)| holder.may(**right)).map(|(_, c)| c).collect::<String>()
        };
        let table = Role::ALL.map(|role| format!("{} {}", role.name(), allowed(role)));
        assert_eq!(
            table,
            ["monitor w", "viewer wc", "operator wcmt", "admin wca", "unmasked n", "source h", "feed f", "listener l"]
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
        assert_eq!(not, [Right::SeeNumbers, Right::Listen]);
    }
}
