//! Dial plans and prompts, read from disk, or from the program itself where the disk has none.

use super::callers::{self, Overflow};
use super::finding::Finding;
use super::numbers::Side;
use super::peers::Seat;
use super::schema::{ALL_LINES, Config};
use super::shown;
use super::trail::Trail;
use crate::base::Text;
use crate::io::clock;
use crate::io::process::files;
use crate::media::Prompt;
use crate::plan::{self, Checked, Facts, Loader, Mode, Plan, Problem, Severity, Step, Surroundings, Ways, built_in};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where plans live in the repository; `dialplans/NAME` is also built in.
const HOME: &str = "dialplans";
/// A plan is text that people write; a table of the country's mobile prefixes may stand beside it; a prompt lasts minutes.
const MAX_PLAN: u64 = 4 << 20;
const MAX_TABLE: u64 = 16 << 20;
const MAX_PROMPT: u64 = 32 << 20;

pub type Prompts = BTreeMap<String, Arc<Prompt>>;

/// A plan's text and where the files beside it are.
pub struct PlanFile {
    pub name: String,
    pub bytes: Vec<u8>,
    place: Place,
}

enum Place {
    Disk(PathBuf),
    BuiltIn,
}

/// All that a gateway needs of its plan.
pub struct Loaded {
    pub plan: Plan,
    pub prompts: Prompts,
    pub warnings: Vec<Problem>,
}

impl PlanFile {
    pub fn open(path: &Path) -> Result<PlanFile, Text> {
        let name = path.display().to_string();
        if !path.exists()
            && let Some(text) = path.strip_prefix(HOME).ok().and_then(|rest| built_in::text(rest.to_str()?))
        {
            return Ok(PlanFile { name, bytes: text.into(), place: Place::BuiltIn });
        }
        let bytes = files::read(path, MAX_PLAN).map_err(|why| both!("{name}: ", "{name}：").then(&why))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Ok(PlanFile { name, bytes, place: Place::Disk(folder) })
    }

    /// The plan alone, without its surroundings.
    pub fn parse(&self) -> Result<Plan, Vec<Problem>> {
        self.with_loader(&Trail::default(), |load| Plan::parse(&self.name, &self.bytes, load))
    }

    /// The same, also as it judges itself; or all that is wrong with it.
    pub fn alone(&self) -> Result<Plan, Vec<Problem>> {
        let around = Surroundings { queues: None, trunks: None, backends: None, sound: &|_| Ok(()), ways: None, now: None };
        let Checked { plan, mut problems } = self.check(&Trail::default(), &around);
        problems.retain(|problem| problem.severity == Severity::Error);
        plan.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn check(&self, trail: &Trail, around: &Surroundings<'_>) -> Checked {
        self.with_loader(trail, |load| plan::check(&self.name, &self.bytes, load, around))
    }

    fn with_loader<T>(&self, trail: &Trail, work: impl FnOnce(&Loader<'_>) -> T) -> T {
        match &self.place {
            Place::Disk(folder) => work(&|name: &str| {
                let path = folder.join(name);
                trail.note(&path);
                files::read(&path, MAX_TABLE)
            }),
            Place::BuiltIn => work(&built_in::load),
        }
    }

    pub fn prompts_folder(&self, config: &Config) -> Option<PathBuf> {
        match &self.place {
            _ if !config.media.prompts.as_os_str().is_empty() => Some(config.media.prompts.clone()),
            Place::Disk(folder) => Some(folder.join("prompts")),
            Place::BuiltIn => None,
        }
    }
}

/// The configuration's plan with everything that it needs, or all that is wrong with it.
pub fn load(config: &Config) -> Result<Loaded, Vec<Text>> {
    load_noting(config, &Trail::default())
}

/// As [`load`]; notes every file that it looks for.
pub fn load_noting(config: &Config, trail: &Trail) -> Result<Loaded, Vec<Text>> {
    trail.note(&config.plan.file);
    let file = PlanFile::open(&config.plan.file).map_err(|problem| match config.places.plan.clone() {
        Some(place) => vec![Finding::of_value(place, &config.plan.file.to_string_lossy(), problem).told()],
        None => vec![problem],
    })?;
    let sounds = Sounds { folder: file.prompts_folder(config), found: RefCell::default(), trail };
    let queues: Vec<&str> = config.queues.iter().filter(|(_, q)| q.enabled).map(|(name, _)| name.as_str()).collect();
    let trunks: Vec<&str> = config.trunks.iter().filter(|(_, t)| t.enabled).map(|(name, _)| name.as_str()).collect();
    let reserving = config.trunks.iter().filter(|(_, t)| t.enabled && t.reserved > 0).map(|(name, _)| name.as_str());
    let reserving: Vec<&str> = reserving.collect();
    let ways = Some(Ways { default: &config.routes.default, reserving: &reserving });
    let sound = |name: &str| sounds.fetch(name);
    let now = Some(clock::now().wall);
    let backends: Vec<&str> = config.records.backends.iter().filter(|(_, b)| b.enabled).map(|(name, _)| name.as_str()).collect();
    // Where there is none at all, nobody expects that a plan's backends get anything.
    let backends = Some(&*backends).filter(|names| !names.is_empty());
    let around = Surroundings { queues: Some(&queues), trunks: Some(&trunks), backends, sound: &sound, ways, now };
    let checked = file.check(trail, &around);
    let own = [&config.calls.music, &config.calls.apology, &config.calls.transfer_failed, &config.calls.choose_area];
    let callers = callers::prompts(config);
    let asked = checked.plan.as_ref().is_some_and(plan::Plan::asks_opinions);
    let asked = [&config.survey.prompt, &config.survey.thanks].into_iter().filter(|name| asked && !name.is_empty());
    let missing = own
        .into_iter()
        .chain(&callers)
        .chain(asked)
        .filter_map(|name| Some(both!("prompt `{name}`: ", "提示音 `{name}`：").then(&sounds.fetch(name).err()?)));
    let unknown = checked.plan.iter().flat_map(|plan| unknown_lines(&config.recording.lines, plan));
    let hours = checked.plan.iter().flat_map(|plan| unknown_hours(config, plan));
    let off = checked.plan.as_ref().filter(|plan| plan.records() && !config.records()).map(|_| {
        both!(
            "recording.on_demand: the plan has `record = true`, and nothing is recorded: set it to true",
            "recording.on_demand：方案中有 `record = true`，但未启用录音：请设为 true"
        )
    });
    let circles = checked.plan.iter().flat_map(|plan| circles(config, plan));
    let urgent = checked.plan.iter().flat_map(|plan| overflows_to_emergency(config, plan));
    let touched = checked.plan.iter().flat_map(|plan| emergencies_touched(config, plan));
    let shown = checked.plan.iter().flat_map(|plan| shown::emergencies(config, plan));
    let missing = missing.chain(unknown).chain(hours).chain(circles).chain(urgent).chain(touched).chain(shown).chain(off);
    let missing: Vec<Text> = missing.collect();
    match checked.plan {
        Some(plan) if missing.is_empty() => Ok(Loaded { plan, prompts: sounds.found.into_inner(), warnings: checked.problems }),
        _ => Err(checked.problems.iter().filter(|p| p.severity == Severity::Error).map(Problem::told).chain(missing).collect()),
    }
}

/// Complains of lines that would never be recorded, because no call is for them.
fn unknown_lines(lines: &[String], plan: &Plan) -> Vec<Text> {
    let complaint = |line: &String| {
        let at = clock::now().wall;
        let facts = Facts { dialled: line, caller: None, trunk: "", trunk_area: None, diverted_from: None, at };
        let decision = plan.decide(&facts);
        match decision.mode == Mode::Unknown {
            true => Some(both!("recording.lines: the plan has no line `{line}`", "recording.lines：方案中没有号码 `{line}`")),
            false if decision.number != *line => {
                let number = decision.number;
                Some(both!("recording.lines: `{line}` is written `{number}`", "recording.lines：`{line}` 应写作 `{number}`"))
            }
            false => None,
        }
    };
    lines.iter().filter(|line| *line != ALL_LINES).filter_map(complaint).collect()
}

/// Complains of queues whose overflow calls a number that the plan gives back to them.
fn circles(config: &Config, plan: &Plan) -> Vec<Text> {
    let line = |number: &str| {
        let at = clock::now().wall;
        let facts = Facts { dialled: number, caller: None, trunk: "", trunk_area: None, diverted_from: None, at };
        let queue = |step: &Step| if let Step::Queue { queue, .. } = step { Some(queue.to_string()) } else { None };
        // A line that rings its own seats first does not come back to us.
        let ours = plan.decide(&facts).steps;
        ours.iter().take_while(|step| !matches!(step, Step::Ring { .. })).filter_map(queue).collect()
    };
    let told = |circle: Vec<String>| of_overflow(config, circle.first().map_or("", String::as_str), callers::leads_back(&circle));
    callers::circles(config, line).into_iter().map(told).collect()
}

/// Complains of queues whose overflow calls what the plan knows as an emergency line; those that are one everywhere are refused
/// without a plan.
fn overflows_to_emergency(config: &Config, plan: &Plan) -> Vec<Text> {
    let urgent = |text: &String| match callers::overflow(text) {
        Ok(Overflow::Target { number, .. }) => Some(number),
        _ => None,
    };
    let queues = config.queues.iter().filter(|(_, queue)| queue.enabled);
    let numbers = queues.flat_map(|(name, queue)| queue.overflow.iter().filter_map(urgent).map(move |number| (name, number)));
    let numbers = numbers.filter(|(_, number)| plan.is_emergency(number, None) && !plan::is_emergency(number));
    numbers.map(|(name, number)| of_overflow(config, name, callers::leads_to_emergency(&number))).collect()
}

/// Complains of number rules that make an emergency line, one of its targets, or 12345, of another number, or another of one, or one
/// area's of another's. A rule for one number alone may, where a call for help stays one for the same line.
fn emergencies_touched(config: &Config, plan: &Plan) -> Vec<Text> {
    let (mut all, kept) = (Vec::new(), plan.kept());
    for (name, trunk) in config.trunks.iter().filter(|(_, trunk)| trunk.enabled) {
        for side in Side::ALL {
            for (at, number, next) in trunk.read_rules(side).keeping(&kept).dangers(side.rules_for()) {
                let why = both!(
                    "makes `{next}` of `{number}`: write a rule for this number alone; an emergency line's leads to that very line of the plan, or (calls out) to a target that the plan has for it, and to no other area's",
                    "会把 `{number}` 变为 `{next}`：请为该号码单独写一条规则；紧急号码只能变为方案中同一紧急热线，或（去话）该热线的目标，且不得换成其他地区的"
                );
                let key = side.key();
                all.push(match config.places.rules.get(&(name.clone(), key, at)).cloned() {
                    Some(place) => Finding::of_value(place, "", why).told(),
                    None => both!("trunks.{name}.{key}: ", "trunks.{name}.{key}：").then(&why),
                });
            }
        }
    }
    all
}

/// The complaint where the queue's overflow stands.
fn of_overflow(config: &Config, queue: &str, why: Text) -> Text {
    match config.places.overflow.get(queue).cloned() {
        Some(place) => Finding::of_value(place, "", why).told(),
        None => both!("queues.{queue}.overflow: ", "queues.{queue}.overflow：").then(&why),
    }
}

/// Complains of seats whose hours stand in no calendar of the plan.
fn unknown_hours(config: &Config, plan: &Plan) -> Vec<Text> {
    let seats = config.seats.iter().filter(|(_, seat)| seat.enabled && !seat.hours.is_empty());
    let unknown = seats.filter(|(_, seat)| plan.hours(&seat.hours).is_none());
    let told = |(name, seat): (&String, &Seat)| {
        let hours = &seat.hours;
        both!("seats.{name}.hours: the plan has no `[calendars.{hours}]`", "seats.{name}.hours：方案中没有 `[calendars.{hours}]`")
    };
    unknown.map(told).collect()
}

/// Tells whether a prompt of this name can be played, whatever stands in its file.
pub fn has_sound(folder: &Path, name: &str) -> bool {
    let there = |ending| folder.join(format!("{name}.{ending}")).exists();
    there("al") || there("wav") || built_in::sounds().chain(built_in::words()).any(|(known, _)| known == name)
}

/// Prompts by name, each read once.
struct Sounds<'a> {
    folder: Option<PathBuf>,
    found: RefCell<Prompts>,
    trail: &'a Trail,
}

impl Sounds<'_> {
    fn fetch(&self, name: &str) -> Result<(), Text> {
        if self.found.borrow().contains_key(name) {
            return Ok(());
        }
        let prompt = self.read(name)?;
        self.found.borrow_mut().insert(name.to_string(), Arc::new(prompt));
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Prompt, Text> {
        for ending in ["al", "wav"] {
            let path = self.folder.as_ref().map(|folder| folder.join(format!("{name}.{ending}")));
            path.iter().for_each(|path| self.trail.note(path));
            let Some(path) = path.filter(|path| path.exists()) else { continue };
            let bytes = files::read(&path, MAX_PROMPT)?;
            let prompt = if ending == "al" { Prompt::from_a_law(name, bytes) } else { Prompt::from_wav(name, &bytes) };
            return prompt.map_err(|e| Text::foreign(path.display()).then(&both!(" ", " ")).then(&e.told()));
        }
        match built_in::sounds().chain(built_in::words()).find(|(known, _)| *known == name) {
            Some((_, bytes)) => Prompt::from_a_law(name, bytes.to_vec()).map_err(|e| e.told()),
            None => Err(self.absent(name)),
        }
    }

    fn absent(&self, name: &str) -> Text {
        match self.folder.as_ref().map(|folder| folder.display()) {
            Some(folder) => {
                both!(
                    "neither {name}.al nor {name}.wav is in {folder}: record it, or let `hotline prompts` speak its text",
                    "{folder} 中既没有 {name}.al 也没有 {name}.wav：请录制，或用 `hotline prompts` 朗读其文本"
                )
            }
            None => both!("is not built in", "程序没有内置"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hotlines_that_no_call_is_for_are_told() {
        let plan = PlanFile::open(Path::new("dialplans/xishuangbanna.toml")).unwrap().parse().unwrap();
        let lines = ["all", "12345", "12354", "069112345"].map(String::from);
        let told = ["recording.lines: the plan has no line `12354`", "recording.lines: `069112345` is written `12345`"];
        assert_eq!(unknown_lines(&lines, &plan).iter().map(|text| text.en.as_str()).collect::<Vec<_>>(), told);
    }
    use crate::io::config::Layers;

    fn english(loaded: Result<Loaded, Vec<Text>>) -> Vec<String> {
        loaded.err().unwrap_or_default().into_iter().map(|text| text.en).collect()
    }

    fn config(site: &str) -> Config {
        Layers::new(Some(plan::Source::new("site.toml", site)), BTreeMap::new()).merge().unwrap()
    }

    #[test]
    fn hours_of_a_seat_stand_in_the_plan() {
        let seat = "[seats.tax]\ntrunk = 'loopback'\ndial = '12366'\nhours = 'office'\n";
        let told = english(load(&config(seat)));
        assert_eq!(told, ["seats.tax.hours: the plan has no `[calendars.office]`"]);
    }

    #[test]
    fn a_queue_comes_back_to_itself_by_no_line_of_the_plan() {
        let told = |link: &str| {
            let more = "[queues.x]\nseats = ['desk']\noverflow = ['";
            let site = format!("[queues.12345]\noverflow = ['queue:x']\n{more}{link}']\n");
            let layers = Layers::new(Some(plan::Source::new("site.toml", &site)), BTreeMap::new());
            load(&super::super::judged(&layers).unwrap()).err().unwrap_or_default()
        };
        for link in ["target:12345", "target:069112345"] {
            let [one] = &told(link)[..] else { panic!("{link}: {:?}", told(link)) };
            assert!(one.en.starts_with("site.toml:2:1: leads back into the queue itself: 12345 → x → 12345"), "{one}");
            assert!(one.zh.contains("又回到本队列：12345 → x → 12345"), "{one}");
        }
        // Another exchange's 12345, and a line that its own seats answer.
        for link in ["target:12345@loopback", "target:12366", "target:13800138000"] {
            assert_eq!(told(link), Vec::<Text>::new(), "{link}");
        }
    }

    #[test]
    fn number_rules_touch_no_emergency_line_but_on_purpose() {
        let told = |rules: &str| {
            let site = format!("[trunks.loopback]\ncalled_out = [\n{rules},\n]\n");
            let layers = Layers::new(Some(plan::Source::new("site.toml", &site)), BTreeMap::new());
            load(&super::super::judged(&layers).unwrap()).err().unwrap_or_default()
        };
        for (rules, number, next) in [
            ("{ match = '9*', strip = 1 }", "9110", "110"),
            ("{ match = '138*' },\n{ match = '1????', strip = 1 }", "12110", "2110"),
            ("{ match = '110', strip = 3, prepend = '13800138000' }", "110", "13800138000"),
        ] {
            let [one] = &told(rules)[..] else { panic!("{rules}: {:?}", told(rules)) };
            let line = 2 + rules.lines().count();
            assert!(one.en.starts_with(&format!("site.toml:{line}:3: makes `{next}` of `{number}`")), "{one}");
            assert!(one.zh.contains(&format!("会把 `{number}` 变为 `{next}`")), "{one}");
        }
        for sound in ["{ match = '110', prepend = '0691' }", "{ match = '9119', strip = 1 }", "{ match = '*', prepend = '0691' }"]
        {
            assert_eq!(told(sound), Vec::<Text>::new(), "{sound}");
        }
    }

    #[test]
    fn nobody_is_called_in_the_name_of_an_emergency_line_of_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let line = |number: &str, mode: &str| format!("[[line]]\nnumber = \"{number}\"\nmode = \"{mode}\"\n");
        std::fs::write(&path, "[plan]\nname = \"x\"\n".to_owned() + &line("12345", "front") + &line("96119", "emergency"))
            .unwrap();
        let told = |site: &str| {
            let site = format!("{site}\n[plan]\nfile = '{}'\n", path.display());
            let layers = Layers::new(Some(plan::Source::new("site.toml", &site)), BTreeMap::new());
            load(&super::super::judged(&layers).unwrap()).err().unwrap_or_default()
        };
        for site in [
            "[trunks.loopback]\nnumber = '069196119'",
            "[outbound]\nnumber = '96119'",
            "[seats.tax]\ntrunk = 'loopback'\ndial = '96119'",
        ] {
            let place = format!("site.toml:{}:1: ", site.lines().count());
            let is = |one: &Text| {
                one.en.starts_with(&place) && one.en.contains("emergency line of the plan") && one.zh.contains("紧急热线")
            };
            assert!(told(site).iter().any(is), "{site}: {:#?}", told(site));
        }
        for sound in ["[trunks.loopback]\nnumber = '069112345'", "[seats.tax]\ntrunk = 'loopback'\ndial = '2296119'"] {
            assert!(!told(sound).iter().any(|one| one.en.contains("emergency line of the plan")), "{sound}");
        }
    }

    #[test]
    fn a_queue_overflows_into_no_emergency_line_of_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let line = |number: &str, more: &str| format!("[[line]]\nnumber = \"{number}\"\n{more}\n");
        let told = |mode: &str, link: &str| {
            let text = "[plan]\nname = \"x\"\n".to_owned()
                + &line("12345", "mode = \"front\"")
                + &line("96119", &format!("{mode}\ntargets = [\"96119\"]"));
            std::fs::write(&path, text).unwrap();
            let site = format!("[queues.12345]\noverflow = ['{link}']\n[plan]\nfile = '{}'\n", path.display());
            let layers = Layers::new(Some(plan::Source::new("site.toml", &site)), BTreeMap::new());
            load(&super::super::judged(&layers).unwrap()).err().unwrap_or_default()
        };
        for link in ["target:96119", "target:069196119", "target:96119@loopback"] {
            let all = told("mode = \"emergency\"", link);
            let is = |one: &Text| one.en.starts_with("site.toml:2:1: leads to `") && one.en.contains("an emergency line");
            assert!(all.iter().any(|one| is(one) && one.zh.contains("紧急热线")), "{link}: {all:#?}");
        }
        for (mode, link) in [("mode = \"linked\"", "target:96119"), ("mode = \"emergency\"", "target:12366")] {
            let all = told(mode, link);
            assert!(!all.iter().any(|one| one.en.contains("an emergency line")), "{mode} {link}: {all:#?}");
        }
    }

    #[test]
    fn the_default_plan_loads_from_disk_and_from_the_program() {
        let loaded = load(&config("")).unwrap();
        assert!(loaded.prompts.contains_key("music") && loaded.prompts.contains_key("apology"));
        assert!(loaded.plan.prompts().iter().all(|prompt| loaded.prompts.contains_key(&*prompt.name)));
        let built_in = PlanFile { place: Place::BuiltIn, ..PlanFile::open(Path::new("dialplans/xishuangbanna.toml")).unwrap() };
        assert_eq!(built_in.parse().unwrap().revision, loaded.plan.revision);
    }

    #[test]
    fn a_broken_plan_and_a_missing_prompt_are_told_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let problems = |text: &str, more: &str| {
            std::fs::write(&path, text).unwrap();
            let site = format!("{more}\n[plan]\nfile = '{}'", path.display());
            english(load(&config(&site)))
        };
        let name = path.display().to_string();
        assert!(problems("[plan\n", "")[0].starts_with(&format!("{name}:1:")));
        std::fs::remove_file(&path).unwrap();
        let site = format!("[plan]\nfile = '{name}'");
        assert!(english(load(&config(&site)))[0].starts_with(&format!("{name}: No such file")));
        let missing = problems("[plan]\nname = 'x'\n", "[calls]\nmusic = 'tango'");
        assert!(missing.iter().any(|p| p.contains("prompt `tango`: neither tango.al nor tango.wav")), "{missing:#?}");
    }

    fn wav(channels: u16, sample_rate: u32, bits_per_sample: u16) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let spec = hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format: hound::SampleFormat::Int };
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        (0..channels).for_each(|_| writer.write_sample(0i8).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn prompts_that_cannot_be_played_are_told_word_for_word() {
        let folder = tempfile::tempdir().unwrap();
        let sound = folder.path().join("hello.wav");
        let text = "[plan]\nname = \"x\"\n[[line]]\nnumber = \"12345\"\nmode = \"front\"\nprompt = \"hello\"\n[prompts.hello]\ntext = \"您好\"\n";
        let plan = folder.path().join("plan.toml");
        std::fs::write(&plan, text).unwrap();
        let site = format!("[plan]\nfile = '{}'\n[media]\nprompts = '{}'", plan.display(), folder.path().display());
        let told = || english(load(&config(&site))).into_iter().find(|problem| problem.contains("`hello`")).unwrap();
        let expected = |why: &str| {
            format!("{}:6:1: prompt `hello`: {why}\n  6 | prompt = \"hello\"\n    | ^^^^^^^^^^^^^^^^", plan.display())
        };
        let absent = format!(
            "neither hello.al nor hello.wav is in {}: record it, or let `hotline prompts` speak its text",
            folder.path().display()
        );
        assert_eq!(told(), expected(&absent));
        for (bytes, why) in [
            (wav(9, 8000, 16), "has 9 channels: 1 to 8 can be read"),
            (wav(1, 440, 16), "has 440 samples a second: 4000 to 192000 can be read"),
            (b"ID3".to_vec(), "is no WAV file: convert it, for instance by `ffmpeg -i FILE NAME.wav`"),
        ] {
            std::fs::write(&sound, bytes).unwrap();
            assert_eq!(told(), expected(&format!("{} {why}", sound.display())));
        }
        std::fs::remove_file(&sound).unwrap();
        std::fs::write(folder.path().join("hello.al"), []).unwrap();
        assert_eq!(told(), expected(&format!("{} holds no audio", folder.path().join("hello.al").display())));
    }

    #[test]
    fn a_sites_own_sound_goes_before_the_built_in_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("music.al"), [0x55; 800]).unwrap();
        let loaded = load(&config(&format!("[media]\nprompts = '{}'", folder.path().display()))).unwrap();
        assert_eq!(loaded.prompts["music"].a_law, [0x55; 800]);
        std::fs::write(folder.path().join("music.al"), []).unwrap();
        let site = format!("[media]\nprompts = '{}'", folder.path().display());
        assert!(english(load(&config(&site)))[0].contains("music.al"));
    }
}
