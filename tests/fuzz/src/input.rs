//! How an input is taken apart, and what is asked of every error.

use std::future::Future;

/// A stranger's secret. No error may repeat it. It begins with no letter of an escape: where an `\r` is printed before the rest of
/// a mark, that looks like a whole one.
pub const MARK: &str = "Q7zk9-rahasia";

/// The byte that stands for [`MARK`] in an input.
const MARK_BYTE: u8 = 1;

/// Takes an input apart.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of it.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// What stands before the next line break, as text with the marks in it.
    pub fn line(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        String::from_utf8_lossy(&marked(line)).into_owned()
    }

    /// The rest, with the marks in it.
    #[must_use]
    pub fn rest(self) -> Vec<u8> {
        marked(self.0)
    }

    /// The rest as text, with the marks in it.
    #[must_use]
    pub fn text(self) -> String {
        String::from_utf8_lossy(&self.rest()).into_owned()
    }
}

/// The bytes with [`MARK`] wherever a mark's byte stands.
fn marked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match *byte {
            MARK_BYTE => out.extend_from_slice(MARK.as_bytes()),
            byte => out.push(byte),
        }
    }
    out
}

/// I11: what an error prints, in either form, repeats nothing of what was read.
pub fn tells_nothing(error: &(impl std::fmt::Debug + std::fmt::Display)) {
    for text in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{error:#}"),
    ] {
        assert!(!text.contains(MARK), "I11: {text}");
    }
}

/// I11 for what has no text for people.
pub fn prints_nothing(printed: &impl std::fmt::Debug) {
    let text = format!("{printed:?}");
    assert!(!text.contains(MARK), "I11: {text}");
}

/// Waits for a future that needs no runtime but may want one.
pub fn wait<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
