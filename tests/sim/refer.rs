//! REFER by peers whose dialog layer, the gateway's own, sends none: an INFO that it sends becomes one on the wire, and
//! what comes back becomes the INFO's response again. So numbering, retransmission and loss are those of real requests.

use bytes::Bytes;
use hotline::sip::{Message, Method, Name, Status};
use std::collections::BTreeMap;

/// The key whose INFO leaves as a REFER.
pub const KEY: char = 'A';
/// Dialogs that a Replaces may name.
const KNOWN: usize = 4;

#[derive(Default)]
pub struct Refers {
    /// Refer-To by Call-ID and CSeq: a retransmission says the same again.
    sent: BTreeMap<(Bytes, u32), String>,
    /// Call-ID, our tag and the gateway's, newest last.
    dialogs: Vec<(String, String, String)>,
}

impl Refers {
    /// The message that really leaves. `to` chooses whom a new REFER names.
    pub fn outgoing(&mut self, data: Bytes, to: impl FnOnce() -> (&'static str, bool)) -> Bytes {
        let Ok(message) = Message::parse(data.clone()) else { return data };
        self.note(&message);
        let Message::Request(request) = message else { return data };
        let key = format!("Signal={KEY}\r\n");
        if request.method != Method::Info || !request.body.starts_with(key.as_bytes()) {
            return data;
        }
        let id = (request.headers.call_id().cloned().unwrap_or_default(), request.headers.cseq().map_or(0, |c| c.seq));
        let own = String::from_utf8_lossy(&id.0).into_owned();
        let refer_to = self.sent.entry(id).or_insert_with(|| {
            let (number, attended) = to();
            let other = self.dialogs.iter().rev().find(|(call, ..)| *call != own).filter(|_| attended);
            let replaces = other.map(|(call, ours, theirs)| {
                format!("?Replaces={}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{ours}", call.replace('@', "%40"))
            });
            format!("<sip:{number}@10.0.0.1{}>", replaces.unwrap_or_default())
        });
        let text = String::from_utf8_lossy(&data).into_owned();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.split("\r\n").filter(|line| !line.starts_with("Content-")).map(|line| match line {
            line if line.starts_with("INFO ") => line.replacen("INFO", "REFER", 1),
            line if line.starts_with("CSeq") => line.replace("INFO", "REFER"),
            line => line.to_owned(),
        });
        let head: Vec<String> = lines.collect();
        format!("{}\r\nRefer-To: {refer_to}\r\nContent-Length: 0\r\n\r\n", head.join("\r\n")).into()
    }

    /// The message that the dialog layer gets to see, or what goes back at once.
    pub fn incoming(&mut self, message: Message) -> Result<Message, Bytes> {
        match message {
            Message::Response(mut response) if response.headers.cseq().is_some_and(|c| c.method == Method::Refer) => {
                for header in response.headers.0.iter_mut().filter(|header| header.name == Name::CSeq) {
                    header.value = String::from_utf8_lossy(&header.value).replace("REFER", "INFO").into();
                }
                Ok(Message::Response(response))
            }
            Message::Request(request) if request.method == Method::Notify => {
                Err(Message::Response(request.reply(Status(200), None)).to_bytes())
            }
            message => Ok(message),
        }
    }

    /// Learns our dialogs from what we send in them: ACKs of calls that we placed, answers to those that we took.
    fn note(&mut self, message: &Message) {
        let (headers, ours, theirs) = match message {
            Message::Request(request) if request.method == Method::Ack => (&request.headers, Name::From, Name::To),
            Message::Response(response)
                if response.status.success() && response.headers.cseq().is_some_and(|c| c.method == Method::Invite) =>
            {
                (&response.headers, Name::To, Name::From)
            }
            _ => return,
        };
        let tag = |name: &Name| headers.text(name).and_then(|value| Some(value.split(";tag=").nth(1)?.to_owned()));
        let call = String::from_utf8_lossy(headers.call_id().map_or(&b""[..], |id| id)).into_owned();
        let (Some(ours), Some(theirs)) = (tag(&ours), tag(&theirs)) else { return };
        self.dialogs.retain(|(known, ..)| *known != call);
        self.dialogs.push((call, ours, theirs));
        if self.dialogs.len() > KNOWN {
            self.dialogs.remove(0);
        }
    }

    /// A Replaces header that names the newest dialog.
    pub fn replaces(&self) -> Option<String> {
        self.dialogs.last().map(|(call, ours, theirs)| format!("{call};to-tag={theirs};from-tag={ours}"))
    }
}
