//! Questions and answers as bytes (RFC 1035 §4), by hickory.

use super::{Answer, Kind, Pointer, Question, Service, Told};
use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Records of an answer that are looked at; more than any carrier has.
const MOST_RECORDS: usize = 64;
/// Names that an answer may lead through.
const MOST_ALIASES: usize = 8;
/// How long it holds that there is nothing, where the zone does not say (RFC 2308 §5).
const NOTHING: Duration = Duration::from_secs(1);
/// The longest answer by a datagram that no network cuts (RFC 6891 §6.2.3, and the servers' own practice).
const DATAGRAM: u16 = 1232;

/// Why a message is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It belongs to another question, or is none: the answer may still come.
    Other,
    /// It is too long for a datagram: ask by TCP.
    Truncated,
    /// The server does not understand it as it was asked (RFC 6891 §7): ask without EDNS.
    Format,
    /// The server does not answer it: ask another one.
    Refused,
}

/// The bytes of a question; none for a name that the DNS cannot have. `edns`: a long answer is welcome.
pub fn question(id: u16, question: &Question, edns: bool) -> Option<Vec<u8>> {
    let mut message = Message::query();
    message.metadata.id = id;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name(&question.name)?, record_type(question.kind)));
    if edns {
        let mut edns = Edns::new();
        edns.set_max_payload(DATAGRAM);
        message.edns = Some(edns);
    }
    message.to_vec().ok()
}

pub fn answer(id: u16, asked: &Question, bytes: &[u8]) -> Result<Told, NoAnswer> {
    let message = Message::from_vec(bytes).map_err(|_| NoAnswer::Other)?;
    let same = |query: &Query| {
        query.query_type() == record_type(asked.kind) && query.query_class() == DNSClass::IN && text(query.name()) == asked.name
    };
    let head = &message.metadata;
    if head.id != id || head.message_type != MessageType::Response || !message.queries.iter().all(same) {
        return Err(NoAnswer::Other);
    }
    match head.response_code {
        ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::BADVERS => Err(NoAnswer::Format),
        _ if head.truncation => Err(NoAnswer::Truncated),
        // A server that is asked nothing has nothing to say about it.
        _ if message.queries.is_empty() => Err(NoAnswer::Refused),
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(told(&message, asked)),
        _ => Err(NoAnswer::Refused),
    }
}

/// Follows the aliases that the answer holds, to the records or to where they end.
fn told(message: &Message, asked: &Question) -> Told {
    let records: Vec<&Record> =
        message.answers.iter().filter(|record| record.dns_class == DNSClass::IN).take(MOST_RECORDS).collect();
    let (mut at, mut ttl) = (asked.name.clone(), u32::MAX);
    for _ in 0..MOST_ALIASES {
        let own: Vec<&Record> = records.iter().copied().filter(|record| text(&record.name) == at).collect();
        let least = own.iter().map(|record| record.ttl).fold(ttl, u32::min);
        if let Some(answer) = answer_of(asked.kind, &own) {
            return Told { answer, ttl: Duration::from_secs(least.into()) };
        }
        let alias = own.iter().find_map(|record| match &record.data {
            RData::CNAME(name) => Some(text(&name.0)),
            _ => None,
        });
        match alias {
            Some(next) => (at, ttl) = (next, least),
            None => break,
        }
    }
    if at == asked.name {
        return Told { answer: Answer::Nothing, ttl: nothing(message) };
    }
    Told { answer: Answer::Alias(at), ttl: Duration::from_secs(ttl.into()) }
}

fn answer_of(kind: Kind, own: &[&Record]) -> Option<Answer> {
    let answer = match kind {
        Kind::A | Kind::Aaaa => Answer::Addresses(own.iter().filter_map(|record| address(kind, &record.data)).collect()),
        Kind::Srv => Answer::Services(own.iter().filter_map(|record| service(&record.data)).collect()),
        Kind::Naptr => Answer::Pointers(own.iter().filter_map(|record| pointer(&record.data)).collect()),
    };
    let none = match &answer {
        Answer::Addresses(all) => all.is_empty(),
        Answer::Services(all) => all.is_empty(),
        Answer::Pointers(all) => all.is_empty(),
        Answer::Alias(_) | Answer::Nothing => true,
    };
    (!none).then_some(answer)
}

fn address(kind: Kind, data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) if kind == Kind::A => Some(a.0.into()),
        RData::AAAA(aaaa) if kind == Kind::Aaaa => Some(aaaa.0.into()),
        _ => None,
    }
}

fn service(data: &RData) -> Option<Service> {
    let RData::SRV(srv) = data else { return None };
    Some(Service { priority: srv.priority, weight: srv.weight, port: srv.port, host: text(&srv.target) })
}

/// Others than those with the flag `s` lead to no SRV records.
fn pointer(data: &RData) -> Option<Pointer> {
    let RData::NAPTR(naptr) = data else { return None };
    let service = String::from_utf8_lossy(&naptr.services).to_ascii_uppercase();
    let pointer = Pointer { order: naptr.order, preference: naptr.preference, service, name: text(&naptr.replacement) };
    naptr.flags.eq_ignore_ascii_case(b"s").then_some(pointer)
}

/// RFC 2308 §5: the lesser of the SOA's own time and the one that it names.
fn nothing(message: &Message) -> Duration {
    let soa = message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    soa.map_or(NOTHING, |seconds| Duration::from_secs(seconds.into()))
}

fn name(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn text(name: &Name) -> Arc<str> {
    name.to_lowercase().to_ascii().trim_end_matches('.').into()
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Srv => RecordType::SRV,
        Kind::Naptr => RecordType::NAPTR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::rdata::{A, CNAME, SOA, SRV};

    fn asked() -> Question {
        Question::new("SBC.example.cn", Kind::A)
    }

    fn response(asked: &Question, answers: Vec<(&str, u32, RData)>) -> Message {
        let mut message = Message::from_vec(&question(7, asked, false).unwrap()).unwrap();
        message.metadata.message_type = MessageType::Response;
        let record = |(owner, ttl, data): (&str, u32, RData)| Record::from_rdata(name(owner).unwrap(), ttl, data);
        message.add_answers(answers.into_iter().map(record));
        message
    }

    fn read(message: &Message) -> Result<Told, NoAnswer> {
        answer(7, &asked(), &message.to_vec().unwrap())
    }

    fn a(last: u8) -> RData {
        RData::A(A::new(192, 0, 2, last))
    }

    fn cname(to: &str) -> RData {
        RData::CNAME(CNAME(name(to).unwrap()))
    }

    #[test]
    fn addresses_come_with_the_least_of_their_times_also_by_another_name() {
        let told = read(&response(&asked(), vec![("sbc.example.cn", 60, a(7)), ("sbc.example.cn", 30, a(8))])).unwrap();
        let hosts = |told: Told| match told.answer {
            Answer::Addresses(hosts) => (hosts.len(), told.ttl.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(hosts(told), (2, 30));
        let told = response(&asked(), vec![("sbc.example.cn", 20, cname("a.example.cn")), ("A.example.cn", 90, a(7))]);
        assert_eq!(hosts(read(&told).unwrap()), (1, 20));
        let open = response(&asked(), vec![("sbc.example.cn", 20, cname("a.example.cn"))]);
        assert_eq!(read(&open).unwrap().answer, Answer::Alias("a.example.cn".into()));
    }

    #[test]
    fn aliases_in_a_circle_and_records_of_others_are_nothing_and_end() {
        let circle = response(
            &asked(),
            vec![("sbc.example.cn", 20, cname("a.example.cn")), ("a.example.cn", 20, cname("sbc.example.cn"))],
        );
        assert!(matches!(read(&circle).unwrap().answer, Answer::Alias(_) | Answer::Nothing));
        assert_eq!(read(&response(&asked(), vec![("other.example.cn", 20, a(7))])).unwrap().answer, Answer::Nothing);
        let many = (0..200).map(|last| ("sbc.example.cn", 20, a(last))).collect();
        let Answer::Addresses(hosts) = read(&response(&asked(), many)).unwrap().answer else { panic!("addresses") };
        assert_eq!(hosts.len(), MOST_RECORDS);
    }

    #[test]
    fn nothing_holds_as_long_as_the_zone_says() {
        let mut message = response(&asked(), vec![]);
        message.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(read(&message).unwrap(), Told { answer: Answer::Nothing, ttl: NOTHING });
        let zone = name("example.cn").unwrap();
        let soa = SOA::new(zone.clone(), zone.clone(), 1, 2, 3, 4, 40);
        message.add_authority(Record::from_rdata(zone, 900, RData::SOA(soa)));
        assert_eq!(read(&message).unwrap().ttl.as_secs(), 40);
    }

    #[test]
    fn another_answer_a_short_one_and_a_refusal_are_told_apart() {
        let good = response(&asked(), vec![("sbc.example.cn", 60, a(7))]);
        let bytes = good.to_vec().unwrap();
        assert_eq!(answer(8, &asked(), &bytes), Err(NoAnswer::Other));
        assert_eq!(answer(7, &Question::new("a.example.cn", Kind::A), &bytes), Err(NoAnswer::Other));
        assert_eq!(answer(7, &Question { kind: Kind::Srv, ..asked() }, &bytes), Err(NoAnswer::Other));
        assert_eq!(answer(7, &asked(), &question(7, &asked(), true).unwrap()), Err(NoAnswer::Other), "our own words");
        for cut in 0..bytes.len() {
            assert!(answer(7, &asked(), &bytes[..cut]).is_err());
        }
        let mut short = good.clone();
        short.metadata.truncation = true;
        assert_eq!(read(&short), Err(NoAnswer::Truncated));
        let mut old = response(&asked(), vec![]);
        (old.metadata.response_code, old.queries) = (ResponseCode::FormErr, Vec::new());
        assert_eq!(read(&old), Err(NoAnswer::Format));
        for code in [ResponseCode::Refused, ResponseCode::ServFail] {
            let mut refused = response(&asked(), vec![]);
            refused.metadata.response_code = code;
            assert_eq!(read(&refused), Err(NoAnswer::Refused));
        }
    }

    #[test]
    fn services_are_read_with_their_order() {
        let asked = Question::new("_sip._udp.example.cn", Kind::Srv);
        let srv = RData::SRV(SRV::new(1, 20, 5070, name("SBC1.example.cn").unwrap()));
        let message = response(&asked, vec![("_sip._udp.example.cn", 60, srv)]);
        let told = answer(7, &asked, &message.to_vec().unwrap()).unwrap();
        let service = Service { priority: 1, weight: 20, port: 5070, host: "sbc1.example.cn".into() };
        assert_eq!(told.answer, Answer::Services(vec![service]));
    }
}
