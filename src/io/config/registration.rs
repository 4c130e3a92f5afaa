//! The keys of `[trunks.NAME.registrations]`: our accounts with carriers.

use crate::base::Text;
use crate::io::process::files;
use crate::sip::{Scheme, Uri};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    pub enabled: bool,
    pub aor: String,
    pub user: String,
    pub file: PathBuf,
    pub secret: String,
    pub realm: String,
    pub contact: String,
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub expires: Duration,
    pub route: bool,
    pub outbound: bool,
    pub identity: ShownIdentity,
}

/// The number in From of calls that go out by an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownIdentity {
    #[default]
    Own,
    Caller,
}

impl Default for Registration {
    fn default() -> Registration {
        Registration {
            enabled: true,
            aor: String::new(),
            user: String::new(),
            file: PathBuf::new(),
            secret: String::new(),
            realm: String::new(),
            contact: String::new(),
            expires: Duration::from_secs(3600),
            route: false,
            outbound: false,
            identity: ShownIdentity::Own,
        }
    }
}

impl Registration {
    /// The number at the carrier's domain; none where it is not written so.
    pub fn identity(&self) -> Option<Uri> {
        let uri = Uri::parse(self.aor.as_bytes())?;
        let plain = uri.password.is_none() && uri.headers.is_none();
        (uri.scheme == Scheme::Sip && uri.user.is_some() && plain).then_some(uri)
    }

    /// The user of our Contact.
    pub fn contact(&self) -> String {
        match self.contact.is_empty() {
            true => self.identity().and_then(|uri| uri.user).unwrap_or_default(),
            false => self.contact.clone(),
        }
    }

    /// The password, from where the configuration says.
    pub fn password(&self) -> Result<String, Text> {
        let file = !self.file.as_os_str().is_empty();
        let text = match (file, self.secret.is_empty()) {
            (true, true) => files::secret(&self.file).map_err(|why| {
                let name = self.file.display();
                both!("{name}: ", "{name}：").then(&why)
            })?,
            (false, false) => return Ok(self.secret.clone()),
            _ => return Err(both!("set exactly one of `file`, `secret`", "`file`、`secret` 须且只能设置一个")),
        };
        let password = text.lines().next().unwrap_or_default().trim_end();
        if password.is_empty() {
            let name = self.file.display();
            return Err(both!("{name}: its first line is empty", "{name}：首行为空"));
        }
        Ok(password.to_owned())
    }
}

pub(super) fn not_an_identity() -> Text {
    both!(
        "is the number at the carrier's domain, such as sip:+862112345678@sh.ctcims.cn",
        "应为 号码@运营商域名，例如 sip:+862112345678@sh.ctcims.cn"
    )
}
