//! The REGISTER of an account, and who its carrier knows us as.

use super::Settings;
use super::account::Account;
use crate::base::{Flow, Proto};
use crate::sip::digest::{Algorithm, Secret};
use crate::sip::{Host, Method, Name, NameAddr, Request, Uri};
use crate::ua::{ALLOW, Login};
use std::time::Duration;

impl Account {
    pub(super) fn request(&mut self, flow: Flow, expires: Duration) -> Request {
        self.seq = self.seq.saturating_add(1);
        let Settings { aor, routes, .. } = &self.settings;
        // The registrar's domain as it is configured, whatever it resolves to (RFC 3261 §10.2).
        let domain = Uri { user: None, params: Default::default(), ..aor.clone() };
        let (seconds, party) = (expires.as_secs(), NameAddr::new(aor.clone()));
        let mut request = Request::new(Method::Register, domain);
        let headers = &mut request.headers;
        headers.push(Name::MaxForwards, "70");
        routes.iter().for_each(|route| headers.push(Name::Route, route.to_string()));
        headers.push(Name::From, format!("{party};tag={}", self.tag));
        headers.push(Name::To, party.to_string());
        headers.push(Name::CallId, self.call_id.clone());
        headers.push(Name::CSeq, format!("{} REGISTER", self.seq));
        let (contact, instance) = (self.contact(flow), self.instance());
        headers.push(Name::Contact, format!("<{contact}>{instance};expires={seconds}"));
        headers.push(Name::Expires, seconds.to_string());
        headers.push(Name::Supported, if self.outbound { "path, outbound" } else { "path" });
        headers.push(Name::Allow, ALLOW);
        request
    }

    /// As whom its carrier knows us in calls: in the realm where it has taken our password, and in no other. Whoever is called may
    /// challenge us, too.
    pub fn login(&self) -> Login {
        let realm = self.settings.login.realm.as_deref().or(self.proofs.realm());
        Login { realm: realm.map(str::to_owned), ..self.settings.login.clone() }
    }

    /// Where calls for it reach us.
    pub fn contact(&self, flow: Flow) -> Uri {
        let mut uri = Uri::sip(&self.settings.contact, Host::Ip(flow.local.ip()), Some(flow.local.port()));
        match flow.proto {
            Proto::Udp => {}
            Proto::Tcp => uri.params.set("transport", Some("tcp")),
            Proto::Tls => uri.params.set("transport", Some("tls")),
        }
        if self.outbound {
            uri.params.set("ob", None);
        }
        uri
    }

    /// A call for this URI is for our Contact, as we or its carrier write it. The carrier may hold it from before we started, or from
    /// before it refused us.
    pub fn is_called_at(&self, uri: &Uri, flow: Flow) -> bool {
        match self.last_bound() {
            Some(bound) => {
                [Some(&bound.contact), bound.contact_there.as_ref()].into_iter().flatten().any(|ours| uri.same_place(ours))
            }
            None => self.is_wanted() && uri.same_place(&self.contact(flow)),
        }
    }

    /// RFC 5626 §4.1: the same after a restart, so it follows from the account.
    fn instance(&self) -> String {
        if !self.outbound {
            return String::new();
        }
        let Settings { aor, contact, .. } = &self.settings;
        let hash = Secret::new(Algorithm::Md5, &aor.to_string(), contact, "").hash().to_owned();
        let parts = [hash.get(..8), hash.get(8..12), hash.get(13..16), hash.get(17..20), hash.get(20..32)];
        let [a, b, c, d, e] = parts.map(Option::unwrap_or_default);
        format!(";reg-id=1;+sip.instance=\"<urn:uuid:{a}-{b}-3{c}-8{d}-{e}>\"")
    }
}
