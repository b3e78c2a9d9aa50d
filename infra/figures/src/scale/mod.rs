//! What binds first as traffic grows: keys that are written by many at once ([`keys`]), and places for turns
//! ([`simulation`]).

pub mod keys;
pub mod random;
pub mod simulation;
