//! The gateways: read an envelope, verify it, send a reply.

pub mod wuzapi;
