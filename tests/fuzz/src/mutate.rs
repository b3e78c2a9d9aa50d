//! The random run of the tests: inputs of the corpus, changed a little. No coverage guides it, so it finds what is near;
//! what is far away is libFuzzer's.

/// Random numbers of a seed (xorshift64*): the same on every machine.
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or(0) % end
    }
}

/// The longest input of a random run, in bytes.
const LONGEST: usize = 8_192;
/// What breaks readers more often than other bytes do.
const BYTES: &[u8] = b"\0\x01\n\r\"\\{}[]:,=&%+-#@<>' 09aZ\x7f\x80\xc3\xff";

/// An input of `corpus` after one to four changes.
#[must_use]
pub fn changed(random: &mut Random, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        change(random, &mut input, corpus, words);
    }
    input.truncate(LONGEST);
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(32)).min(input.len());
    match random.below(7) {
        0 => drop(input.drain(at..end)),
        1 => input.insert(at, BYTES[random.below(BYTES.len())]),
        2 if at < input.len() => input[at] = BYTES[random.below(BYTES.len())],
        3 if at < input.len() => input[at] ^= 1 << random.below(8),
        4 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        5 if !words.is_empty() => {
            let word = words[random.below(words.len())].bytes();
            input.splice(at..end, word);
        }
        _ => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            let to = (from + random.below(128)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
    }
}
