//! Options that leave one another nothing to say, and options without a value. They are refused: a command that passes over
//! what somebody typed does another thing than was meant.
//!
//! The library can refuse such pairs too, but not where one stands before a subcommand and the other behind it, nor where a
//! third makes sense of them.

use crate::base::Text;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// An option that leaves others nothing to say, in these commands and all below them, unless a third is there.
struct Alone {
    commands: &'static [&'static str],
    option: &'static str,
    others: &'static [&'static str],
    unless: Option<&'static str>,
}

const fn alone(commands: &'static [&'static str], option: &'static str, others: &'static [&'static str]) -> Alone {
    Alone { commands, option, others, unless: None }
}

/// Options by their long names, arguments by their own.
const ALONE: &[Alone] = &[
    alone(&["explain"], "all", &["number", "from", "trunk", "diverted-from", "day"]),
    alone(&["explain"], "day", &["at"]),
    // Only the trunk's area is asked of the configuration then.
    Alone { unless: Some("trunk"), ..alone(&["explain"], "plan", &["config"]) },
    alone(&["calls", "drain", "ready"], "url", &["config"]),
    alone(&["drain"], "status", &["undo", "no-wait", "within"]),
    alone(&["drain"], "undo", &["no-wait", "within"]),
    alone(&["drain"], "no-wait", &["within"]),
    alone(&["records ls", "records show", "records export"], "url", &["config", "journal"]),
    alone(&["records ls"], "dead", &["since", "until", "result", "line", "caller", "limit", "unmasked", "url"]),
    alone(&["records retry", "records drop"], "all", &["call", "backend"]),
];

/// Options that say something only beside another one.
const NEEDS: &[(&[&str], &str, &str)] = &[(&["records ls", "records show", "records export"], "token-file", "url")];

/// Options of a command that one below it has no use for.
const USELESS: &[(&[&str], &str)] = &[(
    &["calls transfer", "calls complete", "calls cancel", "calls swap", "calls merge", "calls tag", "calls drop"],
    "unmasked",
)];

/// Says what of a command line would be passed over.
pub fn passed_over(program: &Command, matches: &ArgMatches) -> Option<Text> {
    let (mut command, mut matches, mut name) = (program, matches, String::new());
    // Options before a subcommand hold for it too.
    while let Some((below, its)) = matches.subcommand() {
        command = command.find_subcommand(below)?;
        matches = its;
        name = if name.is_empty() { below.to_owned() } else { format!("{name} {below}") };
    }
    let typed = |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let typed: Vec<&Arg> = command.get_arguments().filter(typed).collect();
    let find = |name: &str| typed.iter().find(|arg| called(arg, name)).copied();
    let empty = |arg: &&&Arg| {
        let mut values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
        values.any(|value| value.to_string_lossy().trim().is_empty())
    };
    let among = |commands: &[&str]| {
        commands.iter().any(|one| name.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
    };
    if let Some(arg) = typed.iter().find(empty) {
        return Some(both!("{arg} wants a value", "{arg} 缺少值"));
    }
    for row in ALONE.iter().filter(|row| among(row.commands) && row.unless.and_then(find).is_none()) {
        let Some(option) = find(row.option) else { continue };
        if let Some(other) = row.others.iter().find_map(|other| find(other)) {
            return Some(both!("{option} cannot be used with {other}", "{option} 不能与 {other} 同时使用"));
        }
    }
    for (_, option, needed) in NEEDS.iter().filter(|(commands, ..)| among(commands)) {
        if let (Some(option), None) = (find(option), find(needed)) {
            return Some(both!("{option} says something only with --{needed}", "{option} 只能与 --{needed} 同用"));
        }
    }
    let useless = USELESS.iter().filter(|(commands, _)| among(commands)).find_map(|(_, option)| find(option));
    useless.map(|option| both!("`hotline {name}` has no use for {option}", "`hotline {name}` 用不到 {option}"))
}

fn called(arg: &Arg, name: &str) -> bool {
    arg.get_long().map_or(arg.get_id() == name, |long| long == name)
}

#[cfg(test)]
mod tests {
    use super::super::{Instead, understood};
    use super::*;

    const CALL: &str = "0193583f-7a10-7c3e-9a3b-2f1d5c6b7a80";

    /// Tells what is wrong with a line; none: nothing is.
    fn wrong(line: &str) -> Option<Text> {
        let line = line.replace("CALL", CALL);
        let arguments = std::iter::once("hotline").chain(line.split(' ')).map(|word| if word == "''" { "" } else { word });
        match understood(arguments.map(Into::into)) {
            Err(Instead::Wrong(text)) => Some(text),
            _ => None,
        }
    }

    fn refused(line: &str, en: &str, zh: &str) {
        let told = wrong(line).unwrap_or_else(|| panic!("{line} is taken"));
        assert!(told.en.contains(en) && told.zh.contains(zh), "{line}: {told:?}");
    }

    /// An option with a value that fits.
    fn sample(option: &str) -> String {
        let value = match option {
            "number" => return "12345".to_owned(),
            "call" => return CALL.to_owned(),
            "all" | "undo" | "no-wait" | "status" | "dead" | "unmasked" => return format!("--{option}"),
            "since" | "until" | "at" | "day" => "2026-10-01",
            "within" => "10m",
            "limit" => "5",
            "result" => "answered",
            "url" => "http://127.0.0.1:8080",
            _ => "x",
        };
        format!("--{option} {value}")
    }

    /// Arguments that a command needs besides.
    fn rest(command: &str) -> &'static str {
        match command {
            "records show" => " CALL",
            _ => "",
        }
    }

    #[test]
    fn each_pair_of_the_table_is_refused_in_either_order() {
        for row in ALONE {
            for (command, other) in row.commands.iter().flat_map(|command| row.others.iter().map(move |other| (command, other))) {
                let number = if *command == "explain" && row.option != "all" { " 12345" } else { "" };
                let (one, two, rest) = (sample(row.option), sample(other), rest(command));
                for line in [format!("{command}{rest}{number} {one} {two}"), format!("{command}{rest}{number} {two} {one}")] {
                    refused(&line, "cannot be used with", "不能与");
                }
            }
        }
        for (commands, option, needed) in NEEDS {
            for command in *commands {
                let line = format!("{command}{} {}", rest(command), sample(option));
                refused(&line, &format!("only with --{needed}"), "只能与");
                assert_eq!(wrong(&format!("{line} {}", sample(needed))), None, "{line}");
            }
        }
        for (commands, option) in USELESS {
            for command in *commands {
                let rest = match *command {
                    "calls transfer" | "calls tag" => "CALL 12345",
                    "calls drop" => "CALL 1",
                    _ => "CALL",
                };
                refused(&format!("{command} {rest} --{option}"), "has no use for --unmasked", "用不到 --unmasked");
                refused(&format!("{} {rest}", command.replacen(' ', &format!(" --{option} "), 1)), "has no use for", "用不到");
                assert_eq!(wrong(&format!("{command} {rest}")), None, "{command}");
            }
        }
    }

    /// The table names what there is: a row with a slip would refuse nothing.
    #[test]
    fn the_table_names_commands_and_options_that_there_are() {
        let mut program = super::super::program();
        program.build();
        let options = ALONE.iter().flat_map(|row| {
            row.commands.iter().flat_map(|c| row.others.iter().chain([&row.option]).chain(&row.unless).map(move |o| (*c, *o)))
        });
        let needs = NEEDS.iter().flat_map(|(commands, one, two)| commands.iter().flat_map(move |c| [(*c, *one), (*c, *two)]));
        let useless = USELESS.iter().flat_map(|(commands, option)| commands.iter().map(move |c| (*c, *option)));
        for (command, option) in options.chain(needs).chain(useless) {
            let found = command.split(' ').fold(&program, |at, name| at.find_subcommand(name).expect(command));
            assert!(found.get_arguments().any(|arg| called(arg, option)), "{command} has no {option}");
        }
    }

    #[test]
    fn an_option_before_a_subcommand_and_one_behind_it_are_seen_together() {
        for line in [
            "calls --url http://a show CALL --config x",
            "calls --config x show CALL --url http://a",
            "calls --url http://a --config x show CALL",
            "calls --config x tag CALL y --url http://a",
        ] {
            refused(line, "cannot be used with", "不能与");
        }
    }

    #[test]
    fn an_option_without_a_value_is_refused_wherever_it_stands() {
        for line in [
            "explain ''",
            "explain 12345 --from ''",
            "records ls --caller \u{3000}",
            "explain 12345 --trunk ''",
            "explain 12345 --diverted-from ''",
            "explain 12345 --plan ''",
            "check --config ''",
            "check --plan a ''",
            "records ls --line ''",
            "records ls --caller ''",
            "records ls --url ''",
            "records ls --journal ''",
            "records show CALL --url ''",
            "records replay --since 2026-10-01 --backend ''",
            "records drop --backend ''",
            "records render CALL --profile ''",
            "records render CALL --profile x --event ''",
            "records render CALL --profile x --ticket ''",
            "records backend-check ''",
            "calls tag CALL ''",
            "calls tag CALL a ''",
            "calls transfer CALL ''",
            "calls --url '' show CALL",
            "ready --token-file ''",
            "prompts --plan ''",
            "man ''",
        ] {
            refused(line, "wants a value", "缺少值");
        }
    }

    #[test]
    fn what_makes_sense_together_is_taken() {
        for line in [
            "explain 12345 --plan p --config c --trunk t --from 1 --diverted-from 2 --at 2026-10-01 --json",
            "explain --all --plan p --at 2026-10-01 --json",
            "explain --all --config c",
            "explain 12345 --day 2026-10-01 --plan p --from 1",
            "check --plan a b --config c",
            "calls --url http://a --token-file t --json --unmasked",
            "calls --unmasked show CALL --json",
            "calls --config c show CALL --token-file t",
            "drain --within 10m --config c",
            "ready --url http://a --wait 3s",
            "records ls --config c --journal j --unmasked --json --limit 5",
            "records ls --dead --journal j --json",
            "records ls --url http://a --token-file t --unmasked --line 12345",
            "records show CALL --journal j --unmasked",
            "records export --url http://a --format csv --since 2026-10-01",
            "records retry CALL --backend x",
            "records drop --all --journal j",
            "records replay --since 2026-10-01 --backend x --all --dry-run",
            "records restore copy --replace --journal j",
            "prompts --plan p --config c",
            "run --config c",
        ] {
            assert_eq!(wrong(line), None, "{line}");
        }
    }
}
