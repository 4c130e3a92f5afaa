//! A dial plan: either it is taken and each number leads somewhere, or what is wrong is told with its place.

use super::work::counted;
use hotline::base::{Text, Wall};
use hotline::plan::{Facts, Plan, explain, is_number};

/// 2021-10-15 noon in China.
const NOON: Wall = Wall(1_634_270_400_000_000);
const DIALLED: [&str; 8] =
    ["12345", "12336", "110", "99999", "+8613800138000", "0691-12315;phone-context=+86", "", "\u{202e}1\r\n"];

pub fn target(data: &[u8]) {
    let none = |name: &str| -> Result<Vec<u8>, Text> {
        // A plan that includes itself, and one that is not there.
        if name == "fuzz.toml" { Ok(data.to_vec()) } else { Err(Text::foreign("no such file")) }
    };
    let (read, work) = counted(|| Plan::parse("fuzz.toml", data, &none));
    work.is_at_most(data.len(), (100_000, 200), (64 << 20, 40_000));
    let plan = match read {
        Ok(plan) => plan,
        Err(problems) => {
            assert!(!problems.is_empty());
            let lines = data.split(|b| matches!(b, b'\n' | b'\r')).count();
            for problem in problems {
                assert!((1..=lines + 1).contains(&problem.line) && problem.column > 0, "{problem}");
                assert!(!problem.message.en.is_empty() && !problem.message.zh.is_empty(), "{problem}");
                let shown = problem.to_string();
                assert!(!shown.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{shown:?}");
                assert!(shown.len() < 16 << 10, "{} bytes", shown.len());
            }
            return;
        }
    };
    for dialled in DIALLED {
        let facts =
            Facts { dialled, caller: Some("13800138000"), trunk: "t", trunk_area: Some("691"), diverted_from: None, at: NOON };
        let (explained, work) = counted(|| explain(&plan, &facts));
        work.is_at_most(data.len(), (2_000, 2), (256 << 10, 64));
        assert!(!explained.steps.is_empty(), "{dialled} leads nowhere");
        let _ = is_number(&explained.number);
    }
}
