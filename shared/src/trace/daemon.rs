//! X-Ray's daemon, which Lambda runs beside each instance of a function.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use serde_json::Value;

/// What the daemon wants in front of each document (X-Ray developer guide, "Sending segment documents").
const HEADER: &str = "{\"format\": \"json\", \"version\": 1}\n";

/// Sends segments to the daemon: one datagram each, never waiting.
#[derive(Debug)]
pub struct Daemon(UdpSocket);

impl Daemon {
    /// A socket to the daemon at `address`. Sends nothing yet.
    ///
    /// # Errors
    /// The system gives no socket.
    pub fn open(address: SocketAddr) -> std::io::Result<Self> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(address)?;
        Ok(Self(socket))
    }

    /// Sends a segment. Whether it arrives nobody knows; nobody need mind.
    pub fn send(&self, segment: &Value) {
        let datagram = format!("{HEADER}{segment}");
        // Full buffers, no daemon: the trace lacks a part, and that is all.
        let _ = self.0.send(datagram.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_segment_is_one_datagram_of_a_header_line_and_one_document() {
        let listener = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let daemon = Daemon::open(listener.local_addr().unwrap()).unwrap();
        daemon.send(&json!({"name": "worker"}));
        let mut buffer = [0; 2_048];
        let length = listener.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        let parsed = |text| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parsed(header), json!({"format": "json", "version": 1}));
        assert_eq!(parsed(document), json!({"name": "worker"}));
    }

    #[test]
    fn a_daemon_that_is_not_there_harms_nobody() {
        let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = gone.local_addr().unwrap();
        drop(gone);
        let daemon = Daemon::open(address).unwrap();
        for _ in 0..3 {
            daemon.send(&json!({}));
        }
    }
}
