//! The sockets by which SIP comes in: bound before anything else is started, opened when all is ready.

use crate::base::Text;
use crate::io::config::{Config, KeyFault, Sip, secrets};
use crate::io::net::admission::Admission;
use crate::io::net::tcp::Tcp;
use crate::io::net::tls::Identity;
use crate::io::net::udp;
use crate::io::process::files;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

pub struct Sockets {
    plain: Vec<Bound>,
    by_tls: Vec<(TcpListener, SocketAddr)>,
    /// The certificate that is shown where TLS is spoken.
    identity: Option<Arc<Identity>>,
}

/// The sockets of one address, and where they are really bound.
type Bound = (UdpSocket, TcpListener, SocketAddr);

type Opened = (Vec<UdpSocket>, Option<Arc<Identity>>);

impl Sockets {
    /// With where SIP is really listened on by UDP and TCP: port 0 has become a number.
    pub fn bind(config: &Config) -> Result<(Sockets, Vec<SocketAddr>), Text> {
        let identity = secrets::sip_identity(&config.sip).map_err(|fault| KeyFault::told(&[fault]))?.map(Arc::new);
        let by_tls = config.sip.listen_tls.iter().map(|address| {
            let listener = bind_tcp(*address, "sip.listen_tls")?;
            let local = listener.local_addr().map_err(|e| files::told(&e))?;
            Ok((listener, local))
        });
        let by_tls = by_tls.collect::<Result<_, Text>>()?;
        let plain = config.sip.listen.iter().map(|address| bind(*address)).collect::<Result<Vec<_>, Text>>()?;
        let listen = plain.iter().map(|(_, _, local)| *local).collect();
        Ok((Sockets { plain, by_tls, identity }, listen))
    }

    pub fn tls(&self) -> Vec<SocketAddr> {
        self.by_tls.iter().map(|(_, local)| *local).collect()
    }

    /// Lets peers connect; gives the UDP sockets back, and the certificate that is shown.
    pub fn open(self, sip: &Sip, tcp: &Tcp, runtime: &Runtime, admission: &Arc<Admission>) -> Result<Opened, Text> {
        if let Some(identity) = &self.identity {
            for (listener, local) in self.by_tls {
                let (listener, admit) = (on_runtime(runtime, listener)?, admission.clone().admit());
                tcp.listen_by_tls(listener, local, admit, identity.server(clients(sip, local))?);
            }
        }
        let open = |(udp, listener, local)| {
            tcp.listen(on_runtime(runtime, listener)?, local, admission.clone().admit());
            Ok(udp)
        };
        Ok((self.plain.into_iter().map(open).collect::<Result<_, Text>>()?, self.identity))
    }
}

/// The authority of the certificates that peers must show there; none: nobody must.
fn clients(sip: &Sip, local: SocketAddr) -> Option<&Path> {
    let asked = sip.client_ca_at.is_empty() || sip.client_ca_at.contains(&local);
    Some(sip.client_ca.as_path()).filter(|path| asked && !path.as_os_str().is_empty())
}

/// UDP and TCP, on one port where the port is ours to choose.
fn bind(address: SocketAddr) -> Result<Bound, Text> {
    let udp = udp::bind(address)
        .map_err(|e| both!("sip.listen: UDP {address}: {}", "sip.listen：UDP {address}：{}"; files::told(&e)))?;
    let local = udp.local_addr().map_err(|e| files::told(&e))?;
    Ok((udp, bind_tcp(local, "sip.listen")?, local))
}

pub fn bind_tcp(address: SocketAddr, key: &str) -> Result<TcpListener, Text> {
    let listener =
        TcpListener::bind(address).map_err(|e| both!("{key}: TCP {address}: {}", "{key}：TCP {address}：{}"; files::told(&e)))?;
    listener.set_nonblocking(true).map_err(|e| files::told(&e))?;
    Ok(listener)
}

pub fn on_runtime(runtime: &Runtime, listener: TcpListener) -> Result<tokio::net::TcpListener, Text> {
    let _entered = runtime.enter();
    tokio::net::TcpListener::from_std(listener).map_err(|e| files::told(&e))
}
