//! The last scene: two seats register and sign in, take calls of 12345, one pauses, a caller gives an opinion, and the day's
//! figures are printed. The toolbar's verbs go over HTTP and the figures come from the command line, as in a city's hall.

use super::gateway::{PASSWORD, SEATS};
use super::ladder::Ladder;
use super::phone::{self, Phone};
use super::verdict::{Finding, listed, or_none};
use super::{CALLER, Say, Stage, TALK};
use crate::base::{LegId, Rng, Text};
use crate::io::clock;
use serde_json::Value;
use std::io;
use std::time::Duration;

/// The number that both take calls of.
const NUMBER: &str = "12345";
/// Anything but a prompt comes soon.
const SOON: Duration = Duration::from_secs(10);
/// The survey's prompt is spoken at its own pace.
const SPOKEN: Duration = Duration::from_secs(20);

/// The two seats' phones.
pub struct Seats {
    pub phones: [Phone; 2],
}

impl Seats {
    pub fn new(rng: &mut Rng) -> io::Result<Seats> {
        let any = ([127, 0, 0, 1], 0).into();
        Ok(Seats { phones: [Phone::new("seat", any, rng)?, Phone::new("seat", any, rng)?] })
    }
}

/// All of it; the number of differences.
pub fn play(stage: &mut Stage, say: Say<'_>) -> io::Result<usize> {
    say(&both!(
        "── {NUMBER} two seats register, sign in and take calls; one pauses, a caller gives an opinion",
        "── {NUMBER} 两个座席注册、签入并接听，一个小休，来电人评价"
    ));
    let mut ladder = Ladder::default();
    let mut wrong = tell(begins(stage)?, say);
    let mut findings = Vec::new();
    let first = conversation(stage, &mut ladder, true)?;
    findings.extend(first.findings(Some(3)));
    findings.extend(pauses(stage, first.seat)?);
    let second = conversation(stage, &mut ladder, false)?;
    let other = first.seat.zip(second.seat).is_some_and(|(first, second)| first != second);
    findings.push(Finding {
        holds: other,
        what: both!(
            "the next call came to the other seat: the first one is on its break",
            "下一路来话由另一座席接听（前者小休）"
        ),
    });
    findings.extend(second.findings(None));
    say(&ladder.told());
    wrong += tell(findings, say);
    say(&both!(
        "   the day by seat, as `hotline figures --by seat` prints it:",
        "   当日座席统计（`hotline figures --by seat`）："
    ));
    say(&stage.gateway.figures(&["--by", "seat"])?);
    say(&both!("   and by hotline, with the calls of all scenes:", "   当日热线统计（含以上各场景的通话）："));
    say(&stage.gateway.figures(&[])?);
    wrong += tell(counted(stage)?, say);
    say(&Text::default());
    Ok(wrong)
}

/// Tells the findings, and how many of them are differences.
fn tell(findings: Vec<Finding>, say: Say<'_>) -> usize {
    for Finding { holds, what } in &findings {
        let mark = if *holds { "✓" } else { "✗" };
        say(&both!("   {mark} {}", "   {mark} {}"; what));
    }
    findings.iter().filter(|finding| !finding.holds).count()
}

/// The phones register, the people sign in, and the desk of the scenarios before takes no more calls.
fn begins(stage: &mut Stage) -> io::Result<Vec<Finding>> {
    let gateway = stage.gateway.sip;
    let mut findings = Vec::new();
    for (seat, phone) in SEATS.iter().zip(&mut stage.seats.phones) {
        let statuses = phone.register(gateway, seat, PASSWORD)?;
        findings.push(Finding {
            holds: statuses == [401, 200],
            what: both!(
                "{seat}'s phone registered: {} (401 asks it for its password)",
                "{seat} 的话机注册：{}（401 为要求密码）"; listed(&statuses)
            ),
        });
    }
    let (busy, _) = stage.gateway.verb("desk", "not-ready", r#"{"reason":"closed"}"#)?;
    for seat in SEATS {
        let (status, view) = stage.gateway.verb(seat, "login", "{}")?;
        let intent = view["intent"]["state"].as_str().or(view["intent"].as_str()).unwrap_or_default().to_owned();
        findings.push(Finding {
            holds: busy < 300 && status < 300 && intent == "ready",
            what: both!("{seat} signed in by the toolbar: {status}, {intent}", "{seat} 由软电话条签入：{status}，{intent}"),
        });
    }
    Ok(findings)
}

/// The seat that talked takes a break; the toolbar says so.
fn pauses(stage: &mut Stage, seat: Option<usize>) -> io::Result<Option<Finding>> {
    let Some(seat) = seat.map(|seat| SEATS[seat]) else { return Ok(None) };
    let (status, _) = stage.gateway.verb(seat, "break", r#"{"minutes":5,"reason":"tea"}"#)?;
    Ok(Some(Finding {
        holds: status < 300,
        what: both!("{seat} takes a break by the toolbar: {status}", "{seat} 由软电话条小休：{status}"),
    }))
}

/// One call: the index of the seat that took it, and the record that came of it.
struct Played {
    seat: Option<usize>,
    record: Value,
}

/// The carrier calls, a seat answers and hangs up after a while; the caller presses the key of the best opinion, or hangs up.
fn conversation(stage: &mut Stage, ladder: &mut Ladder, opinion: bool) -> io::Result<Played> {
    stage.clear();
    let before = stage.backend.records(NUMBER).len();
    let gateway = stage.gateway.sip;
    let leg = stage.carrier.call(clock::now(), gateway, NUMBER, CALLER, ladder)?;
    let talks = |stage: &Stage| stage.carrier.lines.get(&leg).is_some_and(|line| line.answered);
    stage.until(ladder, SPOKEN, talks);
    stage.until(ladder, TALK, |_| false);
    let answered = |phone: &Phone| phone.lines.values().any(|line| line.answered);
    let seat = stage.seats.phones.iter().position(answered);
    if let Some(seat) = seat {
        stage.seats.phones[seat].hang_up(clock::now(), ladder);
    }
    if opinion {
        let heard = heard(stage, leg);
        stage.until(ladder, SPOKEN, |stage| self::heard(stage, leg) > heard + 50);
        stage.carrier.press(clock::now(), leg, '1', ladder);
        stage.until(ladder, SPOKEN, |stage| stage.carrier.lines.get(&leg).is_none_or(|line| line.ended.is_some()));
    }
    stage.carrier.hang_up(clock::now(), ladder);
    let backend = stage.backend.clone();
    stage.until(ladder, SOON, |_| backend.records(NUMBER).len() > before);
    Ok(Played { seat, record: backend.records(NUMBER).last().cloned().unwrap_or_default() })
}

fn heard(stage: &Stage, leg: LegId) -> usize {
    stage.carrier.lines.get(&leg).map_or(0, |line: &phone::Line| line.heard.packets)
}

impl Played {
    fn findings(&self, score: Option<u64>) -> Vec<Finding> {
        let (seat, record) = (self.seat.map_or("nobody", |seat| SEATS[seat]), &self.record["data"]);
        let (result, survey) = (&record["result"], &record["survey"]["score"]);
        let scored = survey.as_u64() == score;
        vec![
            Finding {
                holds: self.seat.is_some(),
                what: both!("{seat} answered, and hung up after a while", "{seat} 接听，片刻后挂机"),
            },
            Finding {
                holds: result == "answered" && scored,
                what: both!(
                    "record: result {}, opinion {}", "话单：结果 {}，评价 {}";
                    or_none(result.as_str()), or_none(survey.as_u64())
                ),
            },
        ]
    }
}

/// The figures that the interface gives are those of the two calls.
fn counted(stage: &mut Stage) -> io::Result<Vec<Finding>> {
    let (_, figures) = stage.gateway.ask("GET", "/api/v1/figures?window=day&by=seat", "")?;
    let text = figures.to_string();
    let both = SEATS.iter().all(|seat| text.contains(&format!("\"{seat}\"")));
    Ok(vec![Finding { holds: both, what: both!("the figures name both seats", "统计列出两个座席") }])
}
