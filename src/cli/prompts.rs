//! `hotline prompts`: sounds for the prompts that have none, spoken from their text. For a trial; a studio's recording of
//! the same name takes their place.

use super::{ConfigFile, listed};
use crate::base::Text;
use crate::io::config::plans::{self, PlanFile};
use crate::io::process::files;
use crate::media;
use clap::Args;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// Its licence (GPL) keeps it out of this program.
const PROGRAM: &str = "espeak-ng";
/// Nobody listens longer.
const LONGEST: usize = 1000;

#[derive(Args)]
pub struct Question {
    /// The dial plan; by default the configuration's
    ///
    /// 号码方案文件，缺省为配置所指
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

pub fn run(question: &Question) -> Result<ExitCode, Text> {
    let config = question.config.load()?;
    let path = question.plan.clone().unwrap_or_else(|| config.plan.file.clone());
    let file = PlanFile::open(&path)?;
    let plan = file.parse().map_err(|problems| listed(&problems))?;
    let folder = file.prompts_folder(&config).unwrap_or_else(|| PathBuf::from("prompts"));
    let silent = plan.prompts().iter().filter(|prompt| !plans::has_sound(&folder, &prompt.name));
    for prompt in silent {
        let sound = folder.join(format!("{}.al", prompt.name));
        let name = sound.display();
        let told = |error: &std::io::Error| both!("{name}: {}", "{name}：{}"; files::told(error));
        let wav = speak(&prompt.text)?;
        let spoken =
            media::Prompt::from_wav(&prompt.name, &wav).map_err(|e| both!("{PROGRAM}: {}", "{PROGRAM}：{}"; e.told()))?;
        std::fs::create_dir_all(&folder).map_err(|e| told(&e))?;
        std::fs::write(&sound, spoken.a_law).map_err(|e| told(&e))?;
        say!("{name}: {}", prompt.text);
    }
    Ok(ExitCode::SUCCESS)
}

/// A WAV file of the spoken text, or why there is none.
fn speak(text: &str) -> Result<Vec<u8>, Text> {
    let voice = if text.is_ascii() { "en" } else { "cmn" };
    let spoken = Command::new(PROGRAM).args(["-v", voice, "--stdout", "--", &digits_apart(text)]).stdin(Stdio::null()).output();
    match spoken {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => Ok(output.stdout),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr);
            let why = why.lines().next().unwrap_or_default();
            Err(both!("{PROGRAM} does not speak it: {why}", "{PROGRAM} 无法朗读：{why}"))
        }
        Err(_) => Err(both!(
            "{PROGRAM} is not installed, which speaks prompts: `apt-get install {PROGRAM}`, or record them",
            "未安装朗读程序 {PROGRAM}：请执行 `apt-get install {PROGRAM}`，或自行录制提示音"
        )),
    }
}

/// A number is told digit by digit, not as an amount.
fn digits_apart(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars().take(LONGEST) {
        out.push(c);
        if c.is_ascii_digit() {
            out.push(' ');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_by_digits() {
        assert_eq!(digits_apart("拨12345。"), "拨1 2 3 4 5 。");
    }
}
