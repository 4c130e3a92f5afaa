//! A seat's calls: lost BYEs, and transfers of every length.

use crate::calls::recorder::ready;
use crate::calls::transfer::{Scene, second_line};
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::wait_for;
use serde_json::{Value, json};

/// A second caller rings the seat, which takes the call: it is neither in a call for ever nor signed out.
fn takes_another(scene: &Scene, seat: &mut Phone) {
    let mut caller = Phone::new("another", scene.gateway.host.port(), &scene.gateway);
    caller.invite("12345");
    seat.ring();
    seat.answer();
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    seat.hung_up();
}

/// Seats that have signed in, so that something could sign them out.
fn scene(more: &'static str) -> (Scene, Phone) {
    let queue = "[queues.experts]\nseats = [\"desk-1\"]\n";
    let desks = "sign_in = \"asked\"\n";
    let gateway = Gateway::start(&Spec { seats: vec![1, 1], queue, desks, recording: Some(more), ..Spec::default() });
    for seat in ["desk-0", "desk-1"] {
        let (status, text) = gateway.http("POST", &format!("/api/v1/seats/{seat}/login")).unwrap();
        assert_eq!(status, 200, "{text}");
    }
    let scene = Scene::on(gateway);
    let expert = Phone::new("expert", scene.gateway.seats[1], &scene.gateway);
    (scene, expert)
}

fn intent(scene: &Scene, seat: &str) -> Value {
    let (_, text) = scene.gateway.get(&format!("/api/v1/seats/{seat}")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["seat"]["intent"].take()
}

/// The seat's phone never answers our BYE, nor says one itself: no leg lives any more, and so it is free.
#[test]
fn row_01_a_lost_bye_leaves_no_seat_in_a_call() {
    let mut scene = Scene::with(&Spec { seats: vec![1], ..Spec::default() });
    scene.caller.bye();
    let mut seat = Phone::new("seat", scene.gateway.host.port(), &scene.gateway);
    std::mem::swap(&mut seat, &mut scene.seat);
    takes_another(&scene, &mut seat);
    assert_eq!(scene.gateway.record()["result"], "answered");
}

/// Both ways of an attended transfer: by the seat's two lines and by a program.
#[test]
fn row_23_an_attended_transfer_logs_no_seat_out() {
    for by_phone in [true, false] {
        let (mut scene, mut expert) = scene("");
        let mut seat = if by_phone {
            let mut line = second_line(&mut scene, "12366");
            scene.target.ring();
            scene.target.answer();
            line.status(200, "INVITE");
            line.ack();
            let host = scene.gateway.host.ip;
            let replaces = line.replaces().replace(';', "%3B").replace('=', "%3D").replace('@', "%40");
            scene.seat.headers = crate::calls::transfer::line(format!("Refer-To: <sip:12366@{host}?Replaces={replaces}>"));
            scene.seat.refer();
            scene.seat.status(202, "REFER");
            scene.seat.hung_up();
            line.hung_up();
            std::mem::replace(&mut scene.seat, line)
        } else {
            assert_eq!(scene.api("POST", "/transfer", json!({ "to": "12366", "mode": "consult" }), "1").0, 202);
            scene.target.ring();
            scene.target.answer();
            wait_for("the end", || (scene.api("POST", "/transfer/complete", Value::Null, "2").0 == 202).then_some(()));
            scene.seat.hung_up();
            let other = Phone::new("other", scene.gateway.host.port(), &scene.gateway);
            std::mem::replace(&mut scene.seat, other)
        };
        assert_eq!((intent(&scene, "desk-0"), intent(&scene, "desk-1")), (json!("ready"), json!("ready")));
        // The other seat has done nothing yet and would be first: it refuses.
        let mut caller = Phone::new("another", scene.gateway.host.port(), &scene.gateway);
        caller.invite("12345");
        expert.ring();
        expert.refuse(486);
        seat.ring();
        seat.answer();
        caller.status(200, "INVITE");
        caller.ack();
        caller.bye();
        seat.hung_up();
        scene.caller.bye();
        scene.target.hung_up();
        assert_eq!(scene.gateway.record()["result"], "answered");
        assert_eq!(intent(&scene, "desk-0"), "ready");
    }
}

/// How long the caller hears music.
const MUSIC: std::time::Duration = std::time::Duration::from_millis(500);

/// Queue, another queue, and an attended transfer: one call, one record, one recording.
#[test]
fn row_24_recording_and_record_belong_to_the_call_however_often_it_is_moved() {
    let (mut scene, mut expert) = scene("");
    assert_eq!(scene.api("POST", "/transfer", json!({ "to": "queue:experts", "mode": "blind" }), "1").0, 202);
    scene.seat.hung_up();
    let rung = expert.ring();
    assert_eq!(rung.header("X-Hotline-Call-ID"), scene.call);
    expert.answer();
    wait_for("a consultation", || {
        (scene.api("POST", "/transfer", json!({ "to": "12366", "mode": "consult" }), "2").0 == 202).then_some(())
    });
    let fetched = scene.target.ring();
    assert_eq!(fetched.header("X-Hotline-Call-ID"), scene.call);
    // The caller hears music meanwhile, which the recording has: a call of no sound at all has none.
    std::thread::sleep(MUSIC);
    scene.target.answer();
    wait_for("the end", || (scene.api("POST", "/transfer/complete", Value::Null, "3").0 == 202).then_some(()));
    expert.hung_up();
    scene.caller.bye();
    scene.target.hung_up();
    let ready = ready(&scene.gateway)["data"].clone();
    assert_eq!((&ready["recording"]["state"], &ready["recording"]["id"]), (&json!("ready"), &json!(scene.call)), "{ready:#}");
    assert_eq!(ready["call_id"], json!(scene.call));
    let moves = ready["transfers"].as_array().unwrap();
    assert_eq!(moves.iter().map(|it| it["result"].clone()).collect::<Vec<_>>(), ["completed", "completed"], "{ready:#}");
    assert_eq!((&ready["seat"]["id"], &ready["target"]), (&json!("desk-1"), &json!("12366")), "{ready:#}");
    assert_eq!(ready["legs"].as_array().unwrap().len(), 4, "{ready:#}");
}
