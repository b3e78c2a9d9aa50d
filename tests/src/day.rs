//! Who writes on the day whose traces tests/fixtures/formats/ keeps: the numbers stand in the files, so they never change.

/// A customer.
pub const RINA: &str = "6281100030001";
/// A customer.
pub const BUDI: &str = "6281100030002";
/// A customer.
pub const SARI: &str = "6281100030003";
/// A customer.
pub const DEWI: &str = "6281100030004";
/// A customer.
pub const ANI: &str = "6281100030005";
/// A customer.
pub const LINA: &str = "6281100030006";
