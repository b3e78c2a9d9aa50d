//! The trace header: which trace a request belongs to.

use std::fmt;

/// `Root=…;Parent=…;Sampled=…`, read strictly and written anew: it comes from outside, and goes into logs and on to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceHeader {
    root: String,
    parent: Option<String>,
    is_sampled: bool,
}

impl TraceHeader {
    /// Reads a header as Lambda and SQS hand it on (X-Ray developer guide, "Tracing header"); unknown parts do not matter. Nothing
    /// when it names no trace.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut header = Self {
            root: String::new(),
            parent: None,
            is_sampled: false,
        };
        for part in text.split(';') {
            match part.trim().split_once('=') {
                Some(("Root", root)) if is_trace_id(root) => root.clone_into(&mut header.root),
                Some(("Parent", parent)) if is_hex(parent, 16) => {
                    header.parent = Some(parent.to_owned());
                }
                Some(("Sampled", "1")) => header.is_sampled = true,
                _ => {}
            }
        }
        (!header.root.is_empty()).then_some(header)
    }

    /// The trace's id, the same in all log lines and segments of a message's way.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.root
    }

    /// The segment that this one is caused by.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// Whether X-Ray wants to know more of it.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

impl fmt::Display for TraceHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.root)?;
        if let Some(parent) = &self.parent {
            write!(f, ";Parent={parent}")?;
        }
        write!(f, ";Sampled={}", u8::from(self.is_sampled))
    }
}

/// `1-` and 8 hex digits of time, `-` and 24 of chance.
fn is_trace_id(text: &str) -> bool {
    let mut parts = text.split('-');
    parts.next() == Some("1")
        && parts.next().is_some_and(|time| is_hex(time, 8))
        && parts.next().is_some_and(|chance| is_hex(chance, 24))
        && parts.next().is_none()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

    #[test]
    fn a_header_comes_back_as_it_was_without_what_is_unknown() {
        for (text, kept) in [
            (
                format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"),
                format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"),
            ),
            (
                format!("Self=1-2; Sampled=0;Lineage=a:0; Root={ROOT}"),
                format!("Root={ROOT};Sampled=0"),
            ),
            (
                format!("Root={ROOT};Parent=\n;Sampled=?"),
                format!("Root={ROOT};Sampled=0"),
            ),
        ] {
            let header = TraceHeader::parse(&text).unwrap();
            assert_eq!(header.to_string(), kept);
            assert_eq!(header.trace_id(), ROOT);
            assert_eq!(TraceHeader::parse(&kept), Some(header));
        }
    }

    #[test]
    fn what_names_no_trace_is_none() {
        for text in [
            "",
            "Root=",
            "Sampled=1",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=1-5759e988-bd862e3fe1be46a994272793-1",
            "Root=1-5759e98g-bd862e3fe1be46a994272793",
            "Root=1-+759e988-bd862e3fe1be46a994272793",
            "root=1-5759e988-bd862e3fe1be46a994272793",
            "Halo kak 6281100020001",
        ] {
            assert_eq!(TraceHeader::parse(text), None, "{text}");
        }
    }
}
