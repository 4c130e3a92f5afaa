//! Numbers that are registered with a carrier's IMS, which is a Kamailio that challenges, records its route and names a
//! Service-Route.

use super::request;
use crate::support::gateway::{Gateway, Spec};
use crate::support::kamailio::Kamailio;
use crate::support::sipp::Sipp;
use crate::support::{wait_for, wait_until};
use serde_json::Value;

const BY_UDP: &str = "[trunks.loopback.registrations.main]\naor = \"sip:+8669112345@ims.invalid\"\n\
                      user = \"8669112345@ims.invalid\"\nsecret = \"a password\"\n";
const BY_TCP: &str = "transport = \"tcp\"\n[trunks.loopback.registrations.main]\naor = \"sip:+8669112345@ims.invalid\"\n\
                      user = \"8669112345@ims.invalid\"\nsecret = \"a password\"\n";

/// The trunk as the API shows it.
fn trunk(gateway: &Gateway) -> Value {
    let (status, body) = gateway.get("/api/v1/trunks").unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["trunks"][0].take()
}

fn account(gateway: &Gateway) -> Value {
    trunk(gateway)["registrations"][0].take()
}

fn wait_until_registered(gateway: &Gateway) {
    wait_until("the account is registered", || account(gateway)["state"] == "registered");
}

/// A caller who calls the number at the carrier.
fn caller(gateway: &Gateway, scenario: &str) -> Sipp {
    let carrier = format!("{}:{}", gateway.host.ip, gateway.target);
    let caller = Sipp::new(gateway.folder.path(), scenario, &gateway.host, gateway.host.port()).listens(&gateway.host);
    caller.arg("-s").arg("+8669112345").arg(&carrier)
}

fn serves_calls(trunk: &'static str) {
    let mut gateway = Gateway::prepared(&Spec { trunk, ..Spec::default() });
    let callee = gateway.host.port();
    let _kamailio = Kamailio::start(&gateway, callee, 60);
    gateway.restart();
    wait_until_registered(&gateway);
    let shown = account(&gateway);
    assert_eq!((&shown["aor"], &shown["failure"]), (&"+86******45@ims.invalid".into(), &Value::Null), "{shown:#}");
    let left = shown["left_seconds"].as_u64().unwrap();
    assert!((50..=60).contains(&left), "{shown:#}");

    let seat = gateway.seat(0, "seat_answers").lasts(300).start();
    caller(&gateway, "caller_hangs_up").lasts(300).start().finish();
    seat.finish();
    let record = gateway.record();
    assert_eq!((&record["hotline"]["number"], &record["result"]), (&"12345".into(), &"answered".into()), "{record:#}");

    let target = Sipp::new(gateway.folder.path(), "seat_answers", &gateway.host, callee).lasts(300).start();
    gateway.caller("caller_hangs_up", "12366").lasts(300).start().finish();
    let rung = target.finish();
    let invite = request(&rung, "INVITE");
    assert!(invite.header("From").starts_with("<sip:+8669112345@ims.invalid>"), "the account's own number: {invite}");
    assert!(invite.header("Contact").starts_with("<sip:+8669112345@"), "as it is registered: {invite}");
    assert_eq!(invite.header("CSeq"), "2 INVITE", "the first was challenged");
    assert_eq!(gateway.record()["result"], "answered");
    wait_until("no legs", || gateway.metric("legs") == 0);

    assert_eq!(gateway.kill("-TERM"), Some(0));
    caller(&gateway, "caller_gets_404").start().finish();
}

#[test]
fn a_number_that_is_registered_by_udp_is_called_and_calls_out_through_its_carrier() {
    serves_calls(BY_UDP);
}

#[test]
fn a_number_that_is_registered_by_tcp_is_called_and_calls_out_through_its_carrier() {
    serves_calls(BY_TCP);
}

#[test]
fn a_carrier_that_dies_and_comes_back_has_the_number_again_by_itself() {
    let mut gateway = Gateway::prepared(&Spec { trunk: BY_UDP, sip: "t1 = \"50ms\"", ..Spec::default() });
    let mut kamailio = Kamailio::start(&gateway, gateway.target, 2);
    gateway.restart();
    wait_until_registered(&gateway);
    kamailio.restart(|| {
        wait_until("the registration ends", || account(&gateway)["state"] == "failing");
        assert!(!trunk(&gateway)["usable"].as_bool().unwrap());
    });
    wait_until_registered(&gateway);
    let seat = gateway.seat(0, "seat_answers").lasts(200).start();
    caller(&gateway, "caller_hangs_up").lasts(200).start().finish();
    seat.finish();
    assert!(gateway.log().contains("is registered with its carrier no more"));
}

#[test]
fn an_account_that_is_refused_is_told_everywhere() {
    for (trunk, cause, words) in [
        (BY_UDP.replace("a password", "another one"), "wrong_password", "does not take `user` with this `secret`"),
        (BY_UDP.to_owned() + "realm = \"other\"\n", "wrong_realm", "challenges for another realm"),
    ] {
        let mut gateway = Gateway::prepared(&Spec { trunk: Box::leak(trunk.into_boxed_str()), ..Spec::default() });
        let _kamailio = Kamailio::start(&gateway, gateway.target, 60);
        gateway.restart();
        let shown = wait_for("the refusal", || Some(account(&gateway)).filter(|shown| shown["state"] == "refused"));
        assert_eq!((&shown["failure"]["cause"], &shown["failure"]["status"]), (&cause.into(), &401.into()), "{shown:#}");
        assert!(shown["failure"]["reason"].as_str().unwrap().contains(words), "{shown:#}");
        let (log, told) = (gateway.log(), gateway.answer(&["trunks", "--lang", "en"]));
        assert!(log.contains("a carrier refuses an account") && log.contains(words), "{log}");
        assert!(!log.contains("another one") && !log.contains("+8669112345@"), "{log}");
        assert!(told.contains("refused") && told.contains(words), "{told}");
        let (_, metrics) = gateway.get("/metrics").unwrap();
        assert!(metrics.contains("hotline_trunk_refused{trunk=\"loopback\"} 1"), "{metrics}");
        assert!(metrics.contains("hotline_trunk_registered{trunk=\"loopback\"} 0"), "{metrics}");
        let (status, ready) = gateway.get("/readyz").unwrap();
        let alarm = "trunks whose carriers refuse all our accounts: 1 (`hotline trunks` says why)";
        assert!(status == 200 && ready.contains(alarm), "{ready}");
        let (_, status) = gateway.get("/api/v1/status").unwrap();
        assert!(status.contains(alarm), "{status}");
    }
}
