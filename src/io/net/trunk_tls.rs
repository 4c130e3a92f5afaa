//! TLS with trunks: whom we connect to, what its certificate must show, which one we show, and why it came to nothing.

use super::tls::{self, Identity, Roots};
use crate::base::{AccessList, Cidr, Text};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsConnector;

/// How a trunk is connected to.
pub struct TrunkTls {
    pub connector: TlsConnector,
    pub name: ServerName<'static>,
}

impl TrunkTls {
    /// `ca`: whom its certificate must come from; none: those of this machine. `name`: a host name or an address that it must
    /// show. `own`: the certificate that we show where we are asked for one.
    pub fn new(ca: Option<&Path>, name: &str, own: Option<Arc<Identity>>) -> Result<TrunkTls, Text> {
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| both!("`{name}` is no host name and no address", "`{name}` 不是主机名，也不是地址"))?;
        let mut config = match ca {
            // Public authorities certify no SIP URI (RFC 5922 §7.1): the name is one of the DNS.
            None => tls::client(Roots::System)?,
            Some(path) => of_sip(path, name)?,
        };
        if let Some(own) = own {
            config.client_auth_cert_resolver = own;
        }
        Ok(TrunkTls { connector: Arc::new(config).into(), name: server })
    }
}

fn of_sip(ca: &Path, name: &str) -> Result<ClientConfig, Text> {
    let provider = tls::provider();
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Arc::new(OfDomain { roots: tls::roots(ca)?, domain: name.to_owned(), algorithms });
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| both!("TLS cannot be prepared: {e}", "无法准备 TLS：{e}"))?;
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The rules of RFC 5922 §7: a SIP URI in the certificate names its domain, and a DNS name does where there is none.
#[derive(Debug)]
struct OfDomain {
    roots: RootCertStore,
    domain: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for OfDomain {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, self.algorithms.all)?;
        let parsed =
            webpki::EndEntityCert::try_from(end_entity).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let mut domains = parsed.valid_uri_names().filter_map(sip_domain).peekable();
        if domains.peek().is_none() {
            verify_server_name(&certificate, server_name)?;
        } else if !domains.any(|domain| domain.eq_ignore_ascii_case(&self.domain)) {
            return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The domain of a SIP URI in a certificate; one with a user names a person and no domain (§7.1).
fn sip_domain(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    let rest = rest.split([';', '?']).next().unwrap_or(rest);
    let domain = scheme.eq_ignore_ascii_case("sip") && !rest.contains('@');
    domain.then_some(rest)
}

/// The trunks by their networks. The switch thread sends by it, a reload replaces it.
#[derive(Default)]
pub struct Trunks(RwLock<Known>);

#[derive(Default)]
struct Known {
    owners: AccessList<usize>,
    tls: Vec<Option<Arc<TrunkTls>>>,
}

impl Trunks {
    /// Each one's networks, and how it is connected to by TLS.
    pub fn set(&self, trunks: Vec<(Vec<Cidr>, Option<Arc<TrunkTls>>)>) {
        let mut known = Known::default();
        for (index, (networks, tls)) in trunks.into_iter().enumerate() {
            networks.into_iter().for_each(|block| _ = known.owners.insert(block, index));
            known.tls.push(tls);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// None for a host that is no trunk's.
    pub fn find(&self, host: IpAddr) -> Option<Option<Arc<TrunkTls>>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.owners.find(host).map(|index| known.tls.get(index).cloned().flatten())
    }
}

/// Why TLS came to nothing, as figures and the log say it.
pub const REASONS: [&str; 8] = [
    "expired",
    "not_yet_valid",
    "unknown_issuer",
    "wrong_name",
    "bad_certificate",
    "no_certificate",
    "ours_refused",
    "handshake",
];

static FAILED: [AtomicU64; REASONS.len()] = [const { AtomicU64::new(0) }; REASONS.len()];

/// How often each of [`REASONS`] was met since the start.
pub fn failures() -> impl Iterator<Item = (&'static str, u64)> {
    REASONS.iter().zip(&FAILED).map(|(reason, count)| (*reason, count.load(Ordering::Relaxed)))
}

/// Counts a failure; none where the error is not one of TLS.
pub fn count(error: &io::Error) -> Option<&'static str> {
    let reason = reason(error.get_ref()?.downcast_ref::<Error>()?);
    let at = REASONS.iter().position(|known| *known == reason)?;
    FAILED.get(at)?.fetch_add(1, Ordering::Relaxed);
    Some(reason)
}

fn reason(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(wrong) => match wrong {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not_yet_valid",
            CertificateError::UnknownIssuer => "unknown_issuer",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "wrong_name",
            _ => "bad_certificate",
        },
        Error::NoCertificatesPresented => "no_certificate",
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => "ours_refused",
        _ => "handshake",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_domain_where_it_names_nobody() {
        assert_eq!(sip_domain("sip:sbc.example.cn"), Some("sbc.example.cn"));
        assert_eq!(sip_domain("SIP:sbc.example.cn;transport=tls"), Some("sbc.example.cn"));
        for none in ["sip:a@sbc.example.cn", "https://sbc.example.cn", "sips:sbc.example.cn", "sbc.example.cn"] {
            assert_eq!(sip_domain(none), None, "{none}");
        }
    }

    #[test]
    fn each_reason_is_counted_by_its_name() {
        let count = |error: Error| count(&io::Error::other(error));
        let certificate = |wrong| count(Error::InvalidCertificate(wrong));
        assert_eq!(certificate(CertificateError::Expired), Some("expired"));
        assert_eq!(certificate(CertificateError::UnknownIssuer), Some("unknown_issuer"));
        assert_eq!(certificate(CertificateError::NotValidForName), Some("wrong_name"));
        assert_eq!(count(Error::AlertReceived(AlertDescription::CertificateRequired)), Some("ours_refused"));
        assert_eq!(count(Error::NoCertificatesPresented), Some("no_certificate"));
        assert_eq!(count(Error::DecryptError), Some("handshake"));
        assert_eq!(super::count(&io::Error::from(io::ErrorKind::ConnectionReset)), None);
        assert!(failures().all(|(reason, _)| REASONS.contains(&reason)));
    }

    #[test]
    fn the_networks_of_a_trunk_lead_to_its_tls() {
        let trunks = Trunks::default();
        let tls = TrunkTls::new(None, "sbc.example.cn", None).unwrap();
        let networks = |text: &str| vec![text.parse().unwrap()];
        trunks.set(vec![(networks("192.0.2.0/24"), None), (networks("198.51.100.7"), Some(Arc::new(tls)))]);
        let found = |host: &str| trunks.find(host.parse().unwrap()).map(|tls| tls.is_some());
        assert_eq!((found("192.0.2.9"), found("198.51.100.7"), found("203.0.113.1")), (Some(false), Some(true), None));
        assert!(TrunkTls::new(None, "not a name", None).is_err());
    }
}
