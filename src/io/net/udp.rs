//! The switch's UDP sockets: many datagrams in one system call, both ways.

use crate::base::{Flow, Proto};
use bytes::Bytes;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Datagrams taken or sent by one system call.
const BATCH: usize = 32;
/// The largest datagram there is.
const DATAGRAM: usize = 65_535;
/// A burst waits here while the switch is busy: some 4,000 INVITEs.
const SOCKET_BUFFER: usize = 4 << 20;
/// Datagrams that wait for a full socket; what is beyond is lost, as the network might lose it.
const MAX_WAITING: usize = 8192;

/// Opens a socket for SIP on `address`.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The kernel cuts these to its own limits; smaller ones work too.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A datagram that could not be sent, and will not be.
pub struct Unsent {
    pub flow: Flow,
    pub data: Bytes,
    /// No datagram holds it.
    pub too_long: bool,
}

/// One socket and its buffers. Lives in the thread that made it.
pub struct UdpPort {
    socket: UdpSocket,
    local: SocketAddr,
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<Vec<u8>>,
    waiting: Vec<(SocketAddr, Bytes)>,
}

impl UdpPort {
    pub fn new(socket: UdpSocket) -> io::Result<UdpPort> {
        let local = socket.local_addr()?;
        let buffers = vec![vec![0; DATAGRAM]; BATCH];
        Ok(UdpPort { socket, local, headers: MultiHeaders::preallocate(BATCH, None), buffers, waiting: Vec::new() })
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes up to one batch. True when there may be more.
    pub fn receive(&mut self, mut each: impl FnMut(Flow, Bytes)) -> bool {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self.buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(results) = recvmmsg(self.socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) else {
            return false;
        };
        let mut count = 0;
        for received in results {
            count += 1;
            let Some(remote) = received.address.as_ref().and_then(socket_address) else { continue };
            let Some(bytes) = received.iovs().next() else { continue };
            each(Flow { proto: Proto::Udp, local: self.local, remote }, Bytes::copy_from_slice(bytes));
        }
        count == BATCH
    }

    /// Puts a datagram among those that `flush` sends.
    pub fn queue(&mut self, remote: SocketAddr, data: Bytes) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push((remote, data));
        }
    }

    /// Sends what waits. True when all left; a datagram that cannot be sent is handed to `failed`.
    pub fn flush(&mut self, mut failed: impl FnMut(Unsent)) -> bool {
        let mut sent = 0;
        let mut full = false;
        while sent < self.waiting.len() && !full {
            match self.send_batch(sent) {
                Ok(count) => sent += count.max(1),
                Err(Errno::EINTR) => {}
                // ENOBUFS: the device's queue is full, as EAGAIN is for the socket's. ENOMEM passes too.
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => full = true,
                Err(error) => {
                    let (remote, data) = self.waiting[sent].clone();
                    let flow = Flow { proto: Proto::Udp, local: self.local, remote };
                    failed(Unsent { flow, data, too_long: error == Errno::EMSGSIZE });
                    sent += 1;
                }
            }
        }
        self.waiting.drain(..sent);
        self.waiting.is_empty()
    }

    /// Sends those from `start` on and counts those that left. An error is the first one's.
    fn send_batch(&mut self, start: usize) -> nix::Result<usize> {
        let batch = &self.waiting[start..self.waiting.len().min(start + BATCH)];
        let slices: Vec<[IoSlice<'_>; 1]> = batch.iter().map(|(_, data)| [IoSlice::new(data)]).collect();
        let addresses: Vec<Option<SockaddrStorage>> = batch.iter().map(|(remote, _)| Some((*remote).into())).collect();
        let mut headers = MultiHeaders::preallocate(batch.len(), None);
        let flags = MsgFlags::MSG_DONTWAIT;
        sendmmsg(self.socket.as_raw_fd(), &mut headers, slices.iter(), addresses, [], flags).map(Iterator::count)
    }
}

fn socket_address(from: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = from.as_sockaddr_in().map(|a| SocketAddr::V4((*a).into()));
    v4.or_else(|| from.as_sockaddr_in6().map(|a| SocketAddr::V6((*a).into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port() -> UdpPort {
        UdpPort::new(bind("127.0.0.1:0".parse().unwrap()).unwrap()).unwrap()
    }

    fn drain(port: &mut UdpPort) -> Vec<(Flow, Bytes)> {
        let mut all = Vec::new();
        while port.receive(|flow, data| all.push((flow, data))) {}
        all
    }

    #[test]
    fn many_datagrams_arrive_whole_and_in_order() {
        let (mut a, mut b) = (port(), port());
        let texts: Vec<Bytes> = (0..100_u32).map(|i| Bytes::from(vec![b'x'; i as usize * 20 + 1])).collect();
        texts.iter().for_each(|text| a.queue(b.local(), text.clone()));
        assert!(a.flush(|_| unreachable!()));
        let got = drain(&mut b);
        assert_eq!(got.iter().map(|(_, data)| data.clone()).collect::<Vec<_>>(), texts);
        assert!(got.iter().all(|(flow, _)| flow.remote == a.local() && flow.local == b.local() && flow.proto == Proto::Udp));
    }

    #[test]
    fn one_batch_a_call_so_that_timers_run_under_a_flood() {
        let (mut a, mut b) = (port(), port());
        (0..BATCH + 1).for_each(|_| a.queue(b.local(), Bytes::from_static(b"x")));
        a.flush(|_| unreachable!());
        let mut count = 0;
        assert!(b.receive(|_, _| count += 1));
        assert_eq!(count, BATCH);
    }

    #[test]
    fn a_destination_that_cannot_be_sent_to_is_named_and_the_rest_leaves() {
        let (mut a, mut b) = (port(), port());
        let bad: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
        a.queue(bad, Bytes::from_static(b"x"));
        a.queue(b.local(), Bytes::from_static(b"y"));
        a.queue(b.local(), Bytes::from(vec![0; 65_530]));
        let mut failed = Vec::new();
        assert!(a.flush(|unsent| failed.push((unsent.flow.remote, unsent.data.len(), unsent.too_long))));
        assert_eq!(failed, [(bad, 1, false), (b.local(), 65_530, true)], "wrong family, and too long for a datagram");
        assert_eq!(drain(&mut b).len(), 1);
    }

    #[test]
    fn ipv6_works_the_same() {
        let Ok(socket) = bind("[::1]:0".parse().unwrap()) else { return };
        let mut a = UdpPort::new(socket).unwrap();
        let local = a.local();
        a.queue(local, Bytes::from_static(b"x"));
        a.flush(|_| unreachable!());
        assert_eq!(drain(&mut a)[0].0.remote, local);
    }
}
