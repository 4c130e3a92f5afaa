//! A plan's expectations are worth something: change any number, mode, unit or date of any plan, and its check fails.

use hotline::plan::{Severity, Surroundings, built_in, check};

const PLANS: [&str; 5] = ["national", "inner-mongolia", "qinghai", "xishuangbanna", "yuncheng"];
const MODES: [&str; 9] =
    ["front", "merged", "parallel", "sub-center", "remote-seats", "linked", "emergency", "guided", "platform"];

fn passes(file: &str, text: &str) -> bool {
    let around = Surroundings { queues: None, trunks: None, backends: None, sound: &|_| Ok(()), ways: None, now: None };
    check(file, text, &built_in::load, &around).problems.iter().all(|p| p.severity != Severity::Error)
}

/// Other values for the value of one line of a plan; none for lines that are not mutated.
fn mutations(line: &str) -> Vec<String> {
    let Some((word, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else { return Vec::new() };
    let bare = value.trim_matches('"');
    let values = match word {
        "number" => numbers(value),
        "mode" => {
            let next = MODES.iter().position(|m| *m == bare).unwrap();
            [1, 4].map(|step| format!("\"{}\"", MODES[(next + step) % MODES.len()])).to_vec()
        }
        "unit" => vec![format!("\"{bare}某处\"")],
        word if word == "from" || word.ends_with("-from") => {
            let date: jiff::civil::Date = value.parse().unwrap();
            vec![date.tomorrow().unwrap().to_string(), date.yesterday().unwrap().to_string()]
        }
        _ => Vec::new(),
    };
    values.into_iter().map(|value| format!("{word} = {value}")).collect()
}

/// Each number of a line in turn with its last digit changed.
fn numbers(value: &str) -> Vec<String> {
    let ends = value.match_indices("\"").map(|(i, _)| i).skip(1).step_by(2);
    let change = |end: usize| {
        let digit = value[end - 1..end].parse::<u32>().unwrap();
        format!("{}{}{}", &value[..end - 1], (digit + 7) % 10, &value[end..])
    };
    ends.map(change).collect()
}

#[test]
fn no_mistake_goes_unseen() {
    let mut unseen = Vec::new();
    let mut made = 0;
    for plan in PLANS {
        let file = format!("{plan}.toml");
        let text = built_in::text(&file).unwrap();
        assert!(passes(&file, text), "{file} passes as it is");
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            for mutation in mutations(line) {
                let mut mutated = lines.clone();
                mutated[i] = &mutation;
                made += 1;
                if passes(&file, &mutated.join("\n")) {
                    unseen.push(format!("{file}:{}: {line} → {mutation}", i + 1));
                }
            }
        }
    }
    assert!(unseen.is_empty(), "{} of {made} unseen:\n{}", unseen.len(), unseen.join("\n"));
    assert!(made > 650, "only {made} mutations");
}
