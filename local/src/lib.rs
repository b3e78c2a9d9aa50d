//! The whole system on one machine. A library too, so that tests use the same world.

pub mod args;
pub mod clock;
pub mod data;
pub mod engines;
pub mod faults;
pub mod front;
pub mod gateway;
mod greeting;
mod host;
mod inside;
pub mod instances;
pub mod invoke;
pub mod key;
mod login;
pub mod mapping;
pub mod model;
pub mod phone;
mod recover;
pub mod run;
pub mod schedule;
mod settings;
pub mod sns;
pub mod sqs;
pub mod ssm;
pub mod steps;
pub mod tokens;
pub mod world;
