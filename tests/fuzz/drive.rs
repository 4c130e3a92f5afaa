//! The loop: seeds out of `corpus/`, turned round by dice that a number throws, so that a number is a case.

use hotline::base::Rng;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes that the grammars turn on.
const SHARP: &[u8] = b"\r\n\r\n \t:;,<>\"\\@?=/%[]{}&'|-0\0\x1b\x7f\xff\xd5";
const NUMBERS: [&str; 12] =
    ["0", "00", "1", "-1", "127", "255", "256", "65535", "65536", "4294967295", "4294967296", "99999999999999999999"];
/// No case is longer: a datagram's worth and some more.
const LONGEST: usize = 70_000;

struct Corpus {
    seeds: Vec<Vec<u8>>,
    /// Words of the grammar, one a line.
    words: Vec<String>,
}

/// Runs so many cases. One that fails is told with the command that replays it.
pub fn drive(name: &str, cases: u64, target: fn(&[u8])) {
    let corpus = Corpus::of(name);
    if let Some(seed) = number("FUZZ_SEED") {
        let case = corpus.case(seed);
        println!("{}", case.escape_ascii());
        return target(&case);
    }
    let (from, cases) = (number("FUZZ_FROM").unwrap_or(0), number("FUZZ_SEEDS").unwrap_or(cases));
    let began = Instant::now();
    for seed in from..from + cases {
        let case = corpus.case(seed);
        if catch_unwind(AssertUnwindSafe(|| target(&case))).is_err() {
            panic!("{}\nreplay: FUZZ_SEED={seed} cargo test --test fuzz {name} -- --exact --nocapture", case.escape_ascii());
        }
    }
    println!("{name}: {cases} cases, {:.0} a second", cases as f64 / began.elapsed().as_secs_f64());
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

impl Corpus {
    fn of(name: &str) -> Corpus {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder.join("corpus").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let words = fs::read_to_string(folder.join(format!("words/{name}"))).unwrap();
        let seeds: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        assert!(!seeds.is_empty() && !words.is_empty(), "{name} has no corpus");
        Corpus { seeds, words: words.lines().map(str::to_owned).collect() }
    }

    /// The first cases are the seeds as they are.
    fn case(&self, seed: u64) -> Vec<u8> {
        if let Some(whole) = self.seeds.get(seed as usize) {
            return whole.clone();
        }
        let mut rng = Rng::from_number(seed);
        let mut case = self.any(&mut rng).to_vec();
        if rng.chance(100) {
            let other = self.any(&mut rng);
            case.truncate(line(&case, &mut rng).start);
            case.extend_from_slice(&other[line(other, &mut rng).start..]);
        }
        for _ in 0..=rng.below(4) {
            self.turn(&mut case, &mut rng);
        }
        case.truncate(LONGEST);
        case
    }

    fn any(&self, rng: &mut Rng) -> &[u8] {
        &self.seeds[rng.below(self.seeds.len() as u64) as usize]
    }

    fn word(&self, rng: &mut Rng) -> &[u8] {
        self.words[rng.below(self.words.len() as u64) as usize].as_bytes()
    }

    /// Replaces, removes, repeats or inserts something.
    fn turn(&self, case: &mut Vec<u8>, rng: &mut Rng) {
        let at = rng.below(case.len() as u64 + 1) as usize;
        let few = at..(at + rng.below(12) as usize).min(case.len());
        let sharp = SHARP[rng.below(SHARP.len() as u64) as usize];
        let times = if rng.chance(50) { 300 } else { 1 + rng.below(4) as usize };
        match rng.below(11) {
            0 if at < case.len() => case[at] = sharp,
            1 => drop(case.drain(few)),
            2 => repeat(case, few, times),
            3 => {
                let line = line(case, rng);
                case.drain(line);
            }
            4 => {
                let line = line(case, rng);
                repeat(case, line, times);
            }
            5 => {
                let (from, to) = (line(case, rng), line(case, rng).start);
                let moved = case[from].to_vec();
                case.splice(to..to, moved);
            }
            6 => drop(case.splice(at..at, self.word(rng).to_vec())),
            7 => {
                let word = run(case, at, |b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
                case.splice(word, self.word(rng).to_vec());
            }
            8 | 9 => {
                let digits = run(case, at, |b| b.is_ascii_digit());
                let number = NUMBERS[rng.below(NUMBERS.len() as u64) as usize];
                case.splice(digits, number.bytes());
            }
            _ => case.insert(at, sharp),
        }
    }
}

fn repeat(case: &mut Vec<u8>, part: std::ops::Range<usize>, times: usize) {
    let times = times.min(LONGEST / part.len().max(1));
    let more = case[part.clone()].repeat(times);
    case.splice(part.end..part.end, more);
}

/// Any line of it, with its end.
fn line(case: &[u8], rng: &mut Rng) -> std::ops::Range<usize> {
    let at = rng.below(case.len() as u64 + 1) as usize;
    let start = case[..at].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let end = case[start..].iter().position(|b| *b == b'\n').map_or(case.len(), |length| start + length + 1);
    start..end
}

/// The first run of such bytes from there on.
fn run(case: &[u8], at: usize, such: impl Fn(u8) -> bool) -> std::ops::Range<usize> {
    let start = case[at..].iter().position(|b| such(*b)).map_or(case.len(), |ahead| at + ahead);
    let start =
        case[..start].iter().rposition(|b| !such(*b)).map_or(start, |before| if start < case.len() { before + 1 } else { start });
    let end = case[start..].iter().position(|b| !such(*b)).map_or(case.len(), |length| start + length);
    start..end
}
