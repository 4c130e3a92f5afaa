//! The command line in its reader's language. A command's and an argument's help has two paragraphs where it is defined,
//! English and Chinese; here one of them is chosen, and what the library says by itself is said in Chinese too.

use crate::base::{Shown, Text, Tongue};
use clap::builder::{Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, ArgAction, Command};
use std::error::Error as _;

const TEMPLATE: &str = "{about-with-newline}\n用法：{usage}\n\n{all-args}";

/// The program's definition as this reader is shown it.
pub fn spoken(program: Command, tongue: Tongue) -> Command {
    let told = chosen(program.get_about(), program.get_long_about(), tongue);
    let program = program.about(told).long_about(Resettable::Reset).mut_args(|arg| argument(arg, tongue));
    let program = program.mut_subcommands(|under| spoken(under, tongue));
    match tongue {
        Tongue::English => program,
        Tongue::Chinese => translated(program),
    }
}

fn translated(program: Command) -> Command {
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("显示帮助").help_heading("选项");
    let program = program.disable_help_flag(true).arg(help).help_template(TEMPLATE).subcommand_help_heading("命令");
    let program = program.subcommand_value_name("命令").disable_help_subcommand(true);
    if program.get_version().is_none() {
        return program;
    }
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version).help("显示版本").help_heading("选项");
    program.disable_version_flag(true).arg(version)
}

fn argument(arg: Arg, tongue: Tongue) -> Arg {
    let told = chosen(arg.get_help(), arg.get_long_help(), tongue);
    if tongue == Tongue::English {
        return arg.help(told).long_help(Resettable::Reset);
    }
    let quoted = |values: Vec<String>| values.join("、");
    let usual = quoted(arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect());
    let takes = arg.get_action().takes_values();
    let known = quoted(arg.get_possible_values().iter().filter(|_| takes).map(|value| value.get_name().to_owned()).collect());
    let mut told = told.to_string();
    for (name, values) in [("缺省", usual), ("可用值", known)] {
        if takes && !values.is_empty() {
            told.push_str(&format!(" [{name}：{values}]"));
        }
    }
    let heading = if arg.is_positional() { "参数" } else { "选项" };
    let arg = arg.help(told).long_help(Resettable::Reset).help_heading(heading);
    // The library allows them on none but arguments with a value.
    if takes { arg.hide_default_value(true).hide_possible_values(true) } else { arg }
}

/// The first paragraph, or the last.
fn chosen(short: Option<&StyledStr>, long: Option<&StyledStr>, tongue: Tongue) -> StyledStr {
    let both = long.or(short).map(ToString::to_string).unwrap_or_default();
    let paragraph = match tongue {
        Tongue::English => both.split("\n\n").next(),
        Tongue::Chinese => both.rsplit("\n\n").next(),
    };
    StyledStr::from(paragraph.unwrap_or_default().trim().to_owned())
}

/// Says what is wrong with a command line. None: help was asked for, which the library shows.
pub fn mistake(error: &Error) -> Option<Text> {
    let said = |kind| error.get(kind).map(shown).unwrap_or_default();
    let (arg, value) = (said(ContextKind::InvalidArg), said(ContextKind::InvalidValue));
    let told = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::ValueValidation => match error.source().and_then(|source| source.downcast_ref::<Text>()) {
            Some(text) => both!("{arg}: {}", "{arg}：{}"; text),
            None => {
                let why = error.source().map(ToString::to_string).unwrap_or_default();
                both!("invalid value '{value}' for {arg}: {why}", "{arg}：值 `{value}` 不正确（{why}）")
            }
        },
        ErrorKind::InvalidValue if value.is_empty() => both!("{arg} wants a value", "{arg} 缺少值"),
        ErrorKind::InvalidValue => {
            let known = said(ContextKind::ValidValue);
            both!("{arg}: `{value}` is none of {known}", "{arg}：`{value}` 不是 {known} 之一")
        }
        ErrorKind::UnknownArgument => {
            let near = near(&[said(ContextKind::SuggestedArg), said(ContextKind::SuggestedSubcommand)]);
            both!("unexpected argument `{arg}`", "多余的参数 `{arg}`").then(&near)
        }
        ErrorKind::InvalidSubcommand => {
            let name = said(ContextKind::InvalidSubcommand);
            both!("no command `{name}`", "没有命令 `{name}`").then(&near(&[said(ContextKind::SuggestedSubcommand)]))
        }
        ErrorKind::MissingRequiredArgument => both!("missing: {arg}", "缺少参数：{arg}"),
        ErrorKind::MissingSubcommand => both!("a command is missing", "缺少命令"),
        // Pairs are refused in `together`.
        ErrorKind::ArgumentConflict => both!("{arg} is given more than once", "{arg} 只能写一次"),
        ErrorKind::InvalidUtf8 => both!("an argument is not UTF-8", "参数不是 UTF-8 编码"),
        _ => {
            let text = error.to_string();
            let text = text.trim().trim_start_matches("error: ");
            both!("{text}", "命令行有误：{text}")
        }
    };
    let usage = error.get(ContextKind::Usage).map(shown).unwrap_or_default();
    Some(wrong(&told, usage.trim().trim_start_matches("Usage:").trim_start_matches("用法：").trim()))
}

/// A complaint about the command line, and where help is.
pub fn wrong(told: &Text, usage: &str) -> Text {
    let more = match usage {
        "" => both!("\n\nFor more information, try '--help'.", "\n\n详见 `--help`。"),
        usage => both!("\n\nUsage: {usage}\n\nFor more information, try '--help'.", "\n\n用法：{usage}\n\n详见 `--help`。"),
    };
    both!("error: ", "错误：").then(told).then(&more)
}

fn near(names: &[String]) -> Text {
    match names.iter().find(|name| !name.is_empty()) {
        Some(name) => both!("; did you mean `{name}`?", "；是不是 `{name}`？"),
        None => Text::default(),
    }
}

fn shown(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(all) => all.join(", "),
        other => other.to_string(),
    }
}

/// No number, name or file has a control character in it. Beyond here none of them can end a line of what is said about it.
pub fn controls(arguments: impl Iterator<Item = String>) -> Option<Text> {
    let found = arguments.into_iter().find(|argument| argument.contains(char::is_control))?;
    let shown = Shown(&found);
    Some(both!("`{shown}`: an argument has no control characters", "`{shown}`：参数不能含控制字符"))
}

/// An option whose hyphens a word processor made a dash of is no option to the library.
pub fn dashes(arguments: impl Iterator<Item = String>) -> Option<Text> {
    const DASHES: &[char] = &['—', '–', '―', '−', '－', '‐', '‑'];
    let found = arguments.into_iter().find(|arg| arg.trim_start_matches('-').starts_with(DASHES))?;
    let name = found.trim_start_matches(|c| c == '-' || DASHES.contains(&c));
    let dash = found.chars().find(|c| DASHES.contains(c)).unwrap_or('—');
    let code = u32::from(dash);
    Some(both!(
        "`{found}` begins with a dash `{dash}` (U+{code:04X}): write --{name}",
        "`{found}` 以破折号 `{dash}`（U+{code:04X}）开头，请写作 --{name}"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use super::*;
    use clap::CommandFactory;

    fn chinese(text: &str) -> bool {
        text.chars().any(|c| ('\u{4e00}'..'\u{a000}').contains(&c))
    }

    /// Each command and argument, with what is said of it.
    fn walk(command: &Command, name: &str, found: &mut Vec<(String, String)>) {
        found.push((name.to_owned(), command.get_about().map(ToString::to_string).unwrap_or_default()));
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            found.push((format!("{name} {}", arg.get_id()), help));
        }
        command.get_subcommands().for_each(|under| walk(under, &format!("{name} {}", under.get_name()), found));
    }

    #[test]
    fn each_command_and_argument_has_help_in_both_languages() {
        for (tongue, want) in [(Tongue::English, false), (Tongue::Chinese, true)] {
            let mut found = Vec::new();
            walk(&spoken(Arguments::command(), tongue), "hotline", &mut found);
            assert!(found.len() > 80, "{}", found.len());
            let wrong: Vec<_> = found.iter().filter(|(_, help)| help.is_empty() || chinese(help) != want).collect();
            assert!(wrong.is_empty(), "{tongue:?}: {wrong:#?}");
        }
    }

    #[test]
    fn the_librarys_own_words_are_chinese_too() {
        let mut program = spoken(Arguments::command(), Tongue::Chinese);
        program.build();
        for path in [&["explain"][..], &["records", "ls"], &["calls", "transfer"], &[]] {
            let command = path.iter().fold(&mut program, |command, name| command.find_subcommand_mut(name).unwrap());
            let help = command.render_long_help().to_string();
            for english in ["Usage", "Options", "Commands", "Arguments", "Print", "default:", "possible values", "Run"] {
                assert!(!help.contains(english), "{path:?}: {english} in {help}");
            }
            assert!(help.contains("用法：") && help.contains("选项:"), "{help}");
        }
    }

    #[test]
    fn each_mistake_is_told_in_both_languages() {
        for (line, en, zh) in [
            ("explain １２３４５", "`１` (U+FF11) is full-width: write `1`; all of it: `12345`", "全角字符"),
            ("explain 12345 --at 2026/10/1", "write 2026-10-01", "请写作 2026-10-01"),
            ("explain", "missing: ", "缺少参数"),
            ("explian 12345", "no command `explian`; did you mean `explain`?", "没有命令 `explian`"),
            ("explain 12345 --form 1", "unexpected argument `--form`; did you mean `--from`?", "多余的参数"),
            ("records ls --limit many", "--limit", "值 `many` 不正确"),
            ("calls transfer x 1", "", "值 `x` 不正确"),
            ("explain 1 --json --json", "--json is given more than once", "只能写一次"),
            ("explain 12345 --at", "wants a value", "缺少值"),
            ("completions tcsh", "`tcsh` is none of", "不是"),
        ] {
            let arguments = std::iter::once("hotline").chain(line.split(' '));
            for tongue in [Tongue::English, Tongue::Chinese] {
                let error = spoken(Arguments::command(), tongue).try_get_matches_from(arguments.clone()).unwrap_err();
                let text = mistake(&error).unwrap();
                assert!(text.en.contains(en) && text.zh.contains(zh), "{line}: {text:?}");
            }
        }
        let told = dashes(["explain".to_owned(), "—at".to_owned()].into_iter()).unwrap();
        assert!(told.en.ends_with("write --at") && told.zh.contains("破折号"), "{told:?}");
        for argument in ["1\n2", "\t", "a\u{1b}[2J", "\u{9b}"] {
            let told = controls(["explain".to_owned(), argument.to_owned()].into_iter()).unwrap();
            assert!(told.zh.contains("控制字符") && !told.en.contains(char::is_control), "{told:?}");
        }
        assert_eq!(controls(["旅游投诉".to_owned()].into_iter()), None);
        assert_eq!(dashes(["--at".to_owned(), "12345".to_owned()].into_iter()), None);
    }
}
