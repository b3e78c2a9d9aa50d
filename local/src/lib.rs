//! The whole system on one machine. A library too, so that tests use the same world.

pub mod gateway;
pub mod mapping;
pub mod model;
pub mod phone;
pub mod sqs;
pub mod steps;
