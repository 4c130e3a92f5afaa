//! One number, many spellings: what carriers send, normalised. (Numbering of China: area codes have two digits,
//! 10 and 2x, or three; subscribers seven or eight, never with a leading 0 or 1; short codes three to six.)

use crate::base::Text;

/// A called number: short, or `0` + area + subscriber, or `00` + country.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    pub number: String,
    /// The area code dialled with it, without the leading 0.
    pub area: Option<String>,
}

/// Reads a called number. Where its digits allow several readings, one that the plan knows wins.
/// `home` are the areas in which a number without an area code may lie, the likeliest first.
pub fn called<'a>(text: &str, home: impl Iterator<Item = &'a str>, known: &dyn Fn(&str) -> bool) -> Called {
    let Some(spelt) = Spelt::read(text) else { return plain(text.trim().chars().take(LONGEST).collect()) };
    let readings = called_readings(&spelt, home);
    let found = readings.iter().find(|r| known(&r.number)).or(readings.iter().find(|r| !elsewhere(r))).cloned();
    let mut called = found.unwrap_or_else(|| plain(spelt.digits.clone()));
    called.area = called.area.or(spelt.context);
    called
}

/// Says in words what was done to a called number's spelling.
pub fn taken_apart(text: &str, number: &str, area: Option<&str>) -> Vec<String> {
    let Some(spelt) = Spelt::read(text) else { return vec!["no telephone number, taken as it is".to_string()] };
    let (digits, mut said) = (spelt.digits.as_str(), Vec::new());
    if text.trim() != digits && text.trim().strip_prefix('+') != Some(digits) {
        said.push(format!("its digits are {digits}"));
    }
    let national = digits.strip_prefix("00").unwrap_or(digits).strip_prefix("86");
    let country = national.filter(|n| number.trim_start_matches('0') != digits && n.ends_with(number.trim_start_matches('0')));
    let rest = country.unwrap_or(digits).trim_start_matches('0');
    said.extend(country.map(|_| "country code 86 taken off".to_string()));
    let bare = number.trim_start_matches('0');
    if let Some(area) = area.filter(|area| rest.strip_prefix(*area) == Some(bare)) {
        said.push(format!("area code 0{area} split off"));
    } else if let Some(area) = bare.strip_suffix(rest).filter(|area| !area.is_empty()) {
        said.push(format!("area code 0{area} added"));
    }
    if said.is_empty() {
        said.push("as it is".to_string());
    }
    said
}

/// One of the steps of [`taken_apart`], for people.
pub fn in_words(how: &str) -> Text {
    let last = how.rsplit(' ').next().unwrap_or_default();
    let code = how.split(' ').nth(2).unwrap_or_default();
    let zh = match how {
        "as it is" => "原样".to_owned(),
        "no telephone number, taken as it is" => "不是电话号码，原样处理".to_owned(),
        "country code 86 taken off" => "去掉国家码 86".to_owned(),
        how if how.starts_with("its digits are") => format!("数字为 {last}"),
        how if how.ends_with("split off") => format!("分出区号 {code}"),
        how if how.ends_with("added") => format!("补上区号 {code}"),
        how => how.to_owned(),
    };
    Text { en: how.to_owned(), zh }
}

/// Reads a caller's number: a mobile's eleven digits, `0` + area + subscriber, `00` + country, or a short code.
/// None when it is withheld.
pub fn caller(text: &str, home: Option<&str>) -> Option<String> {
    let spelt = Spelt::read(text)?;
    let d = spelt.digits.as_str();
    let home = spelt.context.as_deref().or(home);
    let number = match d.strip_prefix("0086").or_else(|| spelt.plus.then(|| d.strip_prefix("86")).flatten()) {
        Some(national) => domestic_caller(national, home),
        None if spelt.plus => format!("00{d}"),
        None if d.starts_with("00") => d.to_string(),
        None => domestic_caller(d, home),
    };
    (!number.is_empty()).then_some(number)
}

/// Tells whether this is the spelling of a telephone number at all.
pub fn is_number(text: &str) -> bool {
    Spelt::read(text).is_some()
}

/// A number that a plan's author wrote, as [`called`] gives it: `area` completes a subscriber's number.
pub fn written(text: &str, area: Option<&str>) -> Result<String, Text> {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    if digits.is_empty() || digits.len() > 24 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(both!(
            "a number has digits only, with `-` or spaces between them",
            "号码只能由数字组成，其间可用 `-` 或空格分隔"
        ));
    }
    if digits.starts_with('0') || !subscriber(&digits) {
        return Ok(digits);
    }
    area.map(|a| format!("0{a}{digits}"))
        .ok_or_else(|| both!("a number without its area code needs the plan's `area`", "不带区号的号码需要方案的 `area`"))
}

/// How the callers' numbers begin that a plan's author means: as [`caller`] gives them. None for what is no number.
pub fn prefix(text: &str, area: Option<&str>) -> Option<String> {
    let spelt = Spelt::read(text)?;
    let d = spelt.digits.as_str();
    let country = d.strip_prefix("0086").or_else(|| if spelt.plus { d.strip_prefix("86") } else { None });
    // No area and no mobile begins with 86.
    let national = country.or_else(|| d.strip_prefix("86").filter(|rest| rest.len() > 1));
    if national.is_none() && spelt.plus {
        return Some(format!("00{d}"));
    }
    let n = national.unwrap_or(d);
    let bare = n.strip_prefix('0').unwrap_or(n);
    let mobiles = bare.starts_with('1') && !bare.starts_with("10");
    Some(match () {
        () if d.starts_with("00") && country.is_none() => d.to_string(),
        // Behind the country code or a 0 stands an area, or a mobile.
        () if national.is_some() || n.starts_with('0') => {
            if mobiles {
                bare.to_string()
            } else {
                format!("0{bare}")
            }
        }
        () if subscriber(n) => area.map_or(n.to_string(), |area| format!("0{area}{n}")),
        () => n.to_string(),
    })
}

/// An area code without its leading 0: 10, 2x, or three digits.
pub fn is_area(code: &str) -> bool {
    split_area(code).is_some_and(|(_, rest)| rest.is_empty())
}

/// More digits than any number has (E.164 allows 15) are not kept.
const LONGEST: usize = 32;

/// A number taken out of its spelling.
struct Spelt {
    digits: String,
    /// It was written internationally, with a `+`.
    plus: bool,
    /// The area of its `phone-context` (RFC 3966 §5.1.5).
    context: Option<String>,
}

impl Spelt {
    /// None when this is no telephone number.
    fn read<'a>(text: &'a str) -> Option<Spelt> {
        let text = text.trim();
        let (head, rest) = text.split_at_checked(text.find(':').map_or(0, |i| i + 1))?;
        let text = if ["tel:", "sip:", "sips:"].iter().any(|s| s.eq_ignore_ascii_case(head)) { rest } else { text };
        let mut parts = text.split(['@', ';']);
        let user = parts.next()?.trim();
        let value = |p: &'a str| p.trim().split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("phone-context"));
        let context = parts.filter_map(value).find_map(|(_, value)| context_area(value));
        let (plus, number) = user.strip_prefix('+').map_or((false, user), |rest| (true, rest));
        let mut digits = String::with_capacity(number.len().min(LONGEST));
        for c in number.chars() {
            match c {
                '0'..='9' if digits.len() < LONGEST => digits.push(c),
                // RFC 3966 §5.1.1: visual separators mean nothing.
                '0'..='9' | '-' | '.' | '(' | ')' | ' ' => {}
                _ => return None,
            }
        }
        (!digits.is_empty()).then_some(Spelt { digits, plus, context })
    }
}

/// `+86691`, with separators or without; some write what is dialled before a number there, `0691` (RFC 3966 §5.1.5 has local
/// numbers' contexts begin with a `+`).
fn context_area(value: &str) -> Option<String> {
    let digits: String = value.chars().filter(|c| !"-.() ".contains(*c)).take(LONGEST).collect();
    let national = ["+86", "0086", "0"].iter().find_map(|prefix| digits.strip_prefix(prefix))?;
    split_area(national.strip_prefix('0').unwrap_or(national)).map(|(area, _)| area.to_string())
}

fn called_readings<'a>(spelt: &Spelt, home: impl Iterator<Item = &'a str>) -> Vec<Called> {
    let d = spelt.digits.as_str();
    let mut out = Vec::with_capacity(6);
    if let Some(national) = spelt.plus.then(|| d.strip_prefix("86")).flatten() {
        national_readings(national, &mut out);
        return out;
    }
    if spelt.plus && !d.starts_with('0') {
        return vec![plain(format!("00{d}")), plain(d.to_string())];
    }
    if short(d) {
        let elsewhere = spelt.context.iter().map(|area| Called { number: format!("0{area}{d}"), area: Some(area.clone()) });
        out.extend(elsewhere.chain([plain(d.to_string())]));
    }
    if let Some(international) = d.strip_prefix("00") {
        if let Some(national) = international.strip_prefix("86") {
            national_readings(national, &mut out);
        }
        out.push(plain(d.to_string()));
        return out;
    }
    if d.starts_with('0') {
        national_readings(d, &mut out);
        return out;
    }
    if subscriber(d) {
        let areas = spelt.context.as_deref().into_iter().map(str::to_string).chain(home.map(str::to_string));
        out.extend(areas.map(|area| plain(format!("0{area}{d}"))));
    }
    if let Some(national) = d.strip_prefix("86") {
        national_readings(national, &mut out);
    }
    national_readings(d, &mut out);
    out
}

/// The readings of a number within the country, with or without its trunk prefix 0.
fn national_readings(national: &str, out: &mut Vec<Called>) {
    let n = national.strip_prefix('0').unwrap_or(national);
    if short(n) || mobile(n) || (n.len() == 10 && (n.starts_with("400") || n.starts_with("800"))) {
        out.push(plain(n.to_string()));
    }
    if let Some((area, rest)) = split_area(n) {
        if short(rest) {
            // Another place's number may have a line of its own; else the short number is meant, in that area.
            out.insert(0, Called { number: format!("0{n}"), area: Some(area.to_string()) });
        }
        let number = if subscriber(rest) { Some(format!("0{n}")) } else { short(rest).then(|| rest.to_string()) };
        out.extend(number.map(|number| Called { number, area: Some(area.to_string()) }));
    }
    out.push(plain(national.to_string()));
}

fn domestic_caller(d: &str, home: Option<&str>) -> String {
    if subscriber(d) {
        return home.map_or(d.to_string(), |area| format!("0{area}{d}"));
    }
    let bare = |n: &'_ str| n.strip_prefix('0').unwrap_or(n).to_string();
    let n = d.strip_prefix("86").map(bare).filter(|n| mobile(n) || fixed(n)).unwrap_or_else(|| bare(d));
    let area_and_short = || split_area(&n).is_some_and(|(_, rest)| matches!(rest.len(), 5 | 6));
    match () {
        // No short number begins with a 0: what does is left as it is, so that reading it again changes nothing.
        () if mobile(&n) || short(&n) && !n.starts_with('0') => n,
        () if fixed(&n) || area_and_short() => format!("0{n}"),
        () => d.to_string(),
    }
}

/// A short number with its area: only ever meant where the plan has it.
fn elsewhere(called: &Called) -> bool {
    called
        .area
        .as_ref()
        .is_some_and(|area| called.number.strip_prefix('0').and_then(|n| n.strip_prefix(area.as_str())).is_some_and(short))
}

fn plain(number: String) -> Called {
    Called { number, area: None }
}

/// Splits an area code off a national number without its 0.
pub(super) fn split_area(n: &str) -> Option<(&str, &str)> {
    let length = match n.as_bytes() {
        [b'1', b'0', ..] | [b'2', b'0'..=b'9', ..] => 2,
        // Free and shared-cost services, nationwide; and no area begins like the country code.
        [b'4' | b'8', b'0', b'0', ..] | [b'8', b'6', ..] => return None,
        [b'3'..=b'9', b'0'..=b'9', b'0'..=b'9', ..] => 3,
        _ => return None,
    };
    n.split_at_checked(length)
}

fn fixed(n: &str) -> bool {
    split_area(n).is_some_and(|(_, rest)| subscriber(rest))
}

fn subscriber(n: &str) -> bool {
    matches!(n.len(), 7 | 8) && !n.starts_with(['0', '1'])
}

fn short(n: &str) -> bool {
    matches!(n.len(), 3..=6)
}

fn mobile(n: &str) -> bool {
    n.len() == 11 && n.starts_with('1') && !n.starts_with("10") && !n.starts_with("11") && !n.starts_with("12")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(n: &str) -> bool {
        ["12345", "12336", "96301", "110", "03592666110", "06912122110"].contains(&n)
    }

    fn read(text: &str) -> (String, Option<String>) {
        let c = called(text, ["691", "359"].into_iter(), &known);
        (c.number, c.area)
    }

    #[test]
    fn what_was_done_to_a_spelling_is_said() {
        for (text, area, want) in [
            ("12345", Some("691"), "as it is"),
            ("069112345", Some("691"), "area code 0691 split off"),
            ("0691-12345", Some("691"), "its digits are 069112345, area code 0691 split off"),
            ("+8669112345", Some("691"), "country code 86 taken off, area code 0691 split off"),
            ("008612345", None, "country code 86 taken off"),
            ("12345;phone-context=+86691", Some("691"), "its digits are 12345"),
            ("2122110", Some("691"), "area code 0691 added"),
            ("06912122110", Some("691"), "as it is"),
            ("anonymous", None, "no telephone number, taken as it is"),
        ] {
            let said = taken_apart(text, &read(text).0, area);
            assert_eq!(said.join(", "), want, "{text}");
        }
    }

    #[test]
    fn every_spelling_of_a_short_number_is_one_number() {
        for (text, area) in [
            ("12345", None),
            ("069112345", Some("691")),
            ("0691-12345", Some("691")),
            ("69112345", Some("691")),
            ("+8669112345", Some("691")),
            ("8669112345", Some("691")),
            ("008669112345", Some("691")),
            ("+86069112345", Some("691")),
            ("+8612345", None),
            ("8612345", None),
            ("012345", None),
            ("tel:12345;phone-context=+86691", Some("691")),
            ("12345;phone-context=+86691", Some("691")),
            ("12345;phone-context=ims.example.cn", None),
            ("12345;Phone-Context=+86691", Some("691")),
            ("12345;phone-context=+86-691;npdi", Some("691")),
            ("12345;phone-context=+86(0691)", Some("691")),
            ("12345;npdi;phone-context=0691", Some("691")),
            ("+8612345;npdi;rn=+8669199", None),
            ("TEL:+86-691-12345", Some("691")),
            ("sip:12345@10.0.0.1:5060;user=phone", None),
            ("1012345", Some("10")),
            ("01012345", Some("10")),
            ("+861012345", Some("10")),
            ("02112345", Some("21")),
        ] {
            assert_eq!(read(text), ("12345".into(), area.map(str::to_string)), "{text}");
        }
    }

    #[test]
    fn fixed_numbers_are_completed_by_area() {
        assert_eq!(read("2666110").0, "03592666110");
        assert_eq!(read("0359-2666110"), ("03592666110".into(), Some("359".into())));
        assert_eq!(read("+863592666110").0, "03592666110");
        assert_eq!(read("2122110;phone-context=+86691").0, "06912122110");
        assert_eq!(read("2999999").0, "06912999999", "unknown: the likeliest area");
    }

    #[test]
    fn numbers_of_no_line_are_normalised_too() {
        assert_eq!(read("069112399").0, "12399");
        assert_eq!(read("087196301"), ("96301".into(), Some("871".into())));
        assert_eq!(read("13800138000").0, "13800138000");
        assert_eq!(read("+14155550123").0, "0014155550123");
        assert_eq!(read("4008123456").0, "4008123456");
        assert_eq!(read("alice").0, "alice");
        assert_eq!(read(&"9".repeat(500)).0.len(), LONGEST);
    }

    #[test]
    fn another_place_may_have_a_line_of_its_own() {
        for text in ["0971-12345", "+8697112345", "97112345", "12345;phone-context=+86971"] {
            let read = called(text, ["971"].into_iter(), &|n| ["12345", "097112345"].contains(&n));
            assert_eq!((read.number.as_str(), read.area.as_deref()), ("097112345", Some("971")), "{text}");
        }
        let read = called("12345", ["971"].into_iter(), &|n| ["12345", "097112345"].contains(&n));
        assert_eq!(read.number, "12345", "the trunk's area alone does not name another place");
    }

    #[test]
    fn callers_are_normalised() {
        for (text, want) in [
            ("13800138000", "13800138000"),
            ("013800138000", "13800138000"),
            ("+8613800138000", "13800138000"),
            ("8613800138000", "13800138000"),
            ("008613800138000", "13800138000"),
            ("06912122110", "06912122110"),
            ("6912122110", "06912122110"),
            ("+866912122110", "06912122110"),
            ("866912122110", "06912122110"),
            ("2122110", "06912122110"),
            ("01062345678", "01062345678"),
            ("0085212345678", "0085212345678"),
            ("+85212345678", "0085212345678"),
            ("110", "110"),
            ("12345", "12345"),
            ("069112345", "069112345"),
        ] {
            assert_eq!(caller(text, Some("691")).as_deref(), Some(want), "{text}");
        }
        for text in ["anonymous", "", "Unavailable", "sip:anonymous@anonymous.invalid", "+"] {
            assert_eq!(caller(text, Some("691")), None, "{text}");
        }
    }

    #[test]
    fn the_beginnings_of_callers_are_normalised_as_callers_are() {
        for (text, want) in [
            ("138", "138"),
            ("+86138", "138"),
            ("86138", "138"),
            ("0086 138", "138"),
            ("0138", "138"),
            ("+86 691", "0691"),
            ("+860691", "0691"),
            ("+8610", "010"),
            ("0691", "0691"),
            ("010", "010"),
            ("+852", "00852"),
            ("00852", "00852"),
            ("95", "95"),
            ("2122110", "06912122110"),
            ("+8613800138000", "13800138000"),
        ] {
            assert_eq!(prefix(text, Some("691")).as_deref(), Some(want), "{text}");
        }
        for text in ["", "abc", "+", "１３８"] {
            assert_eq!(prefix(text, Some("691")), None, "{text}");
        }
    }

    #[test]
    fn a_plans_own_spelling() {
        assert_eq!(written("2666110", Some("359")), Ok("03592666110".into()));
        assert_eq!(written("0871-12313", Some("691")), Ok("087112313".into()));
        assert_eq!(written("12345", None), Ok("12345".into()));
        assert!(written("2666110", None).is_err());
        assert!(written("12a45", None).is_err());
    }

    #[test]
    fn area_codes() {
        assert!(["10", "21", "691", "898"].iter().all(|a| is_area(a)));
        assert!(["1", "12", "0691", "69", "6911", ""].iter().all(|a| !is_area(a)));
    }

    fn areas() -> impl Strategy<Value = String> {
        prop_oneof![Just("10".to_string()), "2[0-9]", "[3-79][1-9][0-9]", "8[157-9][0-9]"]
    }

    #[test]
    fn zeros_before_a_short_number_are_no_trunk_prefix_but_one() {
        for (text, want) in
            [("0100", "100"), ("+860100", "100"), ("+8600100", "00100"), ("00100", "00100"), ("86000110", "86000110")]
        {
            assert_eq!(caller(text, None).as_deref(), Some(want), "{text}");
            assert_eq!(caller(want, None).as_deref(), Some(want), "{want}");
        }
    }

    proptest! {
        #[test]
        fn spellings_agree(area in areas(), short in prop_oneof![Just("12345"), Just("12336"), Just("96301")]) {
            let spellings = [
                format!("0{area}{short}"), format!("0{area}-{short}"), format!("+86{area}{short}"), format!("86{area}{short}"),
                format!("0086{area}{short}"), format!("tel:{short};phone-context=+86{area}"), format!("sip:+86-{area}-{short}@h;user=phone"),
            ];
            for text in spellings {
                prop_assert_eq!(read(&text), (short.to_string(), Some(area.clone())), "{}", text);
            }
        }

        #[test]
        fn normal_forms_stay(area in areas(), rest in "[2-8][0-9]{6,7}", mobile in "1[3-9][0-9]{9}") {
            for text in [format!("0{area}{rest}"), mobile] {
                prop_assert_eq!(caller(&text, Some("691")), Some(text.clone()));
                prop_assert_eq!(caller(&format!("+86{}", text.trim_start_matches('0')), None), Some(text.clone()));
                prop_assert_eq!(read(&text).0, text);
            }
        }

        #[test]
        fn anything_is_read(text in "\\PC{0,60}") {
            let once = read(&text).0;
            prop_assert!(once.chars().count() <= text.chars().count() + 4);
            caller(&text, Some("691"));
        }

        #[test]
        fn reading_twice_changes_nothing(digits in "[+]?[0-9]{1,20}") {
            if let Some(once) = caller(&digits, Some("691")) {
                let twice = caller(&once, Some("691"));
                prop_assert_eq!(twice, Some(once));
            }
        }
    }
}
