//! One attempt to bring an event to a ticket: find, then update or create. It decides what to ask next and what the
//! whole came to; asking is its driver's part.
//!
//! No ticket system keeps two creates with one call id apart, and one that did not answer a create may have made the
//! ticket all the same, or may still be at it. So that a create is about to be asked is made durable before, and until
//! such a create has had its time nothing is created for that call: then it is found, or was never made.

use super::delivery::Answer;
use crate::base::Wall;
use std::time::Duration;

/// The ticket of a call in one backend, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    pub id: Option<String>,
    pub url: Option<String>,
    /// When a create was asked of which the end is not known.
    pub creating: Option<Wall>,
}

/// The change that an attempt made to the ticket; durable together with the attempt's outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change {
    #[default]
    None,
    Linked {
        id: String,
        url: Option<String>,
    },
    /// The create that was asked made nothing.
    NotCreated,
}

/// How a profile brings events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each event is posted; the receiver tells repetitions by the event's id.
    Post,
    /// Each call has a ticket; a create that did not answer may work on for so long. With `fill` a create only makes it
    /// and an update of the same event follows.
    Ticket { settle: Duration, fill: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Post,
    Find,
    Create,
    Update { id: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Make durable that a create is asked now, then say `noted`.
    Note,
    Ask(Step),
    End(Answer, Change),
}

/// How a step was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The profile's predicate holds.
    Good { id: Option<String>, url: Option<String> },
    /// A status of success, and a body that says otherwise.
    Refused { why: String, id: Option<String>, url: Option<String> },
    Status {
        code: u16,
        retry_after: Option<Duration>,
        /// The system's words on why, for people.
        said: String,
    },
    /// It never left.
    Unsent(String),
    /// It left, and no answer came, or one that is none.
    Broken(String),
    /// The profile does not make a request of this event.
    Unmade(String),
}

pub struct Exchange {
    way: Way,
    ticket: Ticket,
    asked: Step,
    change: Change,
    /// The known ticket was gone, and has been looked for.
    searched: bool,
}

impl Exchange {
    pub fn new(way: Way, ticket: Ticket) -> Exchange {
        Exchange { way, ticket, asked: Step::Post, change: Change::None, searched: false }
    }

    /// `began`: since when this process runs. A request of an earlier one may have been made until then, whatever was noted
    /// before and however the wall clock was set meanwhile.
    pub fn start(&mut self, now: Wall, began: Wall) -> Next {
        match (self.way, &self.ticket) {
            (Way::Post, _) => self.ask(Step::Post),
            (_, Ticket { id: Some(id), .. }) => {
                let id = id.clone();
                self.ask(Step::Update { id })
            }
            (Way::Ticket { settle, .. }, Ticket { creating: Some(at), .. }) => match left(began.max(*at), now, settle) {
                Duration::ZERO => self.ask(Step::Find),
                wait => Next::End(Answer::Wait(wait), Change::None),
            },
            _ => self.ask(Step::Find),
        }
    }

    /// That a create is asked is durable.
    pub fn noted(&mut self) -> Next {
        self.ask(Step::Create)
    }

    pub fn answered(&mut self, reply: Reply) -> Next {
        match self.asked.clone() {
            Step::Post => self.end(plain(reply)),
            Step::Find => self.found(reply),
            Step::Create => self.created(reply),
            Step::Update { .. } => self.updated(reply),
        }
    }

    fn found(&mut self, reply: Reply) -> Next {
        match reply {
            Reply::Good { id: Some(id), url } => {
                self.change = Change::Linked { id: id.clone(), url };
                self.ask(Step::Update { id })
            }
            Reply::Good { id: None, .. } | Reply::Status { code: 404, .. } => Next::Note,
            // The event is not to blame for a search that fails.
            Reply::Refused { why, .. } => self.end(Answer::Unreachable(why)),
            reply => self.end(plain(reply)),
        }
    }

    fn created(&mut self, reply: Reply) -> Next {
        match reply {
            Reply::Good { id: Some(id), url } => {
                self.change = Change::Linked { id: id.clone(), url };
                if self.fills() { self.ask(Step::Update { id }) } else { self.end(Answer::Done) }
            }
            Reply::Good { id: None, .. } => self.unclear("the answer to a create names no ticket".to_owned()),
            Reply::Refused { why, id: Some(id), url } => {
                self.change = Change::Linked { id, url };
                self.end(Answer::Refused(why))
            }
            Reply::Broken(why) => self.unclear(why),
            Reply::Status { code, .. } if code == 408 || code >= 500 => self.unclear(format!("HTTP {code}")),
            reply => {
                self.change = Change::NotCreated;
                self.end(plain(reply))
            }
        }
    }

    /// Gone once: it may have been merged into another or made anew by hand.
    fn updated(&mut self, reply: Reply) -> Next {
        match reply {
            Reply::Status { code: 404 | 410, .. } if !std::mem::replace(&mut self.searched, true) => self.ask(Step::Find),
            reply => self.end(plain(reply)),
        }
    }

    fn fills(&self) -> bool {
        matches!(self.way, Way::Ticket { fill: true, .. })
    }

    fn unclear(&mut self, why: String) -> Next {
        let Way::Ticket { settle, .. } = self.way else { return self.end(Answer::Unreachable(why)) };
        self.end(Answer::Unclear { error: why, wait: settle })
    }

    fn ask(&mut self, step: Step) -> Next {
        self.asked = step.clone();
        Next::Ask(step)
    }

    fn end(&mut self, answer: Answer) -> Next {
        Next::End(answer, std::mem::take(&mut self.change))
    }
}

fn plain(reply: Reply) -> Answer {
    match reply {
        Reply::Good { .. } => Answer::Done,
        Reply::Refused { why, .. } => Answer::Refused(why),
        Reply::Status { code, retry_after, said } => Answer::Status { code, retry_after, said },
        Reply::Unsent(why) | Reply::Broken(why) => Answer::Unreachable(why),
        Reply::Unmade(why) => Answer::Unmade(why),
    }
}

/// Never more than the whole: the wall clock may have been set back since.
fn left(at: Wall, now: Wall, settle: Duration) -> Duration {
    let gone = now.0.saturating_sub(at.0);
    let gone = Duration::from_micros(u64::try_from(gone).unwrap_or(0));
    settle.saturating_sub(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(60);

    fn exchange(ticket: Ticket) -> Exchange {
        Exchange::new(Way::Ticket { settle: SETTLE, fill: false }, ticket)
    }

    fn known(id: &str) -> Ticket {
        Ticket { id: Some(id.into()), ..Ticket::default() }
    }

    fn good(id: Option<&str>) -> Reply {
        Reply::Good { id: id.map(str::to_owned), url: None }
    }

    fn status(code: u16) -> Reply {
        Reply::Status { code, retry_after: None, said: String::new() }
    }

    fn linked(id: &str) -> Change {
        Change::Linked { id: id.into(), url: None }
    }

    fn creating() -> Exchange {
        let mut it = exchange(Ticket::default());
        assert_eq!(it.start(Wall(0), Wall(0)), Next::Ask(Step::Find));
        assert_eq!(it.answered(good(None)), Next::Note);
        assert_eq!(it.noted(), Next::Ask(Step::Create));
        it
    }

    #[test]
    fn a_ticket_is_looked_for_before_it_is_made() {
        assert_eq!(creating().answered(good(Some("7"))), Next::End(Answer::Done, linked("7")));
        let mut found = exchange(Ticket::default());
        found.start(Wall(0), Wall(0));
        assert_eq!(found.answered(good(Some("7"))), Next::Ask(Step::Update { id: "7".into() }));
        assert_eq!(found.answered(good(None)), Next::End(Answer::Done, linked("7")));
    }

    #[test]
    fn a_ticket_that_is_made_empty_is_filled() {
        let mut it = Exchange::new(Way::Ticket { settle: SETTLE, fill: true }, Ticket::default());
        it.start(Wall(0), Wall(0));
        it.answered(good(None));
        it.noted();
        assert_eq!(it.answered(good(Some("7"))), Next::Ask(Step::Update { id: "7".into() }));
        assert_eq!(it.answered(status(500)), Next::End(plain(status(500)), linked("7")));
    }

    #[test]
    fn a_create_of_unknown_end_is_waited_for_and_looked_for() {
        for reply in [Reply::Broken("no answer in time".into()), status(500), status(504), status(408), good(None)] {
            let Next::End(Answer::Unclear { wait, .. }, Change::None) = creating().answered(reply.clone()) else {
                panic!("{reply:?}")
            };
            assert_eq!(wait, SETTLE);
        }
        let ticket = Ticket { creating: Some(Wall(10_000_000)), ..Ticket::default() };
        let early = exchange(ticket.clone()).start(Wall(30_000_000), Wall(0));
        assert_eq!(early, Next::End(Answer::Wait(Duration::from_secs(40)), Change::None));
        assert_eq!(exchange(ticket.clone()).start(Wall(0), Wall(0)), Next::End(Answer::Wait(SETTLE), Change::None), "set back");
        assert_eq!(exchange(ticket.clone()).start(Wall(70_000_000), Wall(0)), Next::Ask(Step::Find));
        let restarted = exchange(ticket).start(Wall(90_000_000), Wall(80_000_000));
        assert_eq!(restarted, Next::End(Answer::Wait(Duration::from_secs(50)), Change::None), "asked by a process that died");
    }

    #[test]
    fn a_create_that_certainly_made_nothing_is_forgotten() {
        for reply in [Reply::Unsent("refused".into()), status(401), status(302), status(422), status(429)] {
            let answer = plain(reply.clone());
            assert_eq!(creating().answered(reply), Next::End(answer, Change::NotCreated));
        }
    }

    #[test]
    fn a_refused_field_leaves_a_ticket_that_later_events_find() {
        let reply = Reply::Refused { why: "no such value".into(), id: Some("7".into()), url: None };
        assert_eq!(creating().answered(reply), Next::End(Answer::Refused("no such value".into()), linked("7")));
    }

    #[test]
    fn a_ticket_that_is_gone_is_looked_for_once() {
        for code in [404, 410] {
            let mut it = exchange(known("7"));
            it.start(Wall(0), Wall(0));
            assert_eq!(it.answered(status(code)), Next::Ask(Step::Find));
            assert_eq!(it.answered(good(Some("8"))), Next::Ask(Step::Update { id: "8".into() }));
            assert_eq!(
                it.answered(status(code)),
                Next::End(Answer::Status { code, retry_after: None, said: String::new() }, linked("8")),
                "and no more"
            );
        }
    }

    #[test]
    fn a_search_that_fails_creates_nothing() {
        for reply in [Reply::Broken("reset".into()), status(500), status(503), status(401), status(400)] {
            let mut it = exchange(Ticket::default());
            it.start(Wall(0), Wall(0));
            assert_eq!(it.answered(reply.clone()), Next::End(plain(reply), Change::None));
        }
        let mut it = exchange(Ticket::default());
        it.start(Wall(0), Wall(0));
        let refused = Reply::Refused { why: "bad query".into(), id: None, url: None };
        assert_eq!(it.answered(refused), Next::End(Answer::Unreachable("bad query".into()), Change::None));
    }

    #[test]
    fn an_event_that_is_only_posted_asks_once() {
        let mut it = Exchange::new(Way::Post, Ticket::default());
        assert_eq!(it.start(Wall(0), Wall(0)), Next::Ask(Step::Post));
        assert_eq!(it.answered(Reply::Broken("reset".into())), Next::End(Answer::Unreachable("reset".into()), Change::None));
    }
}
