//! Texts that people read, in both of their languages, side by side.

use super::shown::Shown;
use std::fmt;

/// The language of whoever reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tongue {
    #[default]
    English,
    Chinese,
}

impl Tongue {
    /// As a locale is named (`zh_CN.UTF-8`, POSIX.1-2017 §8.2) or a language tag (`zh-Hans`).
    pub fn of_locale(name: &str) -> Tongue {
        let language = name.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Tongue::Chinese } else { Tongue::English }
    }
}

impl Tongue {
    /// The one of ours that `Accept-Language` likes best (RFC 9110 §12.5.4); English where it likes both alike or neither.
    pub fn accepted(header: &str) -> Tongue {
        let (mut chinese, mut english) = (0, 0);
        for part in header.split(',').take(MOST_LANGUAGES) {
            let mut parts = part.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q="))).map_or(1000, thousandths);
            match range {
                "*" => english = english.max(weight),
                range if range.eq_ignore_ascii_case("en") || Tongue::of_locale(range) == Tongue::Chinese => {
                    let liked = if Tongue::of_locale(range) == Tongue::Chinese { &mut chinese } else { &mut english };
                    *liked = weight.max(*liked);
                }
                range if range.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("en-")) => english = english.max(weight),
                _ => {}
            }
        }
        if chinese > english { Tongue::Chinese } else { Tongue::English }
    }
}

/// Nobody names more.
const MOST_LANGUAGES: usize = 32;

fn thousandths(weight: &str) -> u32 {
    weight.parse::<f32>().map_or(0, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u32)
}

/// A message. It is made by [`both!`], which takes it in both languages, so that neither can be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub en: String,
    pub zh: String,
}

impl Text {
    /// Words that are not ours, or that need no translation: a library's, a file's, a name.
    pub fn foreign(words: impl fmt::Display) -> Text {
        let words = words.to_string();
        Text { zh: words.clone(), en: words }
    }

    pub fn told(&self, tongue: Tongue) -> &str {
        match tongue {
            Tongue::English => &self.en,
            Tongue::Chinese => &self.zh,
        }
    }

    /// A line of ours with what others chose in it, of which nothing acts, not even a line's end.
    pub fn shown(&self) -> Text {
        Text { en: Shown::whole(&self.en), zh: Shown::whole(&self.zh) }
    }

    /// The two, one after the other.
    pub fn then(mut self, more: &Text) -> Text {
        self.en.push_str(&more.en);
        self.zh.push_str(&more.zh);
        self
    }

    /// All of them in one line.
    pub fn joined(texts: &[Text]) -> Text {
        let all = |one: fn(&Text) -> &str, parted: &str| texts.iter().map(one).collect::<Vec<_>>().join(parted);
        Text { en: all(|text| &text.en, ", "), zh: all(|text| &text.zh, "；") }
    }

    /// All of them, a line each.
    pub fn lines<'a>(texts: impl IntoIterator<Item = &'a Text>) -> Text {
        let (mut en, mut zh) = (Vec::new(), Vec::new());
        for text in texts {
            en.push(text.en.as_str());
            zh.push(text.zh.as_str());
        }
        Text { en: en.join("\n"), zh: zh.join("\n") }
    }
}

/// As logs and programs read it.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

impl std::error::Error for Text {}

/// A [`Text`] from two format strings, English first; what both take follows, as with `format!`.
///
/// A part that is a [`Text`] itself follows a semicolon and stands at `{}`.
macro_rules! both {
    ($en:literal, $zh:literal; $($text:expr),+ $(,)?) => {
        $crate::base::Text { en: format!($en, $($text.en),+), zh: format!($zh, $($text.zh),+) }
    };
    ($en:literal, $zh:literal $(, $value:expr)* $(,)?) => {
        $crate::base::Text { en: format!($en $(, $value)*), zh: format!($zh $(, $value)*) }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_has_a_language() {
        for name in ["zh_CN.UTF-8", "zh", "zh-Hans", "ZH_TW", "zh@pinyin"] {
            assert_eq!(Tongue::of_locale(name), Tongue::Chinese, "{name}");
        }
        for name in ["", "C", "POSIX", "en_US.UTF-8", "zhx", "C.UTF-8"] {
            assert_eq!(Tongue::of_locale(name), Tongue::English, "{name}");
        }
    }

    #[test]
    fn the_language_that_is_asked_for_is_found() {
        for asked in ["zh", "zh-CN,zh;q=0.9,en;q=0.8", "ZH-Hans", "fr, zh;q=0.5", "en;q=0.2, zh-TW ; q=0.3", "*;q=0.1, zh;q=0.2"]
        {
            assert_eq!(Tongue::accepted(asked), Tongue::Chinese, "{asked}");
        }
        for asked in ["", "*", "en", "en-US,en;q=0.9,zh;q=0.8", "zh;q=0", "fr", "zh;q=x", "zhx", ";;,,=", "q=1"] {
            assert_eq!(Tongue::accepted(asked), Tongue::English, "{asked}");
        }
    }

    #[test]
    fn a_text_has_both_languages() {
        let name = "x";
        let text = both!("no seat `{name}` of {}", "没有座席 `{name}`（共 {} 个）", 3).then(&Text::foreign("!"));
        assert_eq!(text.told(Tongue::English), "no seat `x` of 3!");
        assert_eq!(text.told(Tongue::Chinese), "没有座席 `x`（共 3 个）!");
        assert_eq!(text.to_string(), text.en);
    }
}
