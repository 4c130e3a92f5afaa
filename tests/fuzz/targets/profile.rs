//! The profile of a ticket system: what it makes of an event is bounded, however its templates go round.

use super::work::counted;
use hotline::base::{CallId, Rng, Wall};
use hotline::record::cloudevent::CloudEvent;
use hotline::record::exchange::Step;
use hotline::record::profile::Profile;
use hotline::record::zone::Zone;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const NOON: Wall = Wall(1_634_270_400_000_000);

static EVENT: LazyLock<CloudEvent> =
    LazyLock::new(|| CloudEvent::made_up(CallId::new(NOON, &mut Rng::from_number(1)), NOON, &Zone::default()).expect("an event"));

pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let event = &*EVENT;
    let (read, work) = counted(|| Profile::parse(text, "http://127.0.0.1:9/", &BTreeMap::new()));
    work.is_at_most(data.len(), (100_000, 200), (16 << 20, 4_000));
    let Ok(profile) = read else { return };
    for step in [Step::Find, Step::Create, Step::Update { id: "1".to_owned() }, Step::Post] {
        let (rendered, work) = counted(|| profile.render(&step, event));
        // A template's fuel is a hundred thousand steps.
        work.is_at_most(data.len(), (2_000_000, 100), (256 << 20, 4_000));
        if let Ok(Some(rendered)) = rendered {
            assert!(rendered.url.len() < 8 << 20 && rendered.body.is_none_or(|body| body.len() < 8 << 20));
        }
        let answers: [&[u8]; 5] = [b"", b"{}", b"[[[[", br#"{"id":1,"tickets":[{"id":"x"}]}"#, &[0xff; 64]];
        for (code, answer) in [200, 302, 401, 429, 500].into_iter().zip(answers) {
            let (_, work) = counted(|| profile.judge(&step, event.kind, code, None, answer));
            work.is_at_most(data.len(), (200_000, 100), (64 << 20, 4_000));
        }
    }
    let _ = profile.link("1\"><script>");
}
