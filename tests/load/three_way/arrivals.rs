//! Packets with the time at which the kernel took them: whoever reads them late finds no gap that was not there.

use nix::cmsg_space;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt};
use nix::sys::time::TimeSpec;
use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Duration;

const BATCH: usize = 64;
const PACKET: usize = 1500;

pub struct Arrivals {
    socket: UdpSocket,
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<[u8; PACKET]>,
}

impl Arrivals {
    pub fn new(socket: UdpSocket) -> Arrivals {
        setsockopt(&socket, ReceiveTimestampns, &true).unwrap();
        let headers = MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec)));
        Arrivals { socket, headers, buffers: vec![[0; PACKET]; BATCH] }
    }

    /// Takes all that is there: the port that it comes from, when it came, and the packet.
    pub fn take(&mut self, mut each: impl FnMut(u16, Duration, &[u8])) {
        loop {
            let mut slices: Vec<[IoSliceMut<'_>; 1]> = self.buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            let Ok(all) = recvmmsg(self.socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) else { return };
            let mut count = 0;
            for packet in all {
                count += 1;
                let port = packet.address.as_ref().and_then(SockaddrStorage::as_sockaddr_in).map(|from| from.port());
                let at = packet.cmsgs().unwrap().find_map(|message| match message {
                    ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                    _ => None,
                });
                each(port.unwrap(), at.unwrap(), packet.iovs().next().unwrap());
            }
            if count < BATCH {
                return;
            }
        }
    }
}
