//! The files of `dialplans/` as they were when the program was built, so that it runs without them beside it.

use crate::base::Text;

/// Gives a file of `dialplans/`.
pub fn text(name: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A [`Loader`](super::Loader) for plans that are built in.
pub fn load(name: &str) -> Result<Vec<u8>, Text> {
    let text = text(name).ok_or_else(|| both!("no file `{name}` is built in", "程序没有内置文件 `{name}`"))?;
    Ok(text.as_bytes().to_vec())
}

/// The sounds of `dialplans/prompts/`: name and 8 kHz A-law.
pub fn sounds() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    SOUNDS.iter().copied()
}

/// The sounds of `dialplans/words/`, of which numbers are made.
pub fn words() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    WORDS.iter().copied()
}

macro_rules! texts {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../../dialplans/", $name)))),*] };
}

macro_rules! sounds {
    ($folder:literal: $($name:literal)*) => { &[$(($name, include_bytes!(concat!("../../dialplans/", $folder, $name, ".al")))),*] };
}

#[rustfmt::skip]
const TEXTS: &[(&str, &str)] = texts![
    "inner-mongolia.toml"
    "national.toml"
    "qinghai.toml"
    "xishuangbanna.toml"
    "yuncheng.toml"
    "expect/inner-mongolia.toml"
    "expect/national.toml"
    "expect/qinghai.toml"
    "expect/xishuangbanna.toml"
    "expect/yuncheng.toml"
    "prompts/prompts.toml"
];

#[rustfmt::skip]
const SOUNDS: &[(&str, &[u8])] = sounds!["prompts/":
    "announce-only" "apology" "blocked" "callback-offer" "callback-taken" "choose-area" "connect-12300" "connect-12301" "connect-12312" "connect-12316" "connect-12318"
    "connect-12319" "connect-12322" "connect-12325" "connect-12330" "connect-12331" "connect-12336" "connect-12338"
    "connect-12349" "connect-12350" "connect-12351" "connect-12355" "connect-12356" "connect-12358" "connect-12365"
    "connect-12385" "connect-12393" "connect-12396" "connect-2085615" "connect-2666110" "connect-96119"
    "connect-96301" "connect-96302" "guide-12309" "guide-12310" "guide-12339" "guide-12368" "guide-12371"
    "guide-12380" "guide-12388" "hold" "menu-expert" "message" "message-thanks" "message-tone" "music" "survey" "survey-thanks" "transfer-failed" "unknown" "wrong-key"
];

#[rustfmt::skip]
const WORDS: &[(&str, &[u8])] = sounds!["words/":
    "accept-call" "accept-take" "digit-0" "digit-1" "digit-10" "digit-100" "digit-2" "digit-3" "digit-4" "digit-5" "digit-6" "digit-7" "digit-8" "digit-9"
    "digit-two" "queue-about" "queue-ahead" "queue-minutes" "queue-next" "queue-people" "queue-soon" "seat-number" "seat-serves"
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn files(folder: &str, ending: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut stems: Vec<String> = names.filter_map(|name| name.strip_suffix(ending).map(str::to_string)).collect();
        stems.sort();
        stems
    }

    #[test]
    fn every_file_is_built_in() {
        let sounds: Vec<&str> = sounds().map(|(name, _)| name).collect();
        assert_eq!(sounds, files("dialplans/prompts", ".al"));
        assert_eq!(words().map(|(name, _)| name).collect::<Vec<_>>(), files("dialplans/words", ".al"));
        for folder in ["", "expect/", "prompts/"] {
            for file in files(&format!("dialplans/{folder}"), ".toml") {
                assert!(text(&format!("{folder}{file}.toml")).is_some(), "{file}");
            }
        }
        assert_eq!(load("x.toml").unwrap_err().en, "no file `x.toml` is built in");
    }
}
