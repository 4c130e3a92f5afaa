//! `hotline completions` and `hotline man`: what a package installs beside the program, made from the command line's own
//! definition.

use crate::base::Text;
use crate::io::process::files;
use clap::{Args, Command};
use clap_complete::Shell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
pub struct Completions {
    /// The shell that reads them
    ///
    /// 读取补全的 shell
    shell: Shell,
}

#[derive(Args)]
pub struct Manual {
    /// The folder that gets them; it is made if it is not there
    ///
    /// 写入的文件夹，没有则创建
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn completions(question: &Completions, mut program: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(question.shell, &mut program, "hotline", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

/// A page for the program and for each command, as section 1: `hotline.1`, `hotline-records-ls.1`.
pub fn manual(question: &Manual, program: Command) -> Result<ExitCode, Text> {
    let folder = &question.folder;
    let name = folder.display();
    let wrong = |error: std::io::Error| both!("{name}: {}", "{name}：{}"; files::told(&error));
    fs::create_dir_all(folder).map_err(wrong)?;
    // Pages of `help`'s own would repeat the others' names.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    write_pages(&program, folder).map_err(wrong)?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(command: &Command, folder: &Path) -> std::io::Result<()> {
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(folder.join(page.get_filename()), text)?;
    command.get_subcommands().filter(|under| !under.is_hide_set()).try_for_each(|under| write_pages(under, folder))
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use super::*;
    use clap::CommandFactory;

    /// `hotline`, `hotline records`, `hotline records ls`…
    fn names(command: &Command, before: &str, found: &mut Vec<String>) {
        let name = format!("{before}{}", command.get_name());
        command.get_subcommands().for_each(|under| names(under, &format!("{name}-"), found));
        found.push(name);
    }

    #[test]
    fn each_command_has_its_page() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("man1");
        manual(&Manual { folder: inside.clone() }, Arguments::command()).unwrap();
        let mut expected = Vec::new();
        names(&Arguments::command(), "", &mut expected);
        assert!(expected.len() > 15 && expected.contains(&"hotline-records-ls".to_owned()), "{expected:?}");
        for name in &expected {
            let page = fs::read_to_string(inside.join(format!("{name}.1"))).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}: {page}");
            assert!(page.contains(&name.replace('-', "\\-")) || page.contains(name), "{name}: {page}");
        }
        assert_eq!(fs::read_dir(&inside).unwrap().count(), expected.len());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let wrong = manual(&Manual { folder: file.path().join("man1") }, Arguments::command()).unwrap_err();
        assert!(wrong.en.contains("man1"), "{wrong}");
    }

    #[test]
    fn each_shell_completes_each_command() {
        let mut found = Vec::new();
        names(&Arguments::command(), "", &mut found);
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "hotline", &mut script);
            let script = String::from_utf8(script).unwrap();
            for command in found.iter().filter_map(|name| name.rsplit_once('-')) {
                assert!(script.contains(command.1), "{shell}: {command:?}");
            }
        }
    }
}
