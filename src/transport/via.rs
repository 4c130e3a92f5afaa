use crate::base::Flow;
use crate::sip::{Headers, Host, Name, Via};

/// Writes into the topmost Via where the request really came from: `received` when sent-by names another host (RFC 3261
/// §18.2.1); with rport, both `received` and the port (RFC 3581 §4). A value that the sender put there itself is replaced.
///
/// For requests, before the transaction layer sees them, and for the answer of a `ParseError`.
pub fn note_source(headers: &mut Headers, flow: Flow) {
    let Some(via) = headers.via() else { return };
    let source = flow.remote.ip().to_canonical();
    let rport = via.param("rport").is_some();
    if via.host == Host::Ip(source) && !rport {
        return;
    }
    if let Some(top) = headers.0.iter_mut().find(|h| h.name == Name::Via) {
        top.value = Via::noted(&top.value, source, rport.then_some(flow.remote.port())).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Proto;

    fn noted(via: &str, remote: &str) -> String {
        let mut headers = Headers::default();
        headers.push(Name::Via, via.to_owned());
        headers.push(Name::Via, "SIP/2.0/UDP below;branch=b0");
        let remote = remote.parse().unwrap();
        note_source(&mut headers, Flow { proto: Proto::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote });
        assert_eq!(headers.all(&Name::Via).nth(1).unwrap(), "SIP/2.0/UDP below;branch=b0");
        headers.text(&Name::Via).unwrap()
    }

    #[test]
    fn the_source_is_noted_where_it_differs_or_is_asked_for() {
        let at = "192.0.2.7:40000";
        assert_eq!(noted("SIP/2.0/UDP 192.0.2.7:5066;branch=b1", at), "SIP/2.0/UDP 192.0.2.7:5066;branch=b1");
        assert_eq!(noted("SIP/2.0/UDP pbx:5066;branch=b1", at), "SIP/2.0/UDP pbx:5066;branch=b1;received=192.0.2.7");
        assert_eq!(
            noted("SIP/2.0/UDP 192.0.2.7;rport;branch=b1", at),
            "SIP/2.0/UDP 192.0.2.7;branch=b1;received=192.0.2.7;rport=40000"
        );
        assert_eq!(
            noted("SIP/2.0/TCP 10.0.0.1;received=203.0.113.9;rport=1", at),
            "SIP/2.0/TCP 10.0.0.1;received=192.0.2.7;rport=40000"
        );
        assert_eq!(
            noted("SIP/2.0/UDP 192.0.2.7 ; RPORT = 1;;branch=b1; Received=\"a;b\" ;x=\"q;rport\"", at),
            "SIP/2.0/UDP 192.0.2.7;branch=b1;x=\"q;rport\";received=192.0.2.7;rport=40000"
        );
        assert_eq!(noted("SIP/2.0/UDP h", "[2001:db8::7]:5060"), "SIP/2.0/UDP h;received=2001:db8::7");
        assert_eq!(noted("SIP/2.0/UDP 192.0.2.7", "[::ffff:192.0.2.7]:5060"), "SIP/2.0/UDP 192.0.2.7");
        assert_eq!(noted("nonsense", at), "nonsense");
    }
}
