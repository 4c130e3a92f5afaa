//! The messages of a call as a ladder, as people who read SIP draw it.

use crate::base::{Mono, Now, Text, columns};
use crate::sip::{Message, Name};

#[derive(Default)]
pub struct Ladder {
    start: Option<Mono>,
    rungs: Vec<Rung>,
}

struct Rung {
    after_ms: u128,
    from: &'static str,
    to: &'static str,
    what: String,
}

const COLUMNS: [&str; 4] = ["carrier", "hotline", "seat", "target"];
const WIDTH: usize = 30;

impl Ladder {
    pub fn note(&mut self, now: Now, from: &'static str, to: &'static str, message: &Message) {
        let start = *self.start.get_or_insert(now.mono);
        let what = match message {
            Message::Request(request) => {
                let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
                match request.uri.user.as_deref().filter(|_| method == "INVITE") {
                    Some(user) => format!("{method} {user}"),
                    None => method,
                }
            }
            Message::Response(response) => format!("{} {}", response.status.0, response.status.reason()),
        };
        let (body, headers) = match message {
            Message::Request(request) => (&request.body, &request.headers),
            Message::Response(response) => (&response.body, &response.headers),
        };
        let kind = headers.text(&Name::ContentType).unwrap_or_default();
        let what = match &*kind {
            _ if body.is_empty() => what,
            "application/sdp" => format!("{what} (SDP)"),
            kind => format!("{what} ({})", kind.rsplit('/').next().unwrap_or_default()),
        };
        self.rungs.push(Rung { after_ms: now.mono.since(start).as_millis(), from, to, what });
    }
}

impl Ladder {
    /// All of it, a line each, under the parties' names.
    pub fn told(&self) -> Text {
        let rungs: String = self.rungs.iter().map(|rung| format!("\n{:>9} {}", rung.after_ms, draw(rung))).collect();
        let head = Text::foreign(format_args!("{:>9} ", "ms"));
        COLUMNS.iter().fold(head, |head, name| head.then(&heading(name))).then(&Text::foreign(rungs))
    }
}

fn heading(name: &str) -> Text {
    let Text { en, zh } = party(name);
    Text { en: columns::centre(&en, WIDTH), zh: columns::centre(&zh, WIDTH) }
}

/// The name of a party of the trial, as people read it.
pub fn party(name: &str) -> Text {
    match name {
        "carrier" => both!("carrier", "运营商"),
        "hotline" => both!("hotline", "网关"),
        "seat" => both!("seat", "座席"),
        "target" => both!("target", "目标"),
        other => Text::foreign(other),
    }
}

/// An arrow between two columns with what it carries, and the other columns' lines.
fn draw(rung: &Rung) -> String {
    let column = |name| COLUMNS.iter().position(|c| *c == name).unwrap_or(0) * WIDTH + WIDTH / 2;
    let (from, to) = (column(rung.from), column(rung.to));
    let mut line: Vec<char> = vec![' '; COLUMNS.len() * WIDTH];
    for name in COLUMNS {
        line[column(name)] = '│';
    }
    let (left, right) = (from.min(to), from.max(to));
    line[left + 1..right].fill('─');
    if from < to {
        line[right - 1] = '▶';
    } else {
        line[left + 1] = '◀';
    }
    let room = right - left - 4;
    let spaced = format!(" {} ", rung.what);
    let label = if spaced.chars().count() <= room { &spaced } else { &rung.what };
    let label: Vec<char> = label.chars().take(room).collect();
    let at = left + (right - left).saturating_sub(label.len()) / 2;
    line[at..at + label.len()].copy_from_slice(&label);
    line.into_iter().collect::<String>().trim_end().to_owned()
}
