//! A plan of 10,000 lines: how long it loads (under a second) and how long one call takes to decide (under 20 µs).

#![allow(clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use hotline::base::Wall;
use hotline::plan::{Facts, Plan, built_in};
use std::fmt::Write;
use std::hint::black_box;

fn text() -> String {
    let mut text = String::from(
        "include = [\"prompts/prompts.toml\"]\n[plan]\nname = \"bench\"\narea = \"691\"\n[modes.merged]\nconnect-from = 2021-09-30\nannounce-only-from = 2021-12-01\n",
    );
    for i in 0..10_000 {
        let (mode, number) = (["merged", "parallel", "linked"][i % 3], 2_000_000 + i);
        writeln!(text, "[[line]]\nnumber = \"{number}\"\nname = \"第{i}条热线\"\nunit = \"第{i}局\"\nmode = \"{mode}\"").unwrap();
    }
    text
}

fn benches(c: &mut Criterion) {
    let text = text();
    let load = || Plan::parse("bench.toml", &text, &built_in::load).unwrap();
    c.bench_function("load 10,000 lines", |b| b.iter(load));
    let plan = load();
    let at = Wall(1_640_000_000_000_000);
    for dialled in ["2005000", "+866912005001", "2005000;phone-context=+86691", "12399"] {
        let facts = Facts {
            dialled,
            caller: Some("+8613800138000"),
            trunk: "loopback",
            trunk_area: Some("691"),
            diverted_from: None,
            at,
        };
        c.bench_function(&format!("decide {dialled}"), |b| b.iter(|| plan.decide(black_box(&facts))));
    }
}

criterion_group! { name = group; config = Criterion::default().sample_size(20); targets = benches }
criterion_main!(group);
