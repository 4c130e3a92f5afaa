//! Accounts with a carrier in a running program: reloads that add, change, rename and remove them, and a challenge in the midst of
//! what a caller hears.

use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use crate::support::registry::{Registry, Taken};
use crate::support::tone::{amplitude, heard};
use crate::support::wait_for;
use serde_json::Value;
use std::fs;

const FIRST: &str =
    "[trunks.loopback.registrations.first]\naor = \"sip:+8669112345@ims.invalid\"\nuser = \"one\"\nsecret = \"a\"\n";
const SECOND: &str =
    "[trunks.loopback.registrations.second]\naor = \"sip:+8669112348@ims.invalid\"\nuser = \"two\"\nsecret = \"b\"\n";

/// The site's file with this instead of that; whatever reads it sees all or nothing of it.
fn rewrite(gateway: &Gateway, old: &str, new: &str) {
    let (path, next) = (gateway.folder.path().join("site.toml"), gateway.folder.path().join("site.new"));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{text}");
    fs::write(&next, text.replace(old, new)).unwrap();
    fs::rename(next, path).unwrap();
}

fn reload(gateway: &Gateway) {
    let (status, body) = gateway.http("POST", "/api/v1/reload").unwrap();
    assert_eq!(status, 200, "{body}");
}

/// The trunk, name and state of each account.
fn accounts(gateway: &Gateway) -> Vec<String> {
    let (_, body) = gateway.get("/api/v1/trunks").unwrap();
    let trunks = serde_json::from_str::<Value>(&body).unwrap()["trunks"].take();
    let mut all = Vec::new();
    for trunk in trunks.as_array().unwrap() {
        for account in trunk["registrations"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            all.push(format!("{} {} {}", text(&trunk["trunk"]), text(&account["registration"]), text(&account["state"])));
        }
    }
    all
}

#[test]
fn reloads_add_change_rename_and_remove_accounts_and_touch_no_others() {
    let mut gateway = Gateway::prepared(&Spec { trunk: FIRST, ..Spec::default() });
    let registry = Registry::start(gateway.host.ip, gateway.target);
    gateway.restart();
    registry.wait(&[("+8669112345", "one")]);

    rewrite(&gateway, FIRST, &format!("{FIRST}{SECOND}"));
    reload(&gateway);
    registry.wait(&[("+8669112345", "one"), ("+8669112348", "two")]);

    // By the signal, with another private identity.
    rewrite(&gateway, "user = \"two\"", "user = \"three\"");
    gateway.signal("-HUP");
    registry.wait(&[("+8669112345", "one"), ("+8669112348", "three")]);

    // Other names for the account and the trunk.
    rewrite(&gateway, "registrations.first]", "registrations.main]");
    reload(&gateway);
    rewrite(&gateway, "[trunks.loopback", "[trunks.telecom");
    rewrite(&gateway, "[plan]\n", "[trunks.loopback]\nenabled = false\n[routes]\ndefault = \"telecom\"\n[plan]\n");
    reload(&gateway);
    let all = ["telecom main registered", "telecom second registered"];
    wait_for("the accounts under their names", || (accounts(&gateway) == all).then_some(()));

    rewrite(&gateway, &SECOND.replace("loopback", "telecom").replace("two", "three"), "");
    reload(&gateway);
    registry.wait(&[("+8669112345", "one")]);
    let taken =
        |number: &str, user: &str, expires: &str| Taken { number: number.into(), user: user.into(), expires: expires.into() };
    let expected = [
        taken("+8669112345", "one", "3600"),
        taken("+8669112348", "two", "3600"),
        taken("+8669112348", "three", "3600"),
        taken("+8669112348", "three", "0"),
    ];
    assert_eq!(registry.taken(), expected, "nothing else was said to the carrier");
    assert_eq!(accounts(&gateway), ["telecom main registered"]);

    assert_eq!(gateway.kill("-TERM"), Some(0));
    assert_eq!(registry.taken().last(), Some(&taken("+8669112345", "one", "0")));
}

/// A carrier's proxy may let its announcement be heard before it asks who calls.
#[test]
fn a_caller_hears_the_network_then_ringing_and_the_network_again_around_a_challenge() {
    const NETWORK: u32 = 700;
    const RINGING: u32 = 450;
    let mut gateway = Gateway::prepared(&Spec { trunk: FIRST, ..Spec::default() });
    let mut carrier = Phone::new("carrier", gateway.target, &gateway);
    gateway.restart();
    let register = carrier.request_received("REGISTER");
    carrier.turns_away(&register, 200);
    wait_for("the account is registered", || (accounts(&gateway) == ["loopback first registered"]).then_some(()));
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    caller.invite("12366");
    let hears_network = |caller: &Phone| wait_for("the network", || (heard(&caller.ear, &[NETWORK]) == [NETWORK]).then_some(()));
    let first = carrier.ring();
    carrier.early();
    let hum = carrier.hum(&first, NETWORK);
    hears_network(&caller);
    drop(hum);
    carrier.refuse_saying("407 Who Calls\r\nProxy-Authenticate: Digest realm=\"ims.invalid\", nonce=\"1\"");
    let second = carrier.request_received("INVITE");
    assert_eq!(second.header("CSeq"), "2 INVITE");
    wait_for("ringing", || {
        let packets = caller.ear.packets();
        let last: Vec<u8> = packets.iter().rev().take(20).flat_map(|packet| packet.payload.clone()).collect();
        (amplitude(&last, RINGING) > 1000.0).then_some(())
    });
    let second = carrier.ring_by(second);
    carrier.early();
    let hum = carrier.hum(&second, NETWORK);
    hears_network(&caller);
    carrier.answer();
    caller.status(200, "INVITE");
    caller.ack();
    hears_network(&caller);
    drop(hum);
    caller.bye();
    carrier.hung_up();
}
