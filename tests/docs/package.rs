//! The Debian package: built by its one command, installed into a root of its own, run there as its user, removed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// In a mount and a network namespace of its own: this machine's files below, everything new above them, in memory.
const OVERLAY: &str = r#"
set -eu
mount -t tmpfs none "$ROOM"
mkdir "$ROOM/up" "$ROOM/work" "$ROOM/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$ROOM/up,workdir=$ROOM/work" "$ROOM/root"
mount -t proc none "$ROOM/root/proc"
mount --bind /dev "$ROOM/root/dev"
cp "$PACKAGE" "$ROOM/root/hotline.deb"
ip link set lo up 2>/dev/null || true
exec chroot "$ROOM/root" /bin/bash -c "$STORY"
"#;

/// Installation, a first run as the service does it, and removal.
const STORY: &str = r#"
set -eu
rm -rf /run/systemd /var/lib/hotline /etc/hotline
export DEBIAN_FRONTEND=noninteractive
dpkg -i /hotline.deb
as_service() { setpriv --reuid hotline --regid hotline --init-groups "$@"; }
cd /etc/hotline
echo "config $(stat -c '%a %U:%G' /etc/hotline/site.toml)"
echo "state $(stat -c '%a %U:%G' /var/lib/hotline)"
as_service hotline check --config /etc/hotline/site.toml
# The umask is a careless one on purpose.
umask 022
setpriv --reuid hotline --regid hotline --init-groups hotline run --config /etc/hotline/site.toml 2> /tmp/hotline.log &
as_service hotline ready --wait 60s --config /etc/hotline/site.toml
hotline explain 12345 --plan /usr/share/hotline/dialplans/xishuangbanna.toml > /dev/null
kill "$!"
wait "$!"
find /var/lib/hotline -mindepth 1 -printf 'file %m %U:%G %f\n' | sed "s/$(id -u hotline):$(id -g hotline)/service/"
gzip -dc /usr/share/man/man1/hotline.1.gz | head -1
bash -n /usr/share/bash-completion/completions/hotline
dpkg --purge hotline
test ! -e /usr/bin/hotline && test ! -e /etc/hotline/site.toml
echo "kept $(stat -c %a /var/lib/hotline)"
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn build(folder: &Path) -> PathBuf {
    let output = Command::new(root().join("config/debian/deb"))
        .arg(folder)
        .env("HOTLINE_BINARY", env!("CARGO_BIN_EXE_hotline"))
        // The test's time goes to what it tests.
        .env("DPKG_DEB_COMPRESSOR_TYPE", "gzip")
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

#[test]
fn the_package_installs_runs_as_its_user_and_leaves_records_behind() {
    let folder = tempfile::tempdir().unwrap();
    let package = build(folder.path());
    let room = folder.path().join("room");
    std::fs::create_dir(&room).unwrap();
    // Only root may mount; the tests' machine gives them root, or sudo as for its packages.
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let (program, before): (_, &[&str]) = if root { ("unshare", &[]) } else { ("sudo", &["-E", "unshare"]) };
    let output = Command::new(program)
        .args(before)
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "/bin/bash", "-c", OVERLAY])
        .env("ROOM", &room)
        .env("PACKAGE", &package)
        .env("STORY", STORY)
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let line = |start: &str| said.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start}: {said}"));
    assert_eq!(line("config"), "config 640 root:hotline");
    assert_eq!(line("state"), "state 700 hotline:hotline");
    let files: Vec<&str> = said.lines().filter(|line| line.starts_with("file ")).collect();
    assert!(files.iter().any(|line| line.ends_with(" journal.db")), "{said}");
    assert!(files.iter().all(|line| line.starts_with("file 600 service") || line.starts_with("file 700 service")), "{files:?}");
    assert_eq!(line("kept"), "kept 700");
}

#[test]
fn the_unit_agrees_with_the_program() {
    let unit = std::fs::read_to_string(root().join("config/debian/hotline.service")).unwrap();
    let value = |key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        line.unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    let defaults: toml::Table = include_str!("../../config/default.toml").parse().unwrap();
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().unwrap();
    assert!(seconds(&value("TimeoutStopSec")) > seconds(defaults["log"]["drain"].as_str().unwrap()));
    assert_eq!((value("StateDirectory"), value("StateDirectoryMode")), ("hotline".to_owned(), "0700".to_owned()));
    let site: toml::Table = include_str!("../../config/debian/site.toml").parse().unwrap();
    assert_eq!(site["node"]["state"].as_str(), Some("/var/lib/hotline"), "the folder that StateDirectory makes");
    assert_eq!((value("User"), value("Restart"), value("NoNewPrivileges")), ("hotline".into(), "always".into(), "yes".into()));
    for command in ["ExecStart", "ExecReload"] {
        let command = value(command);
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("/usr/bin/hotline"));
        let output = Command::new(env!("CARGO_BIN_EXE_hotline")).args(words).arg("--help").output().unwrap();
        assert!(output.status.success(), "{command}: {}", text(&output));
    }
}

#[test]
fn the_maintainers_scripts_are_sound() {
    for script in ["postinst", "prerm", "postrm"] {
        let output = Command::new("sh").arg("-n").arg(root().join("config/debian").join(script)).output().unwrap();
        assert!(output.status.success(), "{script}: {}", text(&output));
    }
}
