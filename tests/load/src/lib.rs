//! Customers, a gateway and a model around the one-machine run, all of it outside its process: what they have seen tells
//! whether anything was lost, doubled or sent to somebody else.

pub mod chaos;
pub mod customers;
pub mod ledger;
pub mod load;
pub mod outside;
pub mod report;
pub mod rest;
pub mod samples;
pub mod system;
pub mod token;
pub mod verdict;
