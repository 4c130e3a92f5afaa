use crate::base::Proto;
use crate::sip::{Host, NameAddr, Scheme, Uri};
use std::net::SocketAddr;

/// The request URI and Route headers of a request to `target` along a route set (RFC 3261 §12.2.1.1).
///
/// Behind a strict router (its URI lacks `lr`) the target travels as the last Route, and the router's URI is the
/// request's.
pub fn route(target: &Uri, routes: &[NameAddr]) -> (Uri, Vec<NameAddr>) {
    match routes {
        [first, rest @ ..] if first.uri.params.get("lr").is_none() => {
            let mut routes = rest.to_vec();
            routes.push(NameAddr::new(target.clone()));
            (Uri { headers: None, ..first.uri.clone() }, routes)
        }
        _ => (target.clone(), routes.to_vec()),
    }
}

/// Where a request goes: to its first Route, else to its URI (RFC 3261 §8.1.2). `None` when that is a name, a tel URI
/// or a transport that we do not speak: the caller then keeps to the flow it knows.
pub fn next_hop(uri: &Uri, routes: &[NameAddr]) -> Option<(Proto, SocketAddr)> {
    let uri = routes.first().map_or(uri, |r| &r.uri);
    let proto = match uri.params.get("transport") {
        _ if uri.scheme != Scheme::Sip => return None,
        None => Proto::Udp,
        Some(t) => [Proto::Udp, Proto::Tcp, Proto::Tls].into_iter().find(|p| t.eq_ignore_ascii_case(p.via()))?,
    };
    let maddr = uri.params.get("maddr").map(|m| Host::parse(m.as_bytes()));
    match maddr.unwrap_or(Some(uri.host.clone()))? {
        Host::Ip(ip) => Some((proto, SocketAddr::new(ip, uri.port.unwrap_or(if proto == Proto::Tls { 5061 } else { 5060 })))),
        Host::Name(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text.as_bytes()).unwrap()
    }

    fn routes(texts: &[&str]) -> Vec<NameAddr> {
        texts.iter().map(|t| NameAddr::parse(t.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn literal_addresses_are_found() {
        let hop = |text: &str| next_hop(&uri(text), &[]).map(|(p, a)| format!("{p:?} {a}"));
        assert_eq!(hop("sip:a@192.0.2.7").as_deref(), Some("Udp 192.0.2.7:5060"));
        assert_eq!(hop("sip:a@[2001:db8::7]:5070;transport=TCP").as_deref(), Some("Tcp [2001:db8::7]:5070"));
        assert_eq!(hop("sip:a@192.0.2.7;transport=tls").as_deref(), Some("Tls 192.0.2.7:5061"));
        assert_eq!(hop("sip:a@h;maddr=192.0.2.8").as_deref(), Some("Udp 192.0.2.8:5060"));
        for none in ["sip:a@pbx.example", "sip:192.0.2.7;transport=ws", "sips:192.0.2.7", "tel:12345", "sip:192.0.2.7;maddr=h"] {
            assert_eq!(hop(none), None, "{none}");
        }
        assert_eq!(
            next_hop(&uri("sip:a@192.0.2.7"), &routes(&["<sip:192.0.2.9;lr>"])).unwrap().1,
            "192.0.2.9:5060".parse().unwrap()
        );
    }

    #[test]
    fn loose_and_strict_routers() {
        let target = uri("sip:c@192.0.2.7");
        let set = routes(&["<sip:p1;lr>", "<sip:p2>"]);
        assert_eq!(route(&target, &set), (target.clone(), set));
        assert_eq!(
            route(&target, &routes(&["<sip:p1>", "<sip:p2;lr>"])),
            (uri("sip:p1"), routes(&["<sip:p2;lr>", "<sip:c@192.0.2.7>"]))
        );
        assert_eq!(route(&target, &[]), (target.clone(), vec![]));
    }
}
