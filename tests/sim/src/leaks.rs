//! I11: what neither a log nor a dead letter may hold.

use ::tests::world::{MODEL_KEY, PSEUDONYM_KEY};

use crate::plan::{COMMON, FALLBACK, IN_TEXT, OUT_TEXT, SECOND_KEY};

/// How every text of a conversation names it; see [`crate::plan::marker`].
const MARKERS: [&str; 4] = ["<c0>", "<c1>", "<c2>", "<c3>"];
/// How every phone number begins; see [`crate::safety::phone`].
const PHONES: &str = "6281100000";
/// Texts that do not name their conversation.
const TEXTS: [&str; 5] = [COMMON[0], COMMON[1], FALLBACK, IN_TEXT, OUT_TEXT];
/// Keys of the model's providers and of pseudonyms, and how the gateway's tokens begin.
const SECRETS: [&str; 4] = [MODEL_KEY, SECOND_KEY, PSEUDONYM_KEY, "token-toko"];

/// What must not be there, if there is any.
#[must_use]
pub fn find(said: &str) -> Option<&'static str> {
    let texts = MARKERS.iter().chain(&TEXTS).chain(&SECRETS);
    texts
        .copied()
        .chain([PHONES])
        .find(|secret| said.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, marker};
    use crate::safety::phone;

    #[test]
    fn numbers_texts_and_keys_are_found() {
        for said in [
            "no answer for 62811000001",
            "asked: jam buka?",
            "tanya 3 <c2>",
            "token-toko1 is refused",
        ] {
            assert!(find(said).is_some(), "{said}");
        }
        assert_eq!(find("step=claimed conv=p1a2b3 burst=7"), None);
    }

    #[test]
    fn every_conversation_and_contact_of_a_plan_is_known() {
        let most = (1..500).map(|seed| Plan::of(seed).conversations()).max();
        assert_eq!(most, Some(MARKERS.len()));
        for c in 0..MARKERS.len() {
            assert!(find(&marker(c)).is_some() && find(&phone(c)).is_some());
        }
    }
}
