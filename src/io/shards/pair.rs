//! The two UDP sockets of a leg: RTP on an even port, RTCP on the next.

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Expedited forwarding (RFC 3246), as the byte of the IP header.
const DSCP_EF: u32 = 46 << 2;
/// Packets that may have gathered on a socket before a leg took it.
const STALE: usize = 256;

pub struct Pair {
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
    /// The address that the RTP socket is connected to.
    peer: Option<SocketAddr>,
}

impl Pair {
    /// Binds both, or neither.
    pub fn bind(rtp: SocketAddr) -> io::Result<Pair> {
        let port = rtp.port().checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Pair { rtp: bind(rtp)?, rtcp: bind(SocketAddr::new(rtp.ip(), port))?, peer: None })
    }

    /// From now on the poll tells of RTP by `token`, and of RTCP by the number after it.
    pub fn listen(&self, poll: &Epoll, token: u64) -> io::Result<()> {
        for (socket, token) in [(&self.rtp, token), (&self.rtcp, token + 1)] {
            poll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        }
        Ok(())
    }

    /// Takes what came before the leg, of RTP telling `stale` the start of each.
    pub fn clear(&self, mut stale: impl FnMut(&[u8], SocketAddr)) {
        let mut start = [0; 64];
        for _ in 0..STALE {
            let Ok((length, from)) = self.rtp.recv_from(&mut start) else { break };
            stale(&start[..length], from);
        }
        (0..STALE).take_while(|_| self.rtcp.recv(&mut [0]).is_ok()).for_each(drop);
    }

    /// A connected socket is cheaper to send on, and the kernel keeps strangers out.
    pub fn connect(&mut self, to: Option<SocketAddr>) -> io::Result<()> {
        match to {
            Some(peer) => self.rtp.connect(peer)?,
            None if self.peer.is_some() => disconnect(&self.rtp)?,
            None => {}
        }
        self.peer = to;
        Ok(())
    }

    pub fn send_rtp(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<usize> {
        if self.peer == Some(to) { self.rtp.send(bytes) } else { self.rtp.send_to(bytes, to) }
    }

    pub fn send_rtcp(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<usize> {
        self.rtcp.send_to(bytes, to)
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        socket.set_tclass_v6(DSCP_EF)?;
    } else {
        socket.set_tos_v4(DSCP_EF)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Connecting to an address of no family dissolves the tie and keeps the port (`connect(2)`).
fn disconnect(socket: &UdpSocket) -> io::Result<()> {
    let length = size_of::<nix::libc::sa_family_t>() as nix::libc::socklen_t;
    // SAFETY: zeroed storage is a valid address of family AF_UNSPEC (0), and the length covers the family alone. None
    // of the safe constructors makes one.
    #[allow(unsafe_code)]
    let nowhere = unsafe { SockAddr::new(SockAddrStorage::zeroed(), length) };
    socket2::SockRef::from(socket).connect(&nowhere)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOST: [u8; 4] = [127, 0, 0, 1];

    fn client() -> UdpSocket {
        UdpSocket::bind((std::net::Ipv4Addr::from(HOST), 0)).unwrap()
    }

    /// A pair on some free even port.
    fn pair() -> (Pair, SocketAddr) {
        let free = (20_000..30_000).step_by(2).map(|port| SocketAddr::from((HOST, port)));
        free.filter_map(|at| Some((Pair::bind(at).ok()?, at))).next().unwrap()
    }

    fn hears(pair: &Pair, from: &UdpSocket, at: SocketAddr) -> bool {
        from.send_to(b"x", at).unwrap();
        pair.rtp.set_nonblocking(false).unwrap();
        pair.rtp.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        pair.rtp.recv_from(&mut [0; 10]).is_ok_and(|(_, source)| source == from.local_addr().unwrap())
    }

    #[test]
    fn a_connected_pair_hears_one_and_a_freed_one_hears_all() {
        let (mut pair, at) = pair();
        let (peer, stranger) = (client(), client());
        assert!(hears(&pair, &stranger, at));
        pair.connect(Some(peer.local_addr().unwrap())).unwrap();
        assert!(hears(&pair, &peer, at) && !hears(&pair, &stranger, at));
        pair.connect(None).unwrap();
        assert_eq!(pair.rtp.local_addr().unwrap(), at, "the port stays ours");
        assert!(hears(&pair, &stranger, at) && hears(&pair, &peer, at));
        pair.connect(Some(stranger.local_addr().unwrap())).unwrap();
        assert!(hears(&pair, &stranger, at) && !hears(&pair, &peer, at));
    }

    #[test]
    fn a_pair_is_both_or_neither() {
        let (pair, at) = pair();
        assert_eq!(Pair::bind(at).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        drop(pair);
        let _odd = UdpSocket::bind(SocketAddr::new(at.ip(), at.port() + 1)).unwrap();
        assert_eq!(Pair::bind(at).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        assert!(UdpSocket::bind(at).is_ok(), "the RTP half was given back");
    }

    #[test]
    fn voice_is_marked_as_such() {
        let (pair, _) = pair();
        assert_eq!(socket2::SockRef::from(&pair.rtp).tos_v4().unwrap(), 0xB8);
        let v6 = (20_000..30_000).step_by(2).find_map(|port| bind(SocketAddr::from(([0u16, 0, 0, 0, 0, 0, 0, 1], port))).ok());
        if let Some(v6) = v6 {
            assert_eq!(socket2::SockRef::from(&v6).tclass_v6().unwrap(), 0xB8);
        }
    }
}
