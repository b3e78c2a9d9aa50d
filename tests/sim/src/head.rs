//! What is looked at in a HEAD, read past the product's own reader.

use std::collections::BTreeSet;

use serde_json::Value;

/// What is looked at in a HEAD.
#[derive(Clone, Debug, Default)]
pub struct HeadSeen {
    pub born_at: Option<i64>,
    pub burst: u64,
    pub fence: u64,
    pub pend: BTreeSet<String>,
    pub pend_since: Option<i64>,
    pub last_mid: Option<String>,
    pub claim: Option<ClaimSeen>,
    pub opted_out: bool,
    pub has_outgoing: bool,
    pub rate_since: Option<i64>,
    pub rate_answered: u64,
}

/// The claim in it.
#[derive(Clone, Debug)]
pub struct ClaimSeen {
    pub fence: u64,
    pub until: i64,
    pub keys: BTreeSet<String>,
    pub draft: Option<(String, String)>,
}

impl HeadSeen {
    /// Of the item.
    pub fn of(item: &Value) -> Self {
        Self {
            born_at: number(item, "born_at"),
            burst: natural(item, "burst"),
            fence: natural(item, "fence"),
            pend: set(item, "pend"),
            pend_since: number(item, "pend_since"),
            last_mid: text(item, "last_mid"),
            claim: number(item, "c_fence").map(|_| ClaimSeen {
                fence: natural(item, "c_fence"),
                until: number(item, "c_until").unwrap_or(0),
                keys: set(item, "c_mids"),
                draft: text(item, "c_text").zip(text(item, "c_rid")),
            }),
            opted_out: item.get("opted_out_at").is_some(),
            has_outgoing: item.get("o_mids").is_some(),
            rate_since: number(item, "rate_since"),
            rate_answered: natural(item, "rate_answered"),
        }
    }
}

fn number(item: &Value, name: &str) -> Option<i64> {
    item[name]["N"].as_str()?.parse().ok()
}

fn natural(item: &Value, name: &str) -> u64 {
    number(item, name)
        .and_then(|n| u64::try_from(n).ok())
        .unwrap_or(0)
}

fn set(item: &Value, name: &str) -> BTreeSet<String> {
    let members = item[name]["SS"].as_array();
    let texts = members.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// A text of an item.
pub fn text(item: &Value, name: &str) -> Option<String> {
    item[name]["S"].as_str().map(str::to_owned)
}
