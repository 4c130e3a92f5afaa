//! Tests of what is no call: OPTIONS, keep-alives, and requests that are refused before they become one.

use super::transfer::Scene;
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::wait_for;

fn phone(gateway: &Gateway) -> Phone {
    Phone::new("asker", gateway.host.port(), gateway)
}

#[test]
fn options_is_told_what_an_invite_would_get() {
    let idle = Gateway::start(&Spec::default());
    let mut carrier = phone(&idle);
    let told = ["", "12345@", "110@", "12336@", "99999@", "nobody@"].map(|user| carrier.asks(user).status());
    assert_eq!(told, [200, 200, 200, 410, 404, 404]);

    let scene = Scene::with(&Spec { trunk: "channels = 2\nreserved = 1", ..Spec::default() });
    let mut carrier = phone(&scene.gateway);
    let full = carrier.asks("");
    assert_eq!((full.status(), full.headers("Retry-After").len()), (503, 1), "{full}");
    assert_eq!((carrier.asks("12345@").status(), carrier.asks("110@").status()), (503, 200), "a channel is kept for emergencies");
    let address = scene.gateway.http;
    crate::support::http::send(address, "POST", "/api/v1/drain", "", "").unwrap();
    assert_eq!((carrier.asks("").status(), carrier.asks("110@").status()), (503, 503));
}

#[test]
fn what_is_refused_before_it_becomes_a_call_is_said_and_counted() {
    let gateway = Gateway::start(&Spec::default());
    let mut caller = phone(&gateway);
    caller.headers = "Require: precondition\r\n";
    caller.invite("12%1b%0a");
    caller.status(420, "INVITE");
    caller.ack();
    let line =
        wait_for("a line", || gateway.log().lines().find(|line| line.contains("before it became a call")).map(String::from));
    for said in ["status=420", "trunk=\"loopback\"", "Bad Extension", "asker", "number=12\\u{1b}\\u{a} "] {
        assert!(line.contains(said), "{line}");
    }
    let figures = wait_for("its count", || gateway.get("/metrics").filter(|(_, text)| text.contains("refused_total{")));
    assert!(figures.1.contains("hotline_refused_total{status=\"420\"} 1"), "{}", figures.1);
}

#[test]
fn keep_alives_are_no_messages() {
    let gateway = Gateway::start(&Spec::default());
    let mut phone = phone(&gateway);
    for ping in ["\r\n", "\r\n\r\n", "\0\0\0\0", "\0", "\n", " \r\n"] {
        phone.send(ping);
    }
    assert_eq!(phone.asks("").status(), 200);
    let received = wait_for("the count", || Some(gateway.metric("messages_received_total")).filter(|count| *count > 0));
    assert_eq!((gateway.metric("messages_malformed_total"), received), (0, 1));
    phone.send("nonsense");
    wait_for("its count", || (gateway.metric("messages_malformed_total") == 1).then_some(()));
}
