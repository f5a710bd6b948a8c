//! Inputs: pieces of the corpus, changed.

/// What the languages of a configuration are made of.
const WORDS: &[&str] = &[
    "$",
    "$$",
    "$*",
    "$%",
    "$0",
    "$9",
    "$U",
    "$H",
    "$D",
    "$0U",
    "$1D",
    "$Y",
    "$N",
    "$C",
    "$R",
    "$L",
    "$E",
    "$+1E",
    "$|T1;",
    "|",
    "${",
    "}",
    "$(",
    ")",
    "$[",
    "]",
    "$]",
    "[",
    "$}",
    "{",
    "$<",
    ">",
    "$_",
    "$@",
    "$^",
    "$\\",
    "$=",
    "$#",
    "$?",
    "$:",
    "$;",
    "$.",
    "$T",
    "$M",
    "$V",
    "$1~",
    "%",
    "@",
    "!",
    "*",
    ".",
    ",",
    ":",
    ";",
    "\\",
    "\"",
    "'",
    "\n",
    "\n\n",
    "\t",
    " ",
    "\r\n",
    "\0",
    "<",
    "<file",
    "<IMTA_TABLE:",
    "&/IMTA_HOST/",
    "defaults ",
    "nodefaults",
    "192.0.2.0/24",
    "::1",
    "2001:db8::/129",
    "4294967296",
    "-1",
    "99999999999999999999",
    "0",
    "1.5",
    "P1D",
    "08:00",
    "[SERVICE=SMTP]",
    "[POOL=X]",
    "[CHANNEL=tcp_*]",
    "master_command=",
    "PORT=25",
    "ä",
    "\u{202e}",
    "\u{0}",
    "é@ü",
    "<group name=\"channel\" id=\"x\">",
    "</group>",
    "<option name=\"rule\" type=\"rule\">",
    "<pattern>",
    "]]>",
    "if ",
    "while (1) { ",
    "function f(x) { ",
    "return ",
    "&&",
    "==",
    "\"a\" + ",
];

/// Longest input that is made, in octets.
const LONGEST: usize = 8192;

/// Makes inputs of a corpus.
pub(crate) struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    pub(crate) fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        assert!(!corpus.is_empty(), "a target without corpus");
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            corpus,
        }
    }

    /// A number below `limit`, 0 for 0.
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % limit.max(1)
    }

    /// The next input; the first ones are the corpus as it is.
    pub(crate) fn next(&mut self, number: u64) -> Vec<u8> {
        let as_it_is = usize::try_from(number)
            .ok()
            .and_then(|at| self.corpus.get(at));
        if let Some(input) = as_it_is {
            return input.clone();
        }
        let at = self.below(self.corpus.len());
        let mut input = self.corpus[at].clone();
        // Of a long file a part, so that a change matters.
        if input.len() > 600 && self.below(4) != 0 {
            let start = self.below(input.len() - 300);
            let end = start + 50 + self.below(550);
            input = input[start..end.min(input.len())].to_vec();
        }
        for _ in 0..=self.below(8) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = u8::try_from(self.below(256)).unwrap_or(0),
            2 => {
                let end = (at + 1 + self.below(30)).min(input.len());
                input.drain(at.min(end)..end);
            }
            3 => {
                let end = (at + 1 + self.below(60)).min(input.len());
                let copy = input[at.min(end)..end].to_vec();
                let times = 1 + self.below(6);
                let to = self.below(input.len() + 1);
                for _ in 0..times {
                    input.splice(to..to, copy.iter().copied());
                }
            }
            4 => {
                let other = self.below(self.corpus.len());
                let other = self.corpus[other].clone();
                let start = self.below(other.len() + 1);
                let end = (start + self.below(200)).min(other.len());
                input.splice(at..at, other[start..end].iter().copied());
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                let times = if self.below(40) == 0 { 200 } else { 1 };
                for _ in 0..times {
                    input.splice(at..at, word.bytes());
                }
            }
        }
    }
}
