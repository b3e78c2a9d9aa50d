//! Where a gateway may be: what an owner types as its address must not lead into the network that we run in.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The longest address, in characters.
pub const MAX_CHARACTERS: usize = 2_048;

/// Why an address cannot be a gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Not an absolute `http://` or `https://` address of at most [`MAX_CHARACTERS`].
    #[error("is not an http:// or https:// address of at most 2048 characters")]
    NotHttp,
    /// It has a user, a query or a fragment.
    #[error("must have neither a user, nor a query, nor a fragment")]
    Extra,
    /// It is of this machine, or of a network that nobody outside can reach.
    #[error("is not an address of the public internet")]
    Internal,
}

/// Which gateways may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the public internet.
    Public,
    /// All: only on a machine whose owner owns the bots too.
    Anywhere,
}

/// The address as it is stored: as given, without slashes at its end. It is read as the HTTP client reads it, so
/// `http://2130706433` is 127.0.0.1 here too. What a name resolves to is not asked: it may change with every call.
///
/// # Errors
/// See [`BadAddress`].
pub fn checked(text: &str, reach: Reach) -> Result<String, BadAddress> {
    let text = text.trim().trim_end_matches('/');
    if text.chars().count() > MAX_CHARACTERS || text.chars().any(char::is_control) {
        return Err(BadAddress::NotHttp);
    }
    let url = Url::parse(text).map_err(|_| BadAddress::NotHttp)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadAddress::NotHttp);
    }
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.query().is_some() || url.fragment().is_some() {
        return Err(BadAddress::Extra);
    }
    let host = url.host().ok_or(BadAddress::NotHttp)?;
    if reach == Reach::Public && !is_public(&host) {
        return Err(BadAddress::Internal);
    }
    // Not the parser's own spelling, which adds a slash; but nothing that it has only corrected (RFC 3986, 2).
    let is_plain = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    if !text.chars().all(is_plain) {
        return Err(BadAddress::NotHttp);
    }
    Ok(text.to_owned())
}

fn is_public(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(ip) => is_public_v4(*ip),
        Host::Ipv6(ip) => is_public_v6(*ip),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_lowercase();
            let inner = [
                "localhost",
                "local",
                "internal",
                "intranet",
                "lan",
                "home",
                "corp",
                "private",
                "localdomain",
                "arpa",
            ];
            // A name without a dot is completed by whatever network asks.
            match name.rsplit_once('.') {
                Some((_, top)) => !inner.contains(&top),
                None => false,
            }
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        // 169.254.169.254 tells a machine's credentials.
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        Ipv4Addr::new(a, b, c, d)
    };
    match (a, b) {
        // An IPv4 address in another's clothes: mapped, compatible, or translated (64:ff9b::/96).
        (0, 0) if (c, d, e) == (0, 0, 0) && (f == 0 || f == 0xffff) => {
            ip != Ipv6Addr::LOCALHOST && is_public_v4(v4(g, h))
        }
        (0x0064, 0xff9b) => (c, d, e, f) == (0, 0, 0, 0) && is_public_v4(v4(g, h)),
        // 6to4 holds one as well.
        (0x2002, _) => is_public_v4(v4(b, c)),
        // Teredo and documentation.
        (0x2001, 0 | 0x0db8) => false,
        // Everything that is handed out to the internet is in 2000::/3.
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_public_internet_are_kept_as_they_are_typed() {
        for (typed, kept) in [
            ("https://wuzapi.example.com", "https://wuzapi.example.com"),
            (
                " http://203.1.113.9:8080/wuzapi/ ",
                "http://203.1.113.9:8080/wuzapi",
            ),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]"),
        ] {
            assert_eq!(checked(typed, Reach::Public).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn nothing_leads_into_the_network_we_run_in() {
        for inside in [
            "http://localhost",
            "http://LOCALHOST.:80",
            "http://a.localhost",
            "http://127.0.0.1:9001",
            "http://127.1",
            "http://2130706433",
            "http://0x7f.1",
            "http://0",
            "http://10.1.2.3",
            "http://172.16.0.1",
            "http://192.168.1.1",
            "http://100.64.0.1",
            "http://169.254.169.254/latest",
            "http://[::1]",
            "http://[::]",
            "http://[::ffff:127.0.0.1]",
            "http://[::ffff:169.254.169.254]",
            "http://[64:ff9b::7f00:1]",
            "http://[2002:7f00:1::]",
            "http://[fe80::1]",
            "http://[fd00:ec2::254]",
            "http://[ff02::1]",
            "http://metadata.google.internal",
            "http://printer.local",
            "http://gateway",
            "http://１２７.０.０.１",
        ] {
            let refused = checked(inside, Reach::Public);
            assert_eq!(refused, Err(BadAddress::Internal), "{inside}");
        }
        assert!(checked("http://127.0.0.1:8070/demo/wuzapi", Reach::Anywhere).is_ok());
    }

    #[test]
    fn what_is_no_plain_address_is_refused_anywhere() {
        let long = format!("https://a.example/{}", "a".repeat(MAX_CHARACTERS));
        for bad in [
            "",
            "demo",
            "ftp://a.example",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://",
            "https://a b.example",
            "https://a.example/\n",
            "//a.example",
            long.as_str(),
        ] {
            let refused = checked(bad.trim_end_matches(' '), Reach::Anywhere);
            if bad.ends_with('\n') {
                // White space around it is not a part of it.
                assert!(refused.is_ok());
            } else {
                assert_eq!(refused, Err(BadAddress::NotHttp), "{bad}");
            }
        }
        for extra in [
            "https://user:secret@a.example",
            "https://a.example/?x=1",
            "https://a.example/#x",
        ] {
            assert_eq!(checked(extra, Reach::Anywhere), Err(BadAddress::Extra));
        }
    }

    #[test]
    fn each_range_that_is_nobodys_ends_where_it_ends() {
        for (inside, outside) in [
            ("http://172.31.255.255", "http://172.32.0.1"),
            ("http://100.127.255.255", "http://100.128.0.1"),
            ("http://100.64.0.0", "http://100.63.255.255"),
            ("http://100.64.0.0", "http://101.64.0.1"),
            ("http://192.0.0.1", "http://192.0.1.1"),
            ("http://192.0.0.1", "http://192.1.0.1"),
            ("http://192.0.2.1", "http://191.0.0.1"),
            ("http://198.18.0.1", "http://198.17.0.1"),
            ("http://198.19.255.255", "http://198.20.0.1"),
            ("http://198.19.255.255", "http://199.18.0.1"),
            ("http://224.0.0.1", "http://223.255.255.255"),
            ("http://240.0.0.1", "http://126.0.0.1"),
            ("http://255.255.255.255", "http://128.0.0.1"),
            ("http://203.0.113.1", "http://203.0.112.1"),
            ("http://169.254.0.1", "http://169.253.0.1"),
            ("http://[2001:db8::1]", "http://[2001:db9::1]"),
            ("http://[2001:0:1::1]", "http://[2001:1::1]"),
            ("http://[1fff::1]", "http://[3fff:1000::1]"),
            ("http://[4000::1]", "http://[2606:4700::1]"),
            ("http://[64:ff9b::a00:1]", "http://[64:ff9b::808:808]"),
            ("http://[64:ff9b:0:1::808:808]", "http://[64:ff9b::101:101]"),
            ("http://[2002:a00:1::]", "http://[2002:808:808::]"),
            ("http://[::ffff:10.0.0.1]", "http://[::ffff:8.8.8.8]"),
            ("http://[::fffe:8.8.8.8]", "http://[::8.8.8.8]"),
        ] {
            let refused = checked(inside, Reach::Public);
            assert_eq!(refused, Err(BadAddress::Internal), "{inside}");
            assert!(checked(outside, Reach::Public).is_ok(), "{outside}");
        }
    }

    #[test]
    fn an_address_has_no_user_no_password_and_as_many_characters_as_it_may() {
        for extra in ["https://user@a.example", "https://:secret@a.example"] {
            assert_eq!(checked(extra, Reach::Public), Err(BadAddress::Extra));
        }
        let of = |count: usize| format!("https://a.example/{}", "a".repeat(count - 18));
        assert!(checked(&of(MAX_CHARACTERS), Reach::Public).is_ok());
        let too_long = checked(&of(MAX_CHARACTERS + 1), Reach::Public);
        assert_eq!(too_long, Err(BadAddress::NotHttp));
        for bad in ["https://a.example/é", "https://a.example/{x}"] {
            let refused = checked(bad, Reach::Public);
            assert_eq!(refused, Err(BadAddress::NotHttp), "{bad}");
        }
    }
}
