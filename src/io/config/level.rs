//! Checks that a log's filter says what its author meant: the library takes any misspelt level for the name of a module, and
//! then nothing is logged.

use crate::base::Text;
use crate::plan::suggestion;
use tracing_subscriber::EnvFilter;

const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];
/// Modules and libraries that write logs in this program.
const TARGETS: &[&str] = &["hotline", "axum", "hyper", "hyper_util", "reqwest", "rustls", "h2", "tokio", "mio", "tower", "log"];

/// Says what is wrong with the filter, if anything.
pub fn wrong(filter: &str) -> Option<Text> {
    let parts: Vec<&str> = filter.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Some(both!("is empty: write `info`", "是空的，请写 `info`"));
    }
    parts.into_iter().find_map(part).or_else(|| EnvFilter::try_new(filter).err().map(|_| no_filter(filter)))
}

fn part(part: &str) -> Option<Text> {
    // A filter of spans and fields is the library's to judge.
    if part.contains(['[', ']', '{', '}']) {
        return None;
    }
    let known = |level: &str| {
        LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) || matches!(level, "0" | "1" | "2" | "3" | "4" | "5")
    };
    let of_ours = |target: &str| TARGETS.contains(&target.split("::").next().unwrap_or_default());
    match part.split_once('=') {
        None if known(part) || of_ours(part) => None,
        None => Some(no_level(part, suggestion(part, LEVELS.iter().chain(TARGETS).copied()))),
        Some((target, _)) if !of_ours(target.trim()) => {
            let near = suggestion(target, TARGETS.iter().copied());
            Some(both!("nothing here logs as `{target}`", "程序中没有名为 `{target}` 的日志来源").then(&near))
        }
        Some((_, level)) if !known(level.trim()) => Some(no_level(level, suggestion(level, LEVELS.iter().copied()))),
        Some(_) => None,
    }
}

fn no_level(level: &str, near: Text) -> Text {
    let known = LEVELS.join(", ");
    both!("`{level}` is no level: {known}", "`{level}` 不是日志级别（{known}）").then(&near)
}

fn no_filter(filter: &str) -> Text {
    both!(
        "`{filter}` is no filter such as `info` or `hotline=debug,info`",
        "`{filter}` 不是 `info` 或 `hotline=debug,info` 这样的级别"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_does_not_silence_the_log() {
        for good in [
            "info",
            "INFO",
            "hotline=debug,info",
            "hotline::sip=trace",
            "off",
            "warn,hyper=error",
            "3",
            "hotline",
            "hotline[span]=debug",
        ] {
            assert_eq!(wrong(good), None, "{good}");
        }
        for (bad, want) in [
            ("inof", "did you mean `info`?"),
            ("debg,hotline=info", "did you mean `debug`?"),
            ("hotline=debgu", "`debgu` is no level"),
            ("hotlin=debug", "did you mean `hotline`?"),
            ("verbose", "`verbose` is no level: off, error"),
            ("", "is empty"),
            ("hotline[=x", "no filter"),
        ] {
            let text = wrong(bad).unwrap_or_default();
            assert!(text.en.contains(want) && !text.zh.is_empty(), "{bad}: {text}");
        }
    }
}
