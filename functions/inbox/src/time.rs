//! Moments as the API writes and reads them: RFC 3339, UTC.

use clivy::conversation::ids::EpochMs;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// A moment. Written with milliseconds and `Z`; read with any offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Time(pub EpochMs);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let at = jiff::Timestamp::from_millisecond(self.0.0).unwrap_or_default();
        to.collect_str(&format_args!("{at:.3}"))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse::<jiff::Timestamp>()
            .map(|at| Self(EpochMs(at.as_millisecond())))
            .map_err(|_| de::Error::custom("not an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_and_read_with_any_offset() {
        let written = serde_json::to_string(&Time(EpochMs(1_763_604_905_000))).unwrap();
        assert_eq!(written, "\"2025-11-20T02:15:05.000Z\"");
        let read: Time = serde_json::from_str("\"2025-11-20T09:15:05+07:00\"").unwrap();
        assert_eq!(read, Time(EpochMs(1_763_604_905_000)));
        for bad in ["\"\"", "7", "\"tomorrow\"", "\"2025-11-20\""] {
            assert!(serde_json::from_str::<Time>(bad).is_err(), "{bad}");
        }
    }
}
