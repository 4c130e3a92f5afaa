//! The language of whoever is at the terminal.

use crate::base::{Shown, Text, Tongue};
use std::sync::OnceLock;

const VARIABLE: &str = "HOTLINE_LANG";
const OPTION: &str = "--lang";

static CHOSEN: OnceLock<Tongue> = OnceLock::new();

/// The language that was chosen, or the locale's.
pub fn chosen() -> Tongue {
    *CHOSEN.get_or_init(of_locale)
}

/// Chooses one for this process, before anything is said: by the option, else by the variable, else by the locale.
pub fn choose() -> Result<(), Text> {
    // A value that is none is told like any other option's.
    let option = asked(std::env::args_os().skip(1).filter_map(|argument| argument.into_string().ok()));
    let option = option.and_then(|name| read(&name).ok());
    let variable = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty());
    let variable = variable.map(|name| read(&name).map_err(|why| both!("{VARIABLE}: {}", "{VARIABLE}：{}"; why)));
    let tongue = match (option, variable) {
        (Some(tongue), _) => tongue,
        (None, Some(variable)) => variable?,
        (None, None) => of_locale(),
    };
    // It is chosen once.
    let _ = CHOSEN.set(tongue);
    Ok(())
}

/// `zh`, `en`, and the names of their locales.
pub fn read(name: &str) -> Result<Tongue, Text> {
    let lower = name.trim().to_lowercase();
    let english = ["en", "c", "posix"].contains(&lower.split(['_', '-', '.', '@']).next().unwrap_or_default());
    match Tongue::of_locale(&lower) {
        Tongue::Chinese => Ok(Tongue::Chinese),
        Tongue::English if english => Ok(Tongue::English),
        Tongue::English => {
            let name = Shown(name);
            Err(both!("`{name}` is no language here: zh or en", "没有语言 `{name}`：应为 zh 或 en"))
        }
    }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Option<String> {
    let mut last = None;
    while let Some(argument) = arguments.next().filter(|argument| argument != "--") {
        match argument.strip_prefix(OPTION) {
            Some("") => last = arguments.next(),
            Some(rest) => last = rest.strip_prefix('=').map(str::to_owned).or(last),
            None => {}
        }
    }
    last
}

/// The variables stand in the order of POSIX.1-2017 §8.2. One that is set and empty does not count.
fn of_locale() -> Tongue {
    let names = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    names.into_iter().find(|name| !name.is_empty()).map_or(Tongue::default(), |name| Tongue::of_locale(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_asked_for_anywhere_before_the_dashes() {
        let lang = |line: &str| asked(line.split(' ').map(str::to_owned));
        assert_eq!(lang("check --lang zh").as_deref(), Some("zh"));
        assert_eq!(lang("--lang=en explain 1").as_deref(), Some("en"));
        assert_eq!(lang("--lang en check --lang=zh").as_deref(), Some("zh"));
        assert_eq!((lang("check"), lang("check --language zh"), lang("-- --lang zh"), lang("--lang")), Default::default());
        for name in ["zh", "zh_CN.UTF-8", "ZH-hans"] {
            assert_eq!(read(name), Ok(Tongue::Chinese), "{name}");
        }
        for name in ["en", "en_US", "C", "C.UTF-8"] {
            assert_eq!(read(name), Ok(Tongue::English), "{name}");
        }
        assert!(read("fr").is_err() && read("").is_err());
    }
}
