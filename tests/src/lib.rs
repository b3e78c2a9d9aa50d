//! The world the tests run in: the real functions, adapters and SDK clients over the embedded DynamoDB and the
//! in-process SQS, on tokio's clock; the model, the gateway and the faults are scripted.

pub mod bubbles;
pub mod faults;
pub mod outside;
pub mod template;
pub mod world;
