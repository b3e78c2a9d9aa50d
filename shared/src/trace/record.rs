//! What a record of the queue did, as X-Ray takes it.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::TraceHeader;
use crate::conversation::ids::{EpochMs, hex};

/// More calls than a turn makes; what comes after that is left out, so that a datagram is never too long.
const MAX_CALLS: usize = 50;

/// The id of a segment: 8 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentId(pub [u8; 8]);

/// A record on its way, in the trace of the message that its trigger was sent for. Notes the calls that cost time.
#[derive(Debug)]
pub struct Record {
    header: Option<TraceHeader>,
    began_at: EpochMs,
    calls: Mutex<Vec<Call>>,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    name: &'static str,
    began_at: EpochMs,
    ended_at: EpochMs,
    is_ok: bool,
}

impl Record {
    /// A record that begins now. Without a header it belongs to no trace, and notes nothing.
    #[must_use]
    pub fn new(header: Option<TraceHeader>, began_at: EpochMs) -> Self {
        Self {
            header,
            began_at,
            calls: Mutex::default(),
        }
    }

    /// The trace it belongs to.
    #[must_use]
    pub fn header(&self) -> Option<&TraceHeader> {
        self.header.as_ref()
    }

    /// The trace's id, for log lines.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.header.as_ref().map(TraceHeader::trace_id)
    }

    fn is_sampled(&self) -> bool {
        self.header.as_ref().is_some_and(TraceHeader::is_sampled)
    }

    /// A call to something outside has ended.
    pub fn called(&self, name: &'static str, began_at: EpochMs, ended_at: EpochMs, is_ok: bool) {
        if !self.is_sampled() {
            return;
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < MAX_CALLS {
            calls.push(Call {
                name,
                began_at,
                ended_at,
                is_ok,
            });
        }
    }

    /// The segment of this record and its calls (X-Ray developer guide, "Segment documents"); nothing where the trace is not
    /// sampled. Its parent is the webhook's segment. `id` makes the ids: its own, and those of the calls, which follow it.
    #[must_use]
    pub fn segment(&self, id: SegmentId, ended_at: EpochMs, is_ok: bool) -> Option<Value> {
        let header = self.header.as_ref().filter(|header| header.is_sampled())?;
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let own = Call {
            name: "worker",
            began_at: self.began_at,
            ended_at,
            is_ok,
        };
        let parts = calls.iter().zip(1..);
        let segment = Segment {
            own: Part::of(&own, id, 0, None),
            trace_id: header.trace_id(),
            parent_id: header.parent(),
            subsegments: parts
                .map(|(call, number)| Part::of(call, id, number, Some("remote")))
                .collect(),
        };
        serde_json::to_value(segment).ok()
    }
}

#[derive(Serialize)]
struct Segment<'a> {
    #[serde(flatten)]
    own: Part,
    trace_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subsegments: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    name: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'static str>,
    start_time: f64,
    end_time: f64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fault: bool,
}

impl Part {
    fn of(call: &Call, id: SegmentId, number: u64, namespace: Option<&'static str>) -> Self {
        let id = u64::from_be_bytes(id.0).wrapping_add(number);
        Self {
            name: call.name,
            id: hex(&id.to_be_bytes()),
            namespace,
            start_time: seconds(call.began_at),
            end_time: seconds(call.ended_at.max(call.began_at)),
            fault: !call.is_ok,
        }
    }
}

/// Seconds since 1970; a double holds milliseconds exactly enough for thousands of years.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are far below 2^53"
)]
fn seconds(at: EpochMs) -> f64 {
    at.0 as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HEADER: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    const ID: SegmentId = SegmentId([0, 0, 0, 0, 0, 0, 0, 0xfe]);

    #[test]
    fn a_turn_is_one_segment_with_its_calls_below_the_webhooks() {
        let record = Record::new(TraceHeader::parse(HEADER), EpochMs(1_763_604_905_000));
        let at = |ms: i64| EpochMs(1_763_604_905_000 + ms);
        record.called("openrouter", at(10), at(810), false);
        record.called("openrouter", at(820), at(1_620), true);
        record.called("gateway", at(1_630), at(1_700), true);
        assert_eq!(
            record.segment(ID, at(1_710), true).unwrap(),
            json!({
                "name": "worker", "id": "00000000000000fe",
                "trace_id": "1-5759e988-bd862e3fe1be46a994272793", "parent_id": "53995c3f42cd8ad8",
                "start_time": 1_763_604_905.0, "end_time": 1_763_604_906.71,
                "subsegments": [
                    {"name": "openrouter", "id": "00000000000000ff", "namespace": "remote",
                     "start_time": 1_763_604_905.01, "end_time": 1_763_604_905.81, "fault": true},
                    {"name": "openrouter", "id": "0000000000000100", "namespace": "remote",
                     "start_time": 1_763_604_905.82, "end_time": 1_763_604_906.62},
                    {"name": "gateway", "id": "0000000000000101", "namespace": "remote",
                     "start_time": 1_763_604_906.63, "end_time": 1_763_604_906.7},
                ],
            })
        );
    }

    #[test]
    fn what_is_not_sampled_notes_and_tells_nothing_but_has_an_id_for_the_log() {
        let unsampled = HEADER.replace("Sampled=1", "Sampled=0");
        for (header, trace_id) in [
            (None, None),
            (
                TraceHeader::parse(&unsampled),
                Some("1-5759e988-bd862e3fe1be46a994272793"),
            ),
        ] {
            let record = Record::new(header, EpochMs(0));
            record.called("gateway", EpochMs(1), EpochMs(2), true);
            assert_eq!(record.segment(ID, EpochMs(3), true), None);
            assert_eq!(record.calls.lock().unwrap().len(), 0);
            assert_eq!(record.trace_id(), trace_id);
        }
    }

    #[test]
    fn a_segment_always_fits_into_a_datagram_and_ends_after_it_began() {
        let record = Record::new(TraceHeader::parse(HEADER), EpochMs(1_763_604_905_123));
        for _ in 0..1_000 {
            let (began_at, ended_at) = (EpochMs(1_763_604_905_999), EpochMs(1_763_604_905_998));
            record.called("openrouter", began_at, ended_at, false);
        }
        let segment = record.segment(ID, EpochMs(0), false).unwrap();
        assert_eq!(segment["end_time"], segment["start_time"]);
        let calls = segment["subsegments"].as_array().unwrap();
        assert_eq!(calls.len(), MAX_CALLS);
        assert_eq!(calls[0]["end_time"], calls[0]["start_time"]);
        assert!(segment.to_string().len() < 16_384);
    }
}
