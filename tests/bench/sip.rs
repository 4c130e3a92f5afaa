//! Parsing and printing a carrier's INVITE of about 1 KB, ours beside `rsip`: `cargo bench --bench sip`.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hotline::sip::{Message, Reach, Sdp};
use rsip::headers::ToTypedHeader;
use rsip::message::HeadersExt;
use std::hint::black_box;

const SDP: &str = "v=0\r\no=HuaweiUAP 1073741833 1073741833 IN IP4 192.0.2.7\r\ns=Sip Call\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
                   m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
                   a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

fn invite() -> Bytes {
    let head = "INVITE sip:12345@192.0.2.1:5060;user=phone SIP/2.0\r\n\
                Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK9j4vgq30d8lhg8uq1o20;rport\r\n\
                Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKslvhg8uq1o20j4vgq30d8;received=192.0.2.9\r\n\
                Record-Route: <sip:192.0.2.7:5060;lr;ftag=as7d1f4a>\r\n\
                Max-Forwards: 68\r\n\
                From: \"13800138000\" <sip:13800138000@192.0.2.9;user=phone>;tag=as7d1f4a\r\n\
                To: <sip:12345@192.0.2.1;user=phone>\r\n\
                Call-ID: isbc7d1f4a9j4vgq30d8lhg8uq1o20@192.0.2.9\r\n\
                CSeq: 1 INVITE\r\n\
                Contact: <sip:13800138000@192.0.2.9:5060;user=phone>\r\n\
                P-Asserted-Identity: <tel:+8613800138000>\r\n\
                Allow: INVITE,ACK,OPTIONS,BYE,CANCEL,REGISTER,INFO,PRACK,SUBSCRIBE,NOTIFY,UPDATE,MESSAGE,REFER\r\n\
                Supported: 100rel,timer\r\n\
                Session-Expires: 1800\r\n\
                Min-SE: 90\r\n\
                User-Agent: Carrier SBC V3R2\r\n\
                Content-Type: application/sdp\r\n";
    Bytes::from(format!("{head}Content-Length: {}\r\n\r\n{SDP}", SDP.len()))
}

fn reading(c: &mut Criterion) {
    let data = invite();
    let mut group = c.benchmark_group(format!("read {} bytes", data.len()));
    group.bench_function("hotline, mandatory headers checked", |b| b.iter(|| Message::parse(black_box(data.clone()))));
    group.bench_function("rsip, untyped", |b| b.iter(|| rsip::SipMessage::try_from(black_box(&data[..]))));
    group.bench_function("rsip, four headers typed", |b| {
        b.iter(|| {
            let m = rsip::SipMessage::try_from(black_box(&data[..])).ok()?;
            let via = m.via_header().ok()?.typed().ok()?;
            let from = m.from_header().ok()?.typed().ok()?;
            let to = m.to_header().ok()?.typed().ok()?;
            Some((via, from, to, m.cseq_header().ok()?.typed().ok()?))
        })
    });
    group.bench_function("hotline, SDP", |b| b.iter(|| Sdp::parse(black_box(SDP.as_bytes()), Reach::ALL)));
    group.finish();
}

fn printing(c: &mut Criterion) {
    let data = invite();
    let (Ok(ours), Ok(theirs)) = (Message::parse(data.clone()), rsip::SipMessage::try_from(&data[..])) else { return };
    let mut group = c.benchmark_group("print");
    group.bench_function("hotline", |b| b.iter(|| black_box(&ours).to_bytes()));
    group.bench_function("rsip", |b| b.iter_batched(|| theirs.clone(), Bytes::from, BatchSize::SmallInput));
    group.finish();
}

criterion_group!(benches, reading, printing);
criterion_main!(benches);
