//! A target that is named by a host name, resolved by the system.

use crate::support::PATIENCE;
use crate::support::gateway::{Gateway, Spec};
use crate::support::phone::Phone;
use std::net::{SocketAddr, UdpSocket};

const PLAN: &str = "[plan]\nname = \"test\"\n[[line]]\nnumber = \"12345\"\nmode = \"front\"\n\
                    [[line]]\nnumber = \"110\"\nmode = \"emergency\"\ntargets = [\"110\"]\n";

/// The next request of this method, and who sent it.
fn request(socket: &UdpSocket, method: &str) -> (String, SocketAddr) {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).expect("a message");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with(method) {
            return (text, from);
        }
    }
}

fn ok(request: &str, more: &str, body: &str) -> String {
    let line = |name: &str| request.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let to = line("To: ");
    let to = if to.contains(";tag=") { to } else { format!("{to};tag=named") };
    let echoed = ["Via: ", "From: ", "Call-ID: ", "CSeq: "].map(line).join("\r\n");
    format!("SIP/2.0 200 OK\r\n{echoed}\r\n{to}\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_target_by_name_is_called_and_talks() {
    // The name stands for this address on every machine, without a network.
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    target.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = target.local_addr().unwrap().port();
    let trunk = format!("address = \"localhost:{port}\"").leak();
    let gateway = Gateway::start(&Spec { trunk, plan: Some(PLAN.to_string()), ..Spec::default() });
    let mut caller = Phone::new("caller", gateway.host.port(), &gateway);
    caller.invite("110");
    let (invite, from) = request(&target, "INVITE");
    assert!(invite.starts_with(&format!("INVITE sip:110@localhost:{port} SIP/2.0\r\n")), "{invite}");
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n";
    let more = format!("Contact: <sip:110@127.0.0.1:{port}>\r\nContent-Type: application/sdp\r\n");
    target.send_to(ok(&invite, &more, body).as_bytes(), from).unwrap();
    request(&target, "ACK");
    caller.status(200, "INVITE");
    caller.ack();
    caller.bye();
    let (bye, from) = request(&target, "BYE");
    target.send_to(ok(&bye, "", "").as_bytes(), from).unwrap();
    assert_eq!(gateway.record()["result"], "answered");
}
