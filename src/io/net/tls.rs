//! TLS, in one place for all that speaks it: whom we trust as a client, and the certificate that we show as a server.

use crate::base::Text;
use crate::io::process::files;
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// A chain has a few kilobytes.
const MAX_CERTIFICATE: u64 = 1 << 20;

/// The certificates that a server's must come from.
#[derive(Clone, Copy, Debug)]
pub enum Roots<'a> {
    /// Nothing is trusted: no TLS is spoken. A small container has no certificates of a system.
    Nobody,
    /// Those of this machine.
    System,
    /// Those in this file.
    File(&'a Path),
}

/// A client's settings.
pub fn client(roots: Roots<'_>) -> Result<ClientConfig, Text> {
    let wrong = |e: rustls::Error| both!("TLS cannot be prepared: {e}", "无法准备 TLS：{e}");
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(wrong)?;
    let trusting = match roots {
        Roots::System => config.with_platform_verifier().map_err(wrong)?,
        Roots::Nobody => config.with_root_certificates(RootCertStore::empty()),
        Roots::File(path) => config.with_root_certificates(self::roots(path)?),
    };
    Ok(trusting.with_no_client_auth())
}

/// The certificates in a file, as those that others must come from.
pub fn roots(path: &Path) -> Result<RootCertStore, Text> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(chain(path)?);
    Ok(store)
}

/// The certificate that we show, and its key. A reload replaces them for new connections.
#[derive(Debug)]
pub struct Identity(RwLock<Arc<CertifiedKey>>);

/// A file that an identity cannot be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Certificate(Text),
    Key(Text),
}

impl Identity {
    /// Reads a chain of certificates, ours first, and its key; both are PEM files (RFC 7468).
    pub fn read(certificate: &Path, key: &Path) -> Result<Identity, Fault> {
        let chain = chain(certificate).map_err(Fault::Certificate)?;
        let pem = files::secret(key).map_err(Fault::Key)?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| Fault::Key(both!("holds no private key in PEM", "不含 PEM 格式的私钥")))?;
        let certified = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|e| Fault::Key(both!("does not fit the certificate: {e}", "与证书不匹配：{e}")))?;
        Ok(Identity(RwLock::new(Arc::new(certified))))
    }

    /// Takes over another one's.
    pub fn replace(&self, other: Identity) {
        let new = other.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// The settings of a server that shows it. `clients`: peers must show a certificate that comes from this file.
    pub fn server(self: &Arc<Identity>, clients: Option<&Path>) -> Result<ServerConfig, Text> {
        let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let config = config.map_err(|e| both!("TLS cannot be prepared: {e}", "无法准备 TLS：{e}"))?;
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(path) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots(path)?.into(), provider()).build();
                let verifier = verifier.map_err(|e| both!("TLS cannot be prepared: {e}", "无法准备 TLS：{e}"))?;
                config.with_client_cert_verifier(verifier)
            }
        };
        Ok(config.with_cert_resolver(self.clone()))
    }

    fn shown(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.shown())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown())
    }
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Text> {
    let pem = files::text(path, MAX_CERTIFICATE)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(both!("holds no certificate in PEM", "不含 PEM 格式的证书")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls").join(name)
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let read = |certificate, key| Identity::read(&file(certificate), &file(key)).err();
        assert_eq!(read("first.pem", "first.key"), None);
        assert!(matches!(read("absent.pem", "first.key"), Some(Fault::Certificate(why)) if why.en.contains("No such file")));
        assert!(matches!(read("first.key", "first.key"), Some(Fault::Certificate(why)) if why.en.contains("no certificate")));
        assert!(matches!(read("first.pem", "first.pem"), Some(Fault::Key(why)) if why.en.contains("no private key")));
        assert!(matches!(read("first.pem", "second.key"), Some(Fault::Key(why)) if why.en.contains("does not fit")));
    }

    #[test]
    fn a_client_trusts_whom_it_is_told() {
        let first = file("first.pem");
        for roots in [Roots::Nobody, Roots::File(&first)] {
            assert!(client(roots).is_ok(), "{roots:?}");
        }
        assert!(client(Roots::File(&file("first.key"))).is_err());
    }
}
