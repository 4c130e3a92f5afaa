//! Emergencies find a way through trunks whose channels are taken, in whatever order their legs come.

use super::transfer::Scene;
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::wait_until;
use serde_json::{Value, json};

fn phone(gateway: &Gateway) -> Phone {
    Phone::new("110-caller", gateway.host.port(), gateway)
}

/// A caller of 110 who is answered there.
fn helped(gateway: &Gateway, line: &mut Phone) -> Phone {
    let mut caller = phone(gateway);
    caller.invite("110");
    let rung = line.ring();
    assert!(rung.start_line().starts_with("INVITE sip:110@"), "{rung}");
    line.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller
}

#[test]
fn a_caller_of_110_gets_through_by_one_trunk_in_every_order_of_legs() {
    for channels in ["channels = 2\nreserved = 1", "channels = 3\nreserved = 2", "channels = 3\nreserved = 1"] {
        // An ordinary call has a channel: the caller's leg, or the one beside it, may be one of those that are kept.
        let mut scene = Scene::with(&Spec { trunk: channels, ..Spec::default() });
        let mut caller = helped(&scene.gateway, &mut scene.target);
        let mut late = Phone::new("late", scene.gateway.host.port(), &scene.gateway);
        late.invite("12345");
        late.status(503, "INVITE");
        late.ack();
        caller.bye();
        scene.target.hung_up();
        scene.caller.bye();
        scene.seat.hung_up();
        // None is taken: in by an ordinary one, out by one that is kept.
        wait_until("idle", || scene.gateway.metric("calls") == 0);
        let mut caller = helped(&scene.gateway, &mut scene.target);
        caller.bye();
        scene.target.hung_up();
    }
}

#[test]
fn where_no_channel_is_left_the_line_is_tried_and_a_seat_keeps_its_caller() {
    let mut scene = Scene::with(&Spec { trunk: "channels = 2\nreserved = 1", ..Spec::default() });
    let mut first = helped(&scene.gateway, &mut scene.target);
    // Three channels of two are in use. One more caller is told at once, so that its carrier finds another way; one who calls for
    // help is let in.
    let mut second = phone(&scene.gateway);
    second.invite("12345");
    let refused = second.status(503, "INVITE");
    second.ack();
    assert_eq!(refused.headers("Retry-After").len(), 1, "{refused}");
    // The seat's caller is there: the line is called all the same, and its carrier has none either.
    let mut line = std::mem::replace(&mut scene.target, phone(&scene.gateway));
    let moved = scene.api("POST", "/transfer", json!({ "to": "110", "mode": "emergency" }), "help");
    assert_eq!(moved.0, 202, "{}", moved.1);
    let other = line.request_received("INVITE");
    assert!(other.start_line().starts_with("INVITE sip:110@"), "{other}");
    line.turns_away(&other, 503);
    wait_until("the seat and its caller", || {
        let (_, shown) = scene.api("GET", "", Value::Null, "look");
        shown["legs"].as_array().map(Vec::len) == Some(2)
    });
    first.bye();
    line.hung_up();
    scene.gateway.record();
    scene.caller.bye();
    scene.seat.hung_up();
    assert_eq!(scene.gateway.record()["transfers"][0]["result"], "failed");
}

#[test]
fn of_two_trunks_to_an_emergency_line_the_one_with_room_comes_first_and_the_other_is_tried() {
    let plan = "[plan]\nname = \"two\"\narea = \"691\"\nzone = \"Asia/Shanghai\"\nqueue = \"12345\"\n\
         [[line]]\nnumber = \"12345\"\nname = \"front\"\nmode = \"front\"\n\
         [[line]]\nnumber = \"12366\"\nname = \"tax\"\nmode = \"sub-center\"\n\
         [[line]]\nnumber = \"110\"\nname = \"police\"\nmode = \"emergency\"\n\
         targets = [{ number = \"110\", trunk = \"loopback\" }, { number = \"110\", trunk = \"other\" }]\n";
    let spec = Spec { trunk: "channels = 1\nreserved = 0", plan: Some(plan.to_owned()), ..Spec::default() };
    let mut gateway = Gateway::prepared(&spec);
    let (ip, port) = (gateway.host.ip, gateway.host.port());
    let site = gateway.folder.path().join("site.toml");
    let other = format!("\n[trunks.other]\naddresses = [\"{ip}\"]\nport = {port}\nchannels = 4\nreserved = 1\n");
    let (of_both, of_one) = (format!("addresses = [\"{ip}\", \"127.0.0.0/8\"]"), "addresses = [\"127.0.0.0/8\"]");
    let text = std::fs::read_to_string(&site).unwrap();
    let text = text.replace(&of_both, &format!("{of_one}\naddress = \"{ip}:{}\"", gateway.target));
    std::fs::write(&site, text + &other).unwrap();
    gateway.restart();
    let (mut near, mut far) = (Phone::new("near", gateway.target, &gateway), Phone::new("far", port, &gateway));
    // All callers come by the other trunk here.
    let mut caller = helped(&gateway, &mut near);
    caller.bye();
    near.hung_up();
    gateway.record();
    let mut ordinary = Phone::new("ordinary", gateway.host.port(), &gateway);
    ordinary.invite("12366");
    near.ring();
    near.answer();
    ordinary.status(200, "INVITE");
    ordinary.ack();
    let mut caller = helped(&gateway, &mut far);
    caller.bye();
    far.hung_up();
    gateway.record();
    // The one with room refuses: the full one is tried.
    let mut caller = phone(&gateway);
    caller.invite("110");
    far.ring();
    far.refuse(503);
    let tried = near.request_received("INVITE");
    assert!(tried.start_line().starts_with("INVITE sip:110@"), "{tried}");
    near.turns_away(&tried, 503);
    caller.status(500, "INVITE");
}
