//! One trace from the webhook through the queue to the model and the gateway, for AWS X-Ray.
//!
//! Lambda makes the webhook's own segment. The trigger carries its trace header through SQS (`AWSTraceHeader`), and the worker
//! tells X-Ray's daemon what a record of that trace did: one [`Record`], one datagram. Nothing waits for it and nothing depends
//! on it; a datagram that is lost loses nothing else. Names, times and failures only: no text, number, key or id of anybody (I11).

mod daemon;
mod header;
mod record;

pub use daemon::Daemon;
pub use header::TraceHeader;
pub use record::{Record, SegmentId};
