//! The world the tests run in.
