//! How requests say who sends them.

use super::{Method, Profile, Rendered};
use crate::base::Text;
use crate::record::digest::{Recipe, Spelling};
use data_encoding::BASE64;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Every text is a template that sees `secret`, the backend's credentials.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Auth {
    #[default]
    None,
    /// RFC 7617.
    Basic {
        user: String,
        password: String,
    },
    Header {
        name: String,
        value: String,
    },
    /// RFC 6750.
    Bearer {
        token: String,
    },
    /// RFC 6749 §4.4: the token is asked for at `url`, kept while it holds, and asked for anew when it is refused.
    Oauth2 {
        url: String,
        id: String,
        secret: String,
        #[serde(default)]
        scope: String,
    },
    /// Standard Webhooks, with the keys of `secret.keys`.
    Webhook,
    Sign(Signing),
}

/// A digest over a text, sent in headers or in the address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// Sees `timestamp` (seconds), `millis`, `nonce` and `body` too.
    pub text: String,
    pub recipe: Recipe,
    #[serde(default)]
    pub key: String,
    #[serde(default)]
    pub spelling: Spelling,
    /// These see `sign` too.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
}

/// The moment and the chance that a signature is made fresh with.
#[derive(Clone, Debug)]
pub struct Fresh {
    pub millis: i64,
    pub nonce: String,
}

pub type Secrets = BTreeMap<String, String>;

impl Auth {
    /// (key, text) of each template.
    pub(super) fn templates(&self) -> Vec<(Vec<&str>, &str)> {
        let list: Vec<(Vec<&str>, &str)> = match self {
            Auth::None | Auth::Webhook => vec![],
            Auth::Basic { user, password } => vec![(vec!["user"], user), (vec!["password"], password)],
            Auth::Header { name: _, value } => vec![(vec!["value"], value)],
            Auth::Bearer { token } => vec![(vec!["token"], token)],
            Auth::Oauth2 { url, id, secret, scope } => {
                vec![(vec!["url"], url), (vec!["id"], id), (vec!["secret"], secret), (vec!["scope"], scope)]
            }
            Auth::Sign(signing) => signing.templates(),
        };
        list.into_iter().map(|(path, text)| ([vec!["auth"], path].concat(), text)).collect()
    }
}

impl Signing {
    fn templates(&self) -> Vec<(Vec<&str>, &str)> {
        let headers = self.headers.iter().map(|(name, text)| (vec!["headers", name.as_str()], text.as_str()));
        let query = self.query.iter().map(|(name, text)| (vec!["query", name.as_str()], text.as_str()));
        headers.chain(query).chain([(vec!["text"], self.text.as_str()), (vec!["key"], self.key.as_str())]).collect()
    }
}

/// A request for a token, to be posted as a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    pub url: String,
    pub form: String,
}

impl Profile {
    /// Authenticates a request that is not sent: credentials that are not there would otherwise be found with the first call.
    pub fn rehearse(&self, secrets: &Secrets) -> Result<(), Text> {
        let mut request = Rendered { method: Method::Post, url: String::new(), headers: Vec::new(), body: None };
        let fresh = Fresh { millis: 0, nonce: String::new() };
        let made = match &self.file.auth {
            Auth::Oauth2 { .. } => self.token_request(secrets).map(drop),
            _ => self.authenticate(&mut request, secrets, &fresh),
        };
        let lacking = |name: &String| !secrets.contains_key(name);
        let names: BTreeSet<String> = self.templates.read("auth.", "secret").map(|(_, name)| name).filter(lacking).collect();
        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        made.map_err(
            |error| if names.is_empty() { error } else { both!("`credentials` lack {names}", "`credentials` 缺少 {names}") },
        )
    }

    /// Those of these credentials that nothing here reads, and what is read.
    pub fn unread(&self, secrets: &Secrets) -> (Vec<String>, BTreeSet<String>) {
        let mut read: BTreeSet<String> = self.templates.read("", "secret").map(|(_, name)| name).collect();
        read.extend(matches!(self.file.auth, Auth::Webhook).then(|| "keys".to_owned()));
        read.extend(self.file.callback.is_some().then(|| "callback_keys".to_owned()));
        (secrets.keys().filter(|name| !read.contains(*name)).cloned().collect(), read)
    }

    /// Adds who we are; nothing for those kinds that need more than the request.
    pub fn authenticate(&self, request: &mut Rendered, secrets: &Secrets, fresh: &Fresh) -> Result<(), Text> {
        let context = minijinja::context! { secret => secrets, vars => &self.file.vars };
        let text = |name: &str| self.templates.render(name, &context);
        match &self.file.auth {
            Auth::None | Auth::Webhook | Auth::Oauth2 { .. } => {}
            Auth::Basic { .. } => {
                let pair = format!("{}:{}", text("auth.user")?, text("auth.password")?);
                request.headers.push(("authorization".into(), format!("Basic {}", BASE64.encode(pair.as_bytes()))));
            }
            Auth::Header { name, .. } => request.headers.push((name.clone(), text("auth.value")?)),
            Auth::Bearer { .. } => request.headers.push(("authorization".into(), format!("Bearer {}", text("auth.token")?))),
            Auth::Sign(signing) => self.sign(signing, request, secrets, fresh)?,
        }
        Ok(())
    }

    pub fn token_request(&self, secrets: &Secrets) -> Result<TokenRequest, Text> {
        let context = minijinja::context! { secret => secrets, vars => &self.file.vars, base => &self.base };
        let text = |name: &str| self.templates.render(name, &context);
        let mut form = "grant_type=client_credentials".to_owned();
        for (key, name) in [("client_id", "auth.id"), ("client_secret", "auth.secret"), ("scope", "auth.scope")] {
            let value = text(name)?;
            if !value.is_empty() {
                form.push_str(&format!("&{key}={}", crate::record::cloudevent::percent_encoded(&value)));
            }
        }
        Ok(TokenRequest { url: text("auth.url")?, form })
    }

    fn sign(&self, signing: &Signing, request: &mut Rendered, secrets: &Secrets, fresh: &Fresh) -> Result<(), Text> {
        let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default()).into_owned();
        let with = |sign: Option<&str>| {
            minijinja::context! {
                secret => secrets, vars => &self.file.vars, body => &body, sign => sign, nonce => &fresh.nonce,
                timestamp => fresh.millis / 1000, millis => fresh.millis,
            }
        };
        let bare = with(None);
        let key = self.templates.render("auth.key", &bare)?;
        let text = self.templates.render("auth.text", &bare)?;
        let sign = signing.spelling.spell(&signing.recipe.sign(key.as_bytes(), text.as_bytes()));
        let signed = with(Some(&sign));
        for name in signing.headers.keys() {
            request.headers.push((name.clone(), self.templates.render(&format!("auth.headers.{name}"), &signed)?));
        }
        for name in signing.query.keys() {
            let value = self.templates.render(&format!("auth.query.{name}"), &signed)?;
            let mark = if request.url.contains('?') { '&' } else { '?' };
            request.url.push_str(&format!("{mark}{name}={}", crate::record::cloudevent::percent_encoded(&value)));
        }
        Ok(())
    }
}
