//! `hotline check` as people meet it who write Chinese: each way in which a word processor, an editor or an input method
//! spoils a file, in each kind of file, in both languages. One cause gives one complaint, at its place.

use encoding_rs::GB18030;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SITE: &str = r#"# 现场配置
[node]
name = "某市"
[plan]
file = "plan.toml"
[records.backends.tickets]
profile = "profile.toml"
url = "http://192.0.2.1/"
[records.backends.tickets.credentials]
token = "0123456789abcdef"
[calls]
max_duration = "2h"
[sip]
listen = ["127.0.0.1:5060", "127.0.0.2:5060"]
"#;
/// A small gateway, whatever this machine allows.
const SMALL: [(&str, &str); 5] = [
    ("HOTLINE__LIMITS__CALLS", "100"),
    ("HOTLINE__LIMITS__EMERGENCY_PERCENT", "10"),
    ("HOTLINE__TRUNKS__LOOPBACK__CHANNELS", "50"),
    ("HOTLINE__TRUNKS__LOOPBACK__RESERVED", "5"),
    ("HOTLINE__QUEUES__12345__MAX_LENGTH", "50"),
];

const PLAN: &str = r#"# 方案
include = ["more.toml", "more.toml"]
[plan]
name = "某市"
area = "691"
prefixes = "prefixes.csv"
[[line]]
number = "12345"
mode = "front"
unit = "办公室"
[modes.merged]
connect-from = 2021-09-30
[prompts.connect]
text = "您好"
"#;

const MORE: &str = r#"# 更多
[[line]]
number = ["12336", "12337"]
name = "自然资源"
unit = "局"
mode = "merged"
connect-from = 2021-09-30
"#;

const PROFILE: &str = r#"# 工单系统
events = ["call.record", "call.offered"]
[auth]
kind = "header"
name = "authorization"
value = "token {{ secret.token }}"
[create]
method = "POST"
path = "/工单"
body = '''
{
  "a": {{ data.call_id }}
}
'''
"#;

const PREFIXES: &str = "# 西双版纳州号段\n1380013,691\n1380014,691\n";

const FILES: [(&str, &str); 5] =
    [("site.toml", SITE), ("plan.toml", PLAN), ("more.toml", MORE), ("profile.toml", PROFILE), ("prefixes.csv", PREFIXES)];
const TONGUES: [(&str, &str); 2] = [("en", "C.UTF-8"), ("zh", "zh_CN.UTF-8")];

/// A folder with all kinds of files, of which one may be another.
struct Site(TempDir);

impl Site {
    fn with(name: &str, bytes: &[u8]) -> Site {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in FILES {
            fs::write(folder.path().join(file), text).unwrap();
        }
        fs::create_dir(folder.path().join("prompts")).unwrap();
        for prompt in ["connect", "connect-12336"] {
            fs::write(folder.path().join(format!("prompts/{prompt}.al")), [0x55; 800]).unwrap();
        }
        fs::write(folder.path().join(name), bytes).unwrap();
        Site(folder)
    }

    /// The exit status and what is written to standard error.
    fn check(&self, environment: &[(&str, &str)]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotline"));
        command.args(["check", "--config", "site.toml"]).current_dir(self.0.path()).env_clear();
        let output = command.envs(SMALL).envs(environment.iter().copied()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    fn told(&self, locale: &str) -> (i32, Vec<String>) {
        let (status, text) = self.check(&[("LC_ALL", locale)]);
        // The lines of a file that are shown stand further in.
        (status, text.lines().filter(|line| !line.starts_with("  ")).map(String::from).collect())
    }
}

/// The only complaint, in English and in Chinese, which must be told apart from English.
#[track_caller]
fn one_complaint(what: &str, file: &str, bytes: &[u8], place: &str, parts: [&str; 2]) {
    let site = Site::with(file, bytes);
    for ((_, locale), part) in TONGUES.into_iter().zip(parts) {
        let (status, told) = site.told(locale);
        assert_eq!((status, told.len()), (2, 1), "{what} in {file}, {locale}: {told:#?}");
        assert!(told[0].starts_with(&format!("{file}:{place}: ")), "{what} in {file}: wanted {place}, got {told:#?}");
        assert!(told[0].contains(part), "{what} in {file}, {locale}: wanted {part}, got {told:#?}");
    }
}

/// Line and column at which the texts differ first, counted in characters.
fn first_difference(good: &str, bad: &str) -> String {
    let same = good.chars().zip(bad.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a);
    let before: String = same.collect();
    format!("{}:{}", before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap().chars().count() + 1)
}

#[test]
fn what_is_well_written_is_taken() {
    for (file, text) in FILES {
        for text in [text.to_owned(), format!("\u{feff}{text}"), text.replace('\n', "\r\n")] {
            assert_eq!(Site::with(file, text.as_bytes()).check(&[]), (0, String::new()), "{file}: {text:?}");
        }
    }
}

#[test]
fn each_encoding_is_named_in_each_file() {
    let wide = |text: &str, mark: bool, big: bool| -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    for (file, text) in FILES {
        let place = format!("1:{}", text.chars().position(|c| !c.is_ascii()).unwrap() + 1);
        one_complaint(
            "GBK",
            file,
            &GB18030.encode(text).0,
            &place,
            ["saved as GBK", "以 GBK (GB18030) 编码保存，请另存为 UTF-8"],
        );
        for (mark, big) in [(false, false), (false, true), (true, false), (true, true)] {
            let name = if big { "UTF-16BE" } else { "UTF-16LE" };
            let parts = [format!("saved as {name}: save it as UTF-8"), format!("以 {name} 编码保存，请另存为 UTF-8")];
            let parts = [parts[0].as_str(), parts[1].as_str()];
            one_complaint(name, file, &wide(text, mark, big), &place, parts);
        }
        let end = text.lines().next().unwrap().chars().count() + 1;
        let parts = ["CR alone", "行尾只有回车符 CR"];
        one_complaint("CR", file, text.replace('\n', "\r").as_bytes(), &format!("1:{end}"), parts);
        // A broken character in a file of UTF-8.
        let broken: Vec<u8> = text.bytes().enumerate().filter(|(at, _)| *at != 4).map(|(_, byte)| byte).collect();
        one_complaint("broken", file, &broken, "1:3", ["is no UTF-8: write the character anew", "不是 UTF-8，请重新输入该字符"]);
    }
}

/// A character and what it stands for; what is told of it in either language.
const CHARACTERS: [(char, char, [&str; 2]); 17] = [
    ('“', '"', ["`“` (U+201C) is a Chinese quotation mark: write \"", "`“`（U+201C）是中文引号，请改为半角引号 \""]),
    ('”', '"', ["`”` (U+201D) is a Chinese quotation mark: write \"", "`”`（U+201D）是中文引号，请改为半角引号 \""]),
    ('‘', '"', ["`‘` (U+2018) is a Chinese quotation mark: write '", "`‘`（U+2018）是中文引号，请改为半角引号 '"]),
    ('＂', '"', ["`＂` (U+FF02)", "`＂`（U+FF02）"]),
    ('，', ',', ["`，` (U+FF0C) is full-width: write `,`", "`，`（U+FF0C）是全角字符，请改为半角 `,`"]),
    ('、', ',', ["`、` (U+3001) is full-width: write `,`", "`、`（U+3001）是全角字符，请改为半角 `,`"]),
    ('＝', '=', ["`＝` (U+FF1D) is full-width: write `=`", "`＝`（U+FF1D）是全角字符，请改为半角 `=`"]),
    ('：', '=', ["`：` (U+FF1A) is full-width: write `=`", "`：`（U+FF1A）是全角字符，请改为半角 `=`"]),
    ('［', '[', ["`［` (U+FF3B) is full-width: write `[`", "`［`（U+FF3B）是全角字符，请改为半角 `[`"]),
    ('【', '[', ["`【` (U+3010) is full-width: write `[`", "`【`（U+3010）是全角字符，请改为半角 `[`"]),
    ('］', ']', ["`］` (U+FF3D) is full-width: write `]`", "`］`（U+FF3D）是全角字符，请改为半角 `]`"]),
    ('\u{3000}', ' ', ["U+3000 is a wide or no-break space", "U+3000 是全角空格或不间断空格，请改为半角空格"]),
    ('\u{a0}', ' ', ["U+00A0 is a wide or no-break space", "U+00A0 是全角空格或不间断空格，请改为半角空格"]),
    ('\u{200b}', ' ', ["U+200B is an invisible character: delete it", "U+200B 是不可见字符，请删除"]),
    ('\u{feff}', ' ', ["U+FEFF is an invisible character: delete it", "U+FEFF 是不可见字符，请删除"]),
    ('ｎ', 'n', ["`ｎ` (U+FF4E) is full-width: write `n`", "`ｎ`（U+FF4E）是全角字符，请改为半角 `n`"]),
    ('ａ', 'a', ["`ａ` (U+FF41) is full-width: write `a`", "`ａ`（U+FF41）是全角字符，请改为半角 `a`"]),
];

#[test]
fn each_character_is_named_in_each_file() {
    for (file, text) in FILES.iter().filter(|(file, _)| file.ends_with(".toml")) {
        let (remark, rest) = text.split_once('\n').unwrap();
        for (odd, plain, parts) in CHARACTERS {
            // The mark that ends a text alone may be a Chinese one, or both.
            let bad = match odd {
                '“' | '‘' | '＂' => {
                    let close = [('“', "”"), ('‘', "’"), ('＂', "＂")].into_iter().find(|(open, _)| *open == odd).unwrap().1;
                    rest.replacen('"', &odd.to_string(), 1).replacen('"', close, 1)
                }
                '”' => rest.replacen('"', "\0", 1).replacen('"', "”", 1).replace('\0', "\""),
                // Where it cannot belong to a text.
                ',' | '，' | '、' => rest.replacen("\", \"", &format!("\"{odd} \""), 1),
                'ａ' | 'ｎ' => match rest.match_indices(['\n']).find(|(at, _)| rest[at + 1..].starts_with(plain)) {
                    Some((at, _)) => format!("{}\n{odd}{}", &rest[..at], &rest[at + 2..]),
                    None => continue,
                },
                '：' => rest.replacen(" =", "：", 1),
                ' ' | '\u{3000}' | '\u{a0}' => rest.replacen(" = ", &format!("{odd}= "), 1),
                '\u{200b}' | '\u{feff}' => rest.replacen(" = ", &format!("{odd} = "), 1),
                _ => rest.replacen(plain, &odd.to_string(), 1),
            };
            let (good, bad) = (format!("{remark}\n{rest}"), format!("{remark}\n{bad}"));
            assert_ne!(good, bad, "{odd} in {file}");
            one_complaint(&odd.to_string(), file, bad.as_bytes(), &first_difference(&good, &bad), parts);
        }
    }
}

/// A good part of a file, the bad one, where that is told, and what in either language.
const SLIPS: &[(&str, &str, &str, &str, [&str; 2])] = &[
    ("plan.toml", "2021-09-30", "2026年10月1日", "12:16", ["write 2026-10-01", "请改为 2026-10-01"]),
    ("more.toml", "2021-09-30", "2026/10/1", "7:16", ["write 2026-10-01", "请改为 2026-10-01"]),
    ("more.toml", "2021-09-30", "\"2026年10月1日\"", "7:16", ["write 2026-10-01 without quotes", "请写作 2026-10-01，不加引号"]),
    ("more.toml", "2021-09-30", "２０２６-１０-０１", "7:16", ["write 2026-10-01", "请改为 2026-10-01"]),
    ("more.toml", "2021-09-30", "2026年2月30日", "7:16", ["there is no day 2026年2月30日", "没有 2026年2月30日 这一天"]),
    ("more.toml", "2021-09-30", "二〇二六年十月一日", "7:16", ["such as 2026-10-01", "例如 2026-10-01"]),
    ("more.toml", "\"merged\"", "\"整体并入\"", "6:8", ["did you mean `merged`?", "是不是 `merged`？"]),
    ("more.toml", "\"merged\"", "\"整体 并入\"", "6:8", ["did you mean `merged`?", "是不是 `merged`？"]),
    ("more.toml", "\"merged\"", "\"整体井入\"", "6:8", ["did you mean `merged`?", "是不是 `merged`？"]),
    ("more.toml", "\"merged\"", "整体并入", "6:8", ["write \"merged\"", "请写作 \"merged\""]),
    ("plan.toml", "[modes.merged]", "[modes.整体并入]", "11:8", ["did you mean `merged`?", "是不是 `merged`？"]),
    ("more.toml", "mode =", "模式 =", "6:1", ["did you mean `mode`?", "是不是 `mode`？"]),
    ("more.toml", "\"12336\"", "\"１２３３６\"", "3:11", ["all of it: `\"12336\"`", "全文应为 `\"12336\"`"]),
    ("more.toml", "\"12336\"", "１２３３６", "3:11", ["write `12336`", "请改为半角 `12336`"]),
    ("more.toml", "\"12336\"", "\"12\u{200b}336\"", "3:14", ["U+200B", "U+200B 是不可见字符"]),
    ("more.toml", "\"局\"", "\"局\"。", "5:11", ["`。` (U+3002) does not belong here", "`。`（U+3002）不应出现在这里"]),
    ("more.toml", "\"局\"", "\"局\"，", "5:11", ["`，` (U+FF0C) does not belong here", "`，`（U+FF0C）不应出现在这里"]),
    ("more.toml", "\"局\"", "\"局\"；", "5:11", ["`；` (U+FF1B) does not belong here", "`；`（U+FF1B）不应出现在这里"]),
    ("more.toml", "\"局\"", "\"局", "5:10", ["quotation mark at the end", "缺少文字末尾的引号"]),
    ("plan.toml", "more.toml", "more。toml", "2:12", ["all of it: `\"more.toml\"`", "全文应为 `\"more.toml\"`"]),
    ("plan.toml", "\"691\"", "691", "5:8", ["wants a text between quotes: \"691\"", "应为引号括起的文字：\"691\""]),
    ("plan.toml", "text =", "txet =", "14:1", ["did you mean `text`?", "是不是 `text`？"]),
    ("site.toml", "plan.toml", "plan。toml", "5:1", ["all of it: `plan.toml`", "全文应为 `plan.toml`"]),
    ("site.toml", "plan.toml", "paln.toml", "5:1", ["paln.toml: No such file", "paln.toml：没有这个文件"]),
    ("site.toml", "profile.toml", "porfile.toml", "7:1", ["`porfile.toml`: No such file", "`porfile.toml`：没有这个文件"]),
    ("site.toml", "profile.toml", "redmine5", "7:1", ["did you mean `redmine-5`?", "是不是 `redmine-5`？"]),
    ("site.toml", "\"2h\"", "7200", "12:16", ["wants a time such as \"30s\" or \"1m30s\"; write \"7200s\"", "请写作 \"7200s\""]),
    ("site.toml", "\"2h\"", "\"2小时\"", "12:16", ["write \"2h\"", "请写作 \"2h\""]),
    ("site.toml", "\"2h\"", "２小时", "12:16", ["write `2`", "请改为半角 `2`"]),
    ("site.toml", "\"2h\"", "\"2天\"", "12:16", ["write \"48h\"", "请写作 \"48h\""]),
    ("site.toml", "127.0.0.1:5060", "127.0.0.1：5060", "14:11", ["all of it: `127.0.0.1:5060`", "全文应为 `127.0.0.1:5060`"]),
    ("site.toml", "max_duration", "max_duraton", "12:1", ["did you mean `max_duration`?", "是不是 `max_duration`？"]),
    ("site.toml", "[calls]", "[log]\nlevel = \"inof\"\n[calls]", "12:1", ["did you mean `info`?", "是不是 `info`？"]),
    ("site.toml", "[calls]", "[trunks.移动]\n[calls]", "11:9", ["between quotes: \"移动\"", "要加引号：\"移动\""]),
    ("site.toml", "[calls]", "[queues.12345]\nseats = [\"dsek\"]\n[calls]", "12:1", ["did you mean `desk`?", "是不是 `desk`？"]),
    ("profile.toml", "call.record", "call。record", "2:10", ["no event `call。record`", "没有事件 `call。record`"]),
    ("profile.toml", "\"POST\"", "\"PSOT\"", "8:10", ["did you mean `POST`?", "是不是 `POST`？"]),
    ("profile.toml", "secret.token }}", "secret.token }", "6:9", ["the template is wrong: syntax error", "模板有误：语法错误"]),
    ("profile.toml", "data.call_id }}", "data.call_id }", "12:1", ["the template is wrong: syntax error", "模板有误：语法错误"]),
    ("profile.toml", "path =", "paht =", "9:1", ["did you mean `path`?", "是不是 `path`？"]),
    ("profile.toml", "[create]", "[create]\nid = \"/id\"", "7:1", ["needs a [find]", "需要 [find]"]),
    ("prefixes.csv", "1380013,", "1380013，", "2:1", ["write `,`; all of it: `1380013,691`", "全文应为 `1380013,691`"]),
    ("prefixes.csv", "1380013,", "１３８００１３,", "2:1", ["all of it: `1380013,691`", "全文应为 `1380013,691`"]),
    ("prefixes.csv", "1380013,", "1380013\u{feff},", "2:1", ["U+FEFF is an invisible character", "U+FEFF 是不可见字符"]),
];

#[test]
fn each_slip_is_told_with_its_fix_and_once() {
    for (file, good, bad, place, parts) in SLIPS {
        let text = FILES.iter().find(|(name, _)| name == file).unwrap().1;
        let spoilt = text.replacen(good, bad, 1);
        assert_ne!(text, spoilt, "{good} is not in {file}");
        one_complaint(bad, file, spoilt.as_bytes(), place, *parts);
    }
}

/// As above, but they stop nothing.
#[test]
fn what_is_doubtful_is_told_with_its_place() {
    let twins = "[seats.a]\naor = \"sip:1@192.0.2.1\"\naddress = \"192.0.2.1:5060\"\n[seats.b]\naor = \"sip:2@192.0.2.1\"\naddress = \"192.0.2.1:5060\"\n[calls]";
    for (file, good, bad, place, parts) in [
        (
            "plan.toml",
            "mode = \"front\"",
            "mode = \"sub-center\"",
            "plan.toml:3:1",
            ["no line has the mode `front`", "没有模式为 `front` 的号码"],
        ),
        ("site.toml", "[calls]", twins, "site.toml:16:1", ["is seat `a`'s, too", "与座席 `a` 的地址相同"]),
        ("site.toml", "token =", "tokn = \"x\"\ntoken =", "site.toml:10:1", ["reads no credential `tokn`", "不使用凭据 `tokn`"]),
    ] {
        let text = FILES.iter().find(|(name, _)| *name == file).unwrap().1;
        let site = Site::with(file, text.replacen(good, bad, 1).as_bytes());
        for ((_, locale), part) in TONGUES.into_iter().zip(parts) {
            let (status, told) = site.told(locale);
            assert!(status == 0 && told.len() == 1 && told[0].starts_with(place) && told[0].contains(part), "{bad}: {told:#?}");
        }
    }
}

#[test]
fn other_mistakes_are_understood() {
    let site = |good: &str, bad: &str| Site::with("site.toml", SITE.replacen(good, bad, 1).as_bytes());
    let disabled = site("[calls]", "[seats.desk]\nenabled = false\n[calls]");
    assert!(disabled.told("C").1[0].contains("`desk` is disabled at line 12 of site.toml"));
    assert!(disabled.told("zh_CN").1[0].contains("`desk` 已停用（site.toml 第 12 行）"));
    for caller in ["+86138", "0086 138", "86-138", "138"] {
        let line = format!("when = {{ caller = \"{caller}\" }}\nunit =");
        let plan = MORE.replacen("unit =", &line, 1);
        let (status, told) = Site::with("more.toml", plan.as_bytes()).told("C");
        assert!(
            status == 0 && told.iter().all(|line| line.contains("unknown to calls that no `when` fits")),
            "{caller}: {told:#?}"
        );
    }
}

/// The plan's own folder counts, not the one that the program was started in.
#[test]
fn what_a_plan_includes_stands_beside_it() {
    let site = Site::with("site.toml", SITE.as_bytes());
    let folder = site.0.path();
    fs::create_dir(folder.join("plans")).unwrap();
    for file in ["plan.toml", "more.toml", "prefixes.csv", "prompts"] {
        fs::rename(folder.join(file), folder.join("plans").join(file)).unwrap();
    }
    fs::write(folder.join("site.toml"), SITE.replace("plan.toml", "plans/plan.toml")).unwrap();
    assert_eq!(site.check(&[]), (0, String::new()));
    fs::remove_file(folder.join("plans/more.toml")).unwrap();
    let told = site.told("C").1;
    assert!(told.len() == 1 && told[0].starts_with("plans/plan.toml:2:25: cannot read `more.toml`"), "{told:#?}");
}

#[test]
fn no_variable_is_passed_over() {
    let site = Site::with("site.toml", SITE.as_bytes());
    for (name, value, parts) in [
        ("HOTLINE_HTTP_LISTEN", "127.0.0.1:1", ["write HOTLINE__HTTP__LISTEN", "请写作 HOTLINE__HTTP__LISTEN"]),
        ("hotline__http__listen", "127.0.0.1:1", ["write HOTLINE__HTTP__LISTEN", "请写作 HOTLINE__HTTP__LISTEN"]),
        ("HOTLINE__HTTP_LISTEN", "127.0.0.1:1", ["write HOTLINE__HTTP__LISTEN", "请写作 HOTLINE__HTTP__LISTEN"]),
        ("HOTLINE__HTTP__LITSEN", "127.0.0.1:1", ["did you mean `listen`?", "是不是 `listen`？"]),
        ("HOTLINE__HTTP__LISTEN", "127.0.0.1：1", ["all of it: `127.0.0.1:1`", "全文应为 `127.0.0.1:1`"]),
        ("HOTLINE__NODE__STATE", "", ["is empty", "不能为空"]),
        ("HOTLINE__", "x", ["unknown field ``", "不认识的键 ``"]),
    ] {
        for ((_, locale), part) in TONGUES.into_iter().zip(parts) {
            let (status, told) = site.check(&[(name, value), ("LC_ALL", locale)]);
            assert!(status == 2 && told.contains(part) && told.contains(name), "{name}: {told}");
        }
    }
    let (status, told) = site.check(&[("HOTLINE_PORT", "tcp://192.0.2.1:80")]);
    assert!(status == 0 && told.starts_with("environment: HOTLINE_PORT: is not read"), "{told}");
}

/// It takes two seconds unoptimised and beside other work; as long as it was not linear it took minutes.
#[test]
fn a_large_plan_is_checked_in_a_moment() {
    let line = |i: usize| {
        let (number, next) = (2_000_000 + i, 2_000_001 + i);
        let unit = "mode = \"sub-center\"\nunit = \"局\"\n";
        format!("[[line]]\nnumber = \"{number}\"\n{unit}when = {{ caller = \"13{i}\" }}\ntargets = [\"{next}\"]\n")
    };
    let plan = (0..10_000).fold(PLAN.to_owned(), |text, i| text + &line(i));
    let site = Site::with("plan.toml", plan.as_bytes());
    let began = Instant::now();
    assert_eq!(site.check(&[]).0, 0);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
