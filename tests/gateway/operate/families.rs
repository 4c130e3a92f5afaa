//! A gateway with an address of each family: every party is called from, and speaks to, one of its own, and a call between
//! the two is heard both ways.

use super::bench::Bench;
use crate::support::free_port;
use crate::support::message::Message;
use crate::support::phone::Phone;
use crate::support::rtp::pattern;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

/// The speaker's packets arrive, from where the SDP says.
fn hears(phone: &Phone, message: &Message, speaker: u32) {
    phone.ear.wait_to_hear("the other", 11, &pattern(speaker, 0..1000));
    assert_eq!(phone.ear.sources(), [media(message)], "from where its SDP says");
}

/// The address of a message's audio.
fn media(message: &Message) -> SocketAddr {
    SocketAddr::new(message.sdp("c=IN IP").split(' ').nth(1).unwrap().parse().unwrap(), message.media_port())
}

fn talk(caller_ip: IpAddr, seat_ip: IpAddr) {
    let port = free_port().port();
    let mut seat = Phone::at("seat", SocketAddr::new(seat_ip, 0), SocketAddr::new(seat_ip, port));
    let mut caller = Phone::at("caller", SocketAddr::new(caller_ip, 0), SocketAddr::new(caller_ip, port));
    let _bench = Bench::new()
        .set("SIP__LISTEN", &format!("127.0.0.1:{port}, [::1]:{port}"))
        .set("MEDIA__ADDRESSES", "127.0.0.1, ::1")
        .set("TRUNKS__LOOPBACK__ADDRESSES", "127.0.0.1, 127.0.0.0/8, ::1")
        .set("SEATS__DESK__ADDRESS", &SocketAddr::new(seat_ip, seat.port()).to_string())
        .start();
    caller.invite("12345");
    let invite = seat.ring();
    assert_eq!(media(&invite).ip(), seat_ip, "{invite}");
    seat.answer();
    let answer = caller.status(200, "INVITE");
    assert_eq!(media(&answer).ip(), caller_ip, "{answer}");
    caller.ack();
    let _mouths = (caller.speak(&answer, 1), seat.speak(&invite, 2));
    hears(&caller, &answer, 2);
    hears(&seat, &invite, 1);
    caller.bye();
    seat.hung_up();
}

#[test]
fn parties_of_either_family_are_called_and_heard_from_their_own() {
    let (v4, v6) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from(Ipv6Addr::LOCALHOST));
    if UdpSocket::bind((v6, 0)).is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    for (caller, seat) in [(v4, v6), (v6, v4), (v6, v6), (v4, v4)] {
        talk(caller, seat);
    }
}
