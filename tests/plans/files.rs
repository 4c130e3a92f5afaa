//! Every plan of `dialplans/` passes its own check, and the prompts are fit to be played.

use crate::g711::linear;
use hotline::base::Text;
use hotline::plan::{Surroundings, check, reference, schema};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// Sounds that nobody speaks.
const MUSIC: &str = "music";
const TONE: &str = "message-tone";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dialplans")
}

fn load(name: &str) -> Result<Vec<u8>, Text> {
    std::fs::read(folder().join(name)).map_err(Text::foreign)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// The names of the files in a folder that end so, without the ending.
fn names(below: &str, ending: &str) -> BTreeSet<String> {
    let files = folder().join(below).read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    files.filter_map(|name| name.strip_suffix(ending).map(str::to_string)).collect()
}

fn sound(name: &str) -> Result<(), Text> {
    let path = folder().join(format!("prompts/{name}.al"));
    path.metadata().map(|_| ()).map_err(|e| Text::foreign(format!("{}: {e}", path.display())))
}

#[test]
fn every_plan_passes_its_check() {
    let plans = names("", ".toml");
    assert_eq!(Vec::from_iter(&plans), ["inner-mongolia", "national", "qinghai", "xishuangbanna", "yuncheng"]);
    for plan in plans {
        let file = format!("{plan}.toml");
        let around =
            Surroundings { queues: Some(&["12345"]), trunks: Some(&[]), backends: None, sound: &sound, ways: None, now: None };
        let checked = check(&file, text(&file), &load, &around);
        let shown: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "{}", shown.join("\n"));
    }
}

#[test]
fn prompts_have_one_level_and_little_silence() {
    for name in names("prompts", ".al") {
        let sound = std::fs::read(folder().join(format!("prompts/{name}.al"))).unwrap();
        let seconds = sound.len() as f64 / 8000.0;
        assert!(sound.len().is_multiple_of(160), "{name}: whole frames of 20 ms");
        let length = if name == TONE { 0.3..1.0 } else { 2.0..20.0 };
        assert!(length.contains(&seconds), "{name}: {seconds} s");
        let levels: Vec<i32> = sound.iter().map(|code| linear(*code).abs() / 8).collect();
        let peak = levels.iter().max().unwrap() * 100 / 4032;
        let quiet = |n: usize| n as f64 / 8000.0;
        let lead = quiet(levels.iter().position(|l| *l > 80).unwrap());
        let tail = quiet(levels.iter().rev().position(|l| *l > 80).unwrap());
        if name == MUSIC {
            assert!((10..30).contains(&peak), "music stays in the background: {peak} %");
        } else {
            // A tone of one pitch is as loud as a voice at less.
            let level = if name == TONE { 30..50 } else { 50..90 };
            assert!(level.contains(&peak), "{name}: peak {peak} %");
            assert!(lead < 0.4 && tail < 0.6, "{name}: silence {lead} s before, {tail} s after");
        }
    }
}

#[test]
fn prompts_are_spoken_in_mandarin() {
    let out = Command::new(folder().join("prompts/make")).arg("phonemes").output().unwrap();
    let spoken = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "espeak-ng is needed: {}", String::from_utf8_lossy(&out.stderr));
    let told: BTreeSet<String> = spoken.lines().map(|line| line.split('\t').next().unwrap().to_string()).collect();
    let mut there = names("prompts", ".al");
    [MUSIC, TONE].iter().for_each(|name| _ = there.remove(*name));
    assert_eq!(told, there, "the recipe makes exactly the sounds that are here");
    for line in spoken.lines() {
        let (name, phonemes) = line.split_once('\t').unwrap();
        assert!(phonemes.trim().len() > 20, "{name}: nothing is said");
        assert!(!phonemes.contains("(en)"), "{name} is read in English: {phonemes}");
    }
}

/// `HOTLINE_PRINT=1 cargo test --test plans` writes them anew.
#[test]
fn the_reference_is_the_language() {
    let schema = format!("{:#}\n", schema());
    for (name, now) in [("LANGUAGE.md", reference()), ("schema.json", schema)] {
        if std::env::var_os("HOTLINE_PRINT").is_some() {
            std::fs::write(folder().join(name), &now).unwrap();
        }
        assert!(text(name) == now, "dialplans/{name} is not what the program prints");
    }
}

/// The guide's pieces, one after another, are a plan that passes; it says the same in both languages.
#[test]
fn the_guides_snippets_are_a_plan() {
    for (language, page) in [("en", "../docs/dial-plan.md"), ("zh", "../docs/zh/dial-plan.md")] {
        let guide = text(page);
        let start = format!("```toml {language}\n");
        let pieces = guide.split(&start).skip(1).filter_map(|rest| rest.split("```").next());
        let plan: String = pieces.collect();
        assert!(plan.matches("[[line]]").count() == 5, "{language}");
        let around =
            Surroundings { queues: Some(&["12345"]), trunks: Some(&[]), backends: None, sound: &sound, ways: None, now: None };
        let checked = check("guide.toml", plan, &load, &around);
        let shown: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "{language}:\n{}", shown.join("\n"));
    }
}
