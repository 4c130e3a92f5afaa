//! The file of seats' passwords: a hash for each algorithm, a line each, `user:realm:algorithm:hash`. From a hash nobody reads
//! a password, but who has it can register: the file is for the gateway's user alone.

use crate::base::Text;
use crate::io::process::files;
use crate::sip::digest::{Algorithm, Secret};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

/// Some thousands of seats have a megabyte.
const MOST: u64 = 16 << 20;
/// Both are kept, whatever phones are offered now.
const KEPT: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

/// A phone signs with its user and the realm.
type Holder = (String, String);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Credentials(BTreeMap<Holder, Vec<Secret>>);

impl Credentials {
    pub fn read(path: &Path) -> Result<Credentials, Text> {
        let text = files::text(path, MOST)?;
        let mode = fs::metadata(path).map_err(|e| files::told(&e))?.permissions().mode();
        if mode & 0o077 != 0 {
            let mode = mode & 0o777;
            return Err(both!(
                "others may read it (mode {mode:03o}): chmod 600",
                "其他用户可读（权限 {mode:03o}），请 chmod 600"
            ));
        }
        Credentials::parse(&text)
    }

    /// As [`Credentials::read`]; none where there is no file yet.
    pub fn read_or_begin(path: &Path) -> Result<Credentials, Text> {
        if path.exists() { Credentials::read(path) } else { Ok(Credentials::default()) }
    }

    /// The hashes with which this user is known in this realm.
    pub fn of(&self, user: &str, realm: &str) -> &[Secret] {
        self.0.get(&(user.to_owned(), realm.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// True for a user who has a password in another realm alone: it was changed.
    pub fn is_elsewhere(&self, user: &str, realm: &str) -> bool {
        self.of(user, realm).is_empty() && self.0.keys().any(|(known, _)| known == user)
    }

    pub fn set(&mut self, user: &str, realm: &str, password: &str) {
        self.remove(user);
        let secrets = KEPT.map(|algorithm| Secret::new(algorithm, user, realm, password));
        self.0.insert((user.to_owned(), realm.to_owned()), secrets.into());
    }

    /// False when there is no such user.
    pub fn remove(&mut self, user: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _), _| known != user);
        self.0.len() < before
    }

    /// Takes the file's place at once: whoever reads it sees all or nothing of the change.
    pub fn write(&self, path: &Path) -> Result<(), Text> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        let write = || {
            // One that was left behind is not written to, whoever may read it.
            let _ = fs::remove_file(&new);
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(self.text().as_bytes())?;
            file.sync_all()?;
            // The gateway's user is to read it, whoever changes it.
            if let Some(owner) = owner(path) {
                chown(&new, Some(owner.uid()), Some(owner.gid()))?;
            }
            fs::rename(&new, path)
        };
        write().map_err(|e| {
            let name = path.display();
            both!("{name}: ", "{name}：").then(&files::told(&e))
        })
    }

    fn text(&self) -> String {
        let lines = self.0.iter().flat_map(|((user, realm), secrets)| {
            secrets.iter().map(move |secret| format!("{user}:{realm}:{}:{}\n", secret.algorithm().name(), secret.hash()))
        });
        lines.collect()
    }

    /// A line that is wrong is told by its number: it may hold a password.
    fn parse(text: &str) -> Result<Credentials, Text> {
        let mut all = Credentials::default();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (holder, secret) = of_line(line).ok_or_else(|| {
                both!("line {number} is not user:realm:algorithm:hash", "第 {number} 行不是 user:realm:algorithm:hash")
            })?;
            all.0.entry(holder).or_default().push(secret);
        }
        Ok(all)
    }
}

/// The file's owner, or that of the folder where it will be.
fn owner(path: &Path) -> Option<fs::Metadata> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(path).or_else(|_| fs::metadata(folder)).ok()
}

fn of_line(line: &str) -> Option<(Holder, Secret)> {
    let mut parts = line.trim_end().splitn(4, ':');
    let (user, realm, algorithm, hash) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let algorithm = KEPT.into_iter().find(|known| known.name().eq_ignore_ascii_case(algorithm))?;
    let digits = if algorithm == Algorithm::Md5 { 32 } else { 64 };
    let good = !user.is_empty() && hash.len() == digits && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| ((user.to_owned(), realm.to_owned()), Secret::kept(algorithm, hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seats");
        let mut credentials = Credentials::read_or_begin(&path).unwrap();
        credentials.set("1001", "hotline", "secret");
        credentials.set("1002", "hotline", "other");
        credentials.write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        assert!(text.starts_with("1001:hotline:SHA-256:") && !text.contains("secret") && text.lines().count() == 4, "{text}");
        let mut again = Credentials::read(&path).unwrap();
        assert_eq!(again, credentials);
        assert_eq!((again.of("1001", "hotline").len(), again.of("1001", "else").len()), (2, 0));
        assert!(again.is_elsewhere("1001", "else") && !again.is_elsewhere("1003", "else"));
        assert!(again.remove("1001") && !again.remove("1001"));
        again.write(&path).unwrap();
        assert!(Credentials::read(&path).unwrap().of("1001", "hotline").is_empty());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Credentials::read(&path).unwrap_err().en.starts_with("others may read it (mode 644)"));
    }

    #[test]
    fn a_wrong_line_is_told_by_its_number_alone() {
        for wrong in
            ["1001", "1001:hotline:SHA-256:abc", "1001:hotline:plain:secret", ":hotline:MD5:0123456789abcdef0123456789abcdef"]
        {
            let told = Credentials::parse(&format!("# seats\n{wrong}\n")).unwrap_err();
            assert_eq!(told.en, "line 2 is not user:realm:algorithm:hash", "{wrong}");
            assert_ne!(told.en, told.zh);
        }
    }
}
