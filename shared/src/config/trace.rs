//! Tracing.

use std::net::SocketAddr;

use super::Reader;

/// Where X-Ray's daemon is: `AWS_XRAY_DAEMON_ADDRESS`, which Lambda sets, while `TRACING` (PassThrough) is `Active`. Nothing
/// depends on traces, so an address that cannot be read is none.
pub fn xray(reader: &mut Reader) -> Option<SocketAddr> {
    let tracing = reader.text("TRACING", "PassThrough");
    if !["Active", "PassThrough"].contains(&tracing.as_str()) {
        reader.fault("TRACING", "is neither Active nor PassThrough");
    }
    let address = reader.optional("AWS_XRAY_DAEMON_ADDRESS")?;
    // One address, or `tcp:ADDRESS udp:ADDRESS` (X-Ray developer guide, the daemon's address).
    let udp = address
        .split_whitespace()
        .find_map(|part| part.strip_prefix("udp:"));
    let udp = udp.unwrap_or(&address).parse().ok();
    udp.filter(|_| tracing == "Active")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tracing: &str, address: &str) -> Option<SocketAddr> {
        let values = [("TRACING", tracing), ("AWS_XRAY_DAEMON_ADDRESS", address)];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut reader = Reader::new(values.into());
        let xray = xray(&mut reader);
        assert_eq!(reader.finish(), Ok(()));
        xray
    }

    #[test]
    fn traces_go_to_lambdas_daemon_while_they_are_on() {
        let there = Some("169.254.79.129:2000".parse().unwrap());
        for (tracing, address, expected) in [
            ("Active", "169.254.79.129:2000", there),
            ("Active", "tcp:127.0.0.1:1 udp:169.254.79.129:2000", there),
            ("Active", "udp:169.254.79.129:2000 tcp:127.0.0.1:1", there),
            ("PassThrough", "169.254.79.129:2000", None),
            ("", "169.254.79.129:2000", None),
            ("Active", "", None),
            ("Active", "xray:2000", None),
        ] {
            assert_eq!(read(tracing, address), expected, "{tracing} {address}");
        }
    }

    #[test]
    fn another_word_stops_the_start() {
        let values = [("TRACING".to_owned(), "on".to_owned())];
        let mut reader = Reader::new(values.into());
        assert_eq!(xray(&mut reader), None);
        assert_eq!(reader.finish().unwrap_err().0[0].name, "TRACING");
    }
}
