//! What binds first as traffic grows: keys that are written by many at once ([`keys`]), and places for turns
//! ([`simulation`]), and a breaker that all share ([`breaker`]).

pub mod breaker;
pub mod keys;
pub mod random;
pub mod simulation;
