//! Seeds that have found something once. They are kept for ever, and run first.

const KEPT: &str = include_str!("../seeds.txt");

/// The seeds of `seeds.txt`: a number a line, then what it found.
#[must_use]
pub fn kept() -> Vec<u64> {
    let lines = KEPT
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let number = line.split_whitespace().next().unwrap_or_default();
            number
                .parse()
                .unwrap_or_else(|_| panic!("seeds.txt: {line:?} begins with no seed"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kept_seed_says_what_it_found() {
        let _ = kept();
        for line in KEPT
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            assert!(line.split_whitespace().count() > 3, "{line}");
        }
    }
}
