//! Our accounts with carriers: when they are registered and withdrawn, and what operators are told of them.
//!
//! Many a carrier ends the calls of an account that is withdrawn (3GPP TS 24.229 §5.4.1.4.1), and a call in progress may still
//! have to go out by it. So a gateway that drains withdraws its accounts when its last call is over.

use super::{DialledFrom, Output, Switch, Trunk, route};
use crate::base::{Flow, Hop, LegId, Masked, Mono, Now};
use crate::control::{FailureView, RegistrationView, TrunkView};
use crate::dialog::{Command, Incoming};
use crate::sip::{Header, Name, NameAddr, Status, Uri};
use crate::transaction;
use crate::ua::registration::{Account, News, Settings, Standing, Trouble};
use crate::ua::{AccountId, KnownAs};
use std::sync::Arc;

impl Switch {
    pub(super) fn configure_accounts(&mut self, now: Now, out: &mut Vec<Output>) {
        let all = self.setup.trunks.iter().flat_map(|trunk| trunk.registrations.iter().cloned()).collect();
        self.carriers.all.configure(&mut self.ua, now, all, &mut self.carriers.news);
        self.accounts_tell(now, out);
    }

    pub(super) fn accounts_tick(&mut self, now: Now, out: &mut Vec<Output>) {
        self.carriers.all.tick(&mut self.ua, now, &mut self.carriers.news);
        self.accounts_tell(now, out);
    }

    pub(super) fn account_hears(&mut self, now: Now, id: AccountId, event: transaction::Event, out: &mut Vec<Output>) {
        self.carriers.all.hear(&mut self.ua, now, id, event, &mut self.carriers.news);
        self.accounts_tell(now, out);
    }

    pub(super) fn accounts_lose_flow(&mut self, now: Now, flow: Flow, out: &mut Vec<Output>) {
        self.carriers.all.flow_failed(&mut self.ua, now, flow, &mut self.carriers.news);
        self.accounts_tell(now, out);
    }

    /// The hops of a trunk are known.
    pub(super) fn account_reached(&mut self, now: Now, id: LegId, hops: &[Hop], out: &mut Vec<Output>) {
        let Some(account) = self.carriers.finding.remove(&id) else { return };
        let flows = self.trunk_of(account).map_or(Vec::new(), |trunk| route::flows(&self.fixed, &trunk.sources, hops));
        self.carriers.all.reached(&mut self.ua, now, account, flows, &mut self.carriers.news);
        self.accounts_tell(now, out);
    }

    /// Whoever takes no new calls wants none sent here, but none of those in progress ended either.
    pub(super) fn accounts_follow_drain(&mut self, now: Now, out: &mut Vec<Output>) {
        if !self.draining && !self.carriers.withdrawn {
            return;
        }
        self.carriers.withdrawn = self.draining;
        let wanted = !self.draining || !self.calls.is_empty();
        self.carriers.all.wish(&mut self.ua, now, wanted, &mut self.carriers.news);
        self.accounts_tell(now, out);
        self.serve(now, out);
    }

    /// Does what the accounts want, and tells the log of them.
    fn accounts_tell(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(news) = self.carriers.news.pop() {
            // Seats behind its trunk come and go with it.
            self.look_at_remote_soon(now);
            match news {
                News::Find(id) => self.find_trunk(now, id, out),
                News::Registered(id) => self.tell_account(id, |settings| {
                    let (trunk, account, aor) = (&settings.trunk, &settings.name, masked(&settings.aor));
                    tracing::info!(%trunk, %account, aor, "registered with a carrier");
                }),
                News::Failed(id, trouble) => self.tell_account(id, |settings| tell_failure(settings, &trouble)),
                News::Lost(id) => self.tell_account(id, |settings| {
                    let (trunk, account, aor) = (&settings.trunk, &settings.name, masked(&settings.aor));
                    tracing::error!(%trunk, %account, aor, "an account is registered with its carrier no more: no call goes out by it");
                }),
            }
        }
    }

    fn tell_account(&self, id: AccountId, tell: impl FnOnce(&Settings)) {
        if let Some(account) = self.carriers.all.get(id) {
            tell(account.settings());
        }
    }

    fn find_trunk(&mut self, now: Now, id: AccountId, out: &mut Vec<Output>) {
        let Some(settings) = self.carriers.all.get(id).map(Account::settings) else { return };
        let (trunk, target) = (settings.trunk.clone(), settings.target.clone());
        let sources = self.trunk_of(id).map(|trunk| trunk.sources.as_slice()).unwrap_or_default();
        match route::way(&self.fixed, &target, sources) {
            Some((None, _)) => {
                self.carriers.finding.retain(|_, other| *other != id);
                let number = self.legs.next_id();
                self.carriers.finding.insert(number, id);
                out.push(Output::Resolve { id: number.0, trunk: Some(trunk), target });
            }
            found => {
                let flows = found.and_then(|(flow, _)| flow).into_iter().collect();
                self.carriers.all.reached(&mut self.ua, now, id, flows, &mut self.carriers.news);
            }
        }
    }

    /// The account whose Contact an INVITE is for, and its trunk: a call of theirs, whatever other trunk's networks hold its source too.
    /// It must come from the networks of this one.
    pub(super) fn by_account<'s>(&'s self, flow: Flow, uri: &Uri) -> Option<(usize, &'s Account)> {
        let host = flow.remote.ip();
        let of_trunk = |account: &'s Account| {
            let at = self.setup.trunks.iter().position(|trunk| trunk.name == account.settings().trunk)?;
            self.setup.trunks[at].sources.iter().any(|block| block.contains(host)).then_some((at, account))
        };
        let user = uri.user.as_deref()?;
        // One between us may write the host of our Contact otherwise than its carrier told us: the user is ours all the same.
        self.carriers
            .all
            .at_contact(user)
            .filter(|account| account.is_wanted())
            .filter_map(of_trunk)
            .max_by_key(|(_, account)| (account.is_called_at(uri, flow), account.is_bound()))
    }

    /// A call by an account is for the number that the carrier's network was asked for (RFC 7315 §4.2), else for the account's own: our
    /// Contact may have any name.
    pub(super) fn called_by_account(&self, flow: Flow, uri: &Uri, headers: &[Header]) -> Option<(Uri, DialledFrom)> {
        let (_, account) = self.by_account(flow, uri)?;
        let called = headers.iter().find(|header| header.name == Name::PCalledPartyId);
        let called = called.and_then(|header| NameAddr::parse(&header.value)).map(|address| address.uri);
        let called = called.filter(|uri| uri.user.is_some()).map(|uri| (uri, DialledFrom::PCalledPartyId));
        Some(called.unwrap_or_else(|| (account.settings().aor.clone(), DialledFrom::Account)))
    }

    /// The leg answers with the Contact that is registered, and proves itself where its carrier asks. Returns where the number stands.
    pub(super) fn comes_by_account(&mut self, now: Now, incoming: &mut Incoming, out: &mut Vec<Output>) -> Option<DialledFrom> {
        let (called, place) = self.called_by_account(incoming.flow, &incoming.uri, &incoming.headers)?;
        let (_, account) = self.by_account(incoming.flow, &incoming.uri)?;
        let (login, contact) = (account.login(), account.contact(incoming.flow));
        let known_as = Arc::new(KnownAs { login, contact });
        incoming.uri = called;
        self.leg_command(now, Command::KnownAs { leg: incoming.leg, known_as }, out);
        Some(place)
    }

    fn trunk_of(&self, id: AccountId) -> Option<&Trunk> {
        let name = &self.carriers.all.get(id)?.settings().trunk;
        self.setup.trunks.iter().find(|trunk| trunk.name == *name)
    }

    /// Every trunk, in the order of the configuration.
    pub(super) fn all_trunks(&self, now: Now) -> Vec<TrunkView> {
        let view = |trunk: &Trunk| {
            let mut registrations: Vec<_> =
                self.carriers.all.of(&trunk.name).map(|account| registration(account, now.mono)).collect();
            registrations.sort_by(|a, b| a.name.cmp(&b.name));
            let usable = registrations.is_empty() || registrations.iter().any(|it| it.left.is_some());
            let (channels, taken) = (trunk.channels, self.channels.of(&trunk.name));
            let peers = self.peers_of(now, trunk);
            TrunkView { trunk: trunk.name.clone(), channels, taken, usable, peers, registrations }
        };
        self.setup.trunks.iter().map(view).collect()
    }
}

fn registration(account: &Account, now: Mono) -> RegistrationView {
    let Settings { name, aor, .. } = account.settings();
    let failure = |trouble: &Trouble| FailureView {
        cause: trouble.cause.name(),
        words: trouble.cause.words(),
        status: trouble.status.map(|Status(status)| status),
        ago: now.since(trouble.at),
    };
    RegistrationView {
        name: name.clone(),
        aor: masked(aor),
        state: match account.standing(now) {
            Standing::Registered => "registered",
            Standing::Trying => "trying",
            Standing::Failing => "failing",
            Standing::Refused => "refused",
            Standing::Withdrawn => "withdrawn",
        },
        left: account.bound(now).map(|bound| bound.until.since(now)),
        next: account.next().map(|next| next.since(now)),
        failure: account.trouble().map(failure),
    }
}

/// One that only people can mend is an alarm.
fn tell_failure(settings: &Settings, trouble: &Trouble) {
    let (trunk, account, aor) = (&settings.trunk, &settings.name, masked(&settings.aor));
    let (status, why) = (trouble.status.map(|status| status.0), trouble.cause.words());
    match trouble.cause.is_refusal() {
        true => tracing::error!(
            %trunk, %account, aor, status, "a carrier refuses an account: no call goes out by it, and it is tried again slowly: {why}"
        ),
        false => tracing::warn!(%trunk, %account, aor, status, "an account could not be registered: {why}"),
    }
}

/// The domain is no person's.
fn masked(aor: &Uri) -> String {
    format!("{}@{}", Masked(aor.user.as_deref().unwrap_or_default()), aor.host)
}
