//! Our accounts with carriers, as the switch is told them.

use super::peers::Trunk;
use super::registration::{Registration, ShownIdentity, not_an_identity};
use crate::base::{Place, Target, Text, Transport};
use crate::sip::{Host, NameAddr, Uri};
use crate::ua::Login;
use crate::ua::registration::{Settings, Shows};

/// The accounts of a trunk, as the switch is told them.
pub(super) fn settings(name: &str, trunk: &Trunk, target: &Target) -> Result<Vec<Settings>, Text> {
    let enabled = trunk.registrations.iter().filter(|(_, account)| account.enabled);
    enabled.map(|(account, registration)| one((name, account), registration, target)).collect()
}

fn one((name, account): (&str, &str), registration: &Registration, target: &Target) -> Result<Settings, Text> {
    let at = |problem: Text| both!("trunk `{name}`, account `{account}`: ", "中继 `{name}` 账号 `{account}`：").then(&problem);
    let aor = registration.identity().ok_or_else(|| at(not_an_identity()))?;
    let user = match registration.user.is_empty() {
        true => aor.user.clone().unwrap_or_default(),
        false => registration.user.clone(),
    };
    let realm = Some(registration.realm.clone()).filter(|realm| !realm.is_empty());
    Ok(Settings {
        trunk: name.into(),
        name: account.into(),
        login: Login { user, password: registration.password().map_err(at)?, realm },
        contact: registration.contact(),
        expires: registration.expires,
        routes: if registration.route { vec![proxy(target)] } else { Vec::new() },
        outbound: registration.outbound,
        shows: match registration.identity {
            ShownIdentity::Own => Shows::Own,
            ShownIdentity::Caller => Shows::Caller,
        },
        target: target.clone(),
        aor,
    })
}

/// The Route that leads to the trunk's address.
fn proxy(target: &Target) -> NameAddr {
    let (host, port) = match &target.place {
        Place::At(address) => (Host::Ip(address.ip()), Some(address.port())),
        Place::Named(name, port) => (Host::Name(name.to_string()), *port),
    };
    let mut uri = Uri::sip("", host, port);
    if target.transport == Transport::Tcp {
        uri.params.set("transport", Some("tcp"));
    }
    uri.params.set("lr", None);
    NameAddr::new(uri)
}
