//! Matching a text against the elements of a pattern.
//!
//! Depth first: a greedy element tries its longest candidate first, a lazy one its shortest,
//! and the first overall success counts. A failed continuation behind an element that takes any
//! number of characters is remembered, so that the work is bounded by (elements × characters)
//! and not exponential. What stands before a back match depends on the fields and cannot be
//! remembered; there the number of steps is limited, and a pattern that needs more does not match.

use crate::Pattern;
use crate::pattern::{Class, Element};

/// Steps after which a pattern with a back match is given up.
const MAX_STEPS: u32 = 200_000;

/// The saved fields of a text that fits a pattern; nothing if it does not fit.
#[must_use]
pub fn match_fields(pattern: &Pattern, text: &str) -> Option<Vec<String>> {
    let mut matcher = Matcher::new(text);
    let fits = !crate::pattern::is_too_long(text) && matcher.matches(pattern);
    fits.then(|| {
        let fields = matcher.fields();
        fields.map(|field| field.unwrap_or("").to_owned()).collect()
    })
}

/// One text, to be tried against patterns one after the other.
pub(crate) struct Matcher<'t> {
    text: &'t str,
    /// Start and end of each saved field.
    fields: Vec<Option<(usize, usize)>>,
    failures: Failures,
    /// For each element, start and end of the last run that it could take.
    runs: Vec<(usize, usize)>,
    steps: u32,
}

impl<'t> Matcher<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self {
            text,
            fields: Vec::new(),
            failures: Failures::default(),
            runs: Vec::new(),
            steps: 0,
        }
    }

    /// Whether the whole text fits; if so, [`Matcher::field`] gives the fields.
    pub(crate) fn matches(&mut self, pattern: &Pattern) -> bool {
        if let Some(Element::Literal(end)) = pattern.elements.last()
            && !ends_with(self.text, end)
        {
            return false;
        }
        self.fields.clear();
        self.fields.resize(usize::from(pattern.fields), None);
        self.failures.clear();
        self.runs.clear();
        self.steps = 0;
        self.from(pattern, 0, 0)
    }

    /// The text of a saved field.
    pub(crate) fn field(&self, number: usize) -> Option<&'t str> {
        let (start, end) = (*self.fields.get(number)?)?;
        Some(&self.text[start..end])
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = Option<&'t str>> {
        (0..self.fields.len()).map(|number| self.field(number))
    }

    /// Whether elements from `element` on fit the text from `start` on.
    fn from(&mut self, pattern: &Pattern, mut element: usize, mut start: usize) -> bool {
        let text = self.text;
        loop {
            match pattern.elements.get(element) {
                None => return start == text.len(),
                Some(Element::Literal(literal)) => {
                    if !starts_with(&text.as_bytes()[start..], literal) {
                        return false;
                    }
                    start += literal.len();
                }
                Some(Element::One { class, field }) => {
                    let Some(c) = text[start..].chars().next().filter(|c| class.holds(*c)) else {
                        return false;
                    };
                    start = self.save(*field, start, start + c.len_utf8());
                }
                Some(Element::Back(field)) => {
                    let same = self.field(usize::from(*field)).unwrap_or("");
                    let end = start + same.len();
                    if !text
                        .as_bytes()
                        .get(start..end)
                        .is_some_and(|found| found.eq_ignore_ascii_case(same.as_bytes()))
                    {
                        return false;
                    }
                    start = end;
                }
                Some(Element::Address { network, field }) => {
                    let Some(taken) = network.take(&text[start..]) else {
                        return false;
                    };
                    start = self.save(*field, start, start + taken);
                }
                Some(Element::Many { class, lazy, field }) => {
                    let most = self.run_end(pattern, element, start, class);
                    if element + 1 == pattern.elements.len() {
                        self.save(*field, start, text.len());
                        return most == text.len();
                    }
                    let many = Many {
                        element,
                        start,
                        most,
                        lazy: *lazy,
                        field: *field,
                    };
                    return self.many(pattern, many);
                }
            }
            element += 1;
        }
    }

    /// Tries the candidates of an element that takes any number of characters.
    fn many(&mut self, pattern: &Pattern, many: Many) -> bool {
        let remembers = many.element >= pattern.back_end;
        // Whatever began further right in the same run has failed with all these ends already.
        let untried = if remembers {
            self.failures.lowest(many.element, many.most)
        } else {
            usize::MAX
        };
        if many.start >= untried {
            return false;
        }
        let next = match pattern.elements.get(many.element + 1) {
            Some(Element::Literal(literal)) => literal.as_bytes().first().copied(),
            _ => None,
        };
        let bytes = self.text.as_bytes();
        let last = many.most.min(untried.saturating_sub(1));
        for offset in 0..=last - many.start {
            let end = if many.lazy {
                many.start + offset
            } else {
                last - offset
            };
            if !self.text.is_char_boundary(end) {
                continue;
            }
            if next.is_some_and(|next| bytes.get(end).map(u8::to_ascii_lowercase) != Some(next)) {
                continue;
            }
            self.steps += 1;
            if !remembers && self.steps > MAX_STEPS {
                return false;
            }
            self.save(many.field, many.start, end);
            if self.from(pattern, many.element + 1, end) {
                return true;
            }
        }
        if remembers && comes_again(pattern, many.element) {
            self.failures
                .remember(many.element, many.most, many.start, self.text.len());
        }
        false
    }

    /// Where the characters end that an element may take from `start` on. What is known of a run
    /// that begins further right is used.
    fn run_end(&mut self, pattern: &Pattern, element: usize, start: usize, class: &Class) -> usize {
        if matches!(class, Class::Any) {
            return self.text.len();
        }
        self.runs.resize(pattern.elements.len(), (usize::MAX, 0));
        let (known, known_end) = self.runs[element];
        if (known..=known_end).contains(&start) {
            return known_end;
        }
        let end = self.text[start..]
            .char_indices()
            .map(|(offset, c)| (start + offset, c))
            .find(|(place, c)| *place == known || !class.holds(*c))
            .map_or(self.text.len(), |(place, _)| place);
        let end = if end == known { known_end } else { end };
        self.runs[element] = (start, end);
        end
    }

    fn save(&mut self, field: Option<u16>, start: usize, end: usize) -> usize {
        if let Some(field) = field {
            self.fields[usize::from(field)] = Some((start, end));
        }
        end
    }
}

/// An element that takes any number of characters, at its place in the text.
#[derive(Clone, Copy)]
struct Many {
    element: usize,
    start: usize,
    /// End of the run of characters that it may take.
    most: usize,
    lazy: bool,
    field: Option<u16>,
}

/// For each element that takes any number of characters, and each end of a run: the lowest
/// start from which it failed. A start further right in the same run offers no new candidate.
#[derive(Default)]
struct Failures {
    rows: Vec<(usize, Vec<usize>)>,
}

impl Failures {
    fn clear(&mut self) {
        self.rows.clear();
    }

    fn lowest(&self, element: usize, most: usize) -> usize {
        self.rows
            .iter()
            .find(|(number, _)| *number == element)
            .map_or(usize::MAX, |(_, row)| row[most])
    }

    fn remember(&mut self, element: usize, most: usize, start: usize, length: usize) {
        let place = self
            .rows
            .iter()
            .position(|(number, _)| *number == element)
            .unwrap_or_else(|| {
                self.rows.push((element, vec![usize::MAX; length + 1]));
                self.rows.len() - 1
            });
        self.rows[place].1[most] = start;
    }
}

/// Whether the element may be reached from several starts: another one of its kind stands before.
fn comes_again(pattern: &Pattern, element: usize) -> bool {
    pattern.elements[..element]
        .iter()
        .any(|element| matches!(element, Element::Many { .. }))
}

/// `literal` is in lower case.
fn starts_with(text: &[u8], literal: &str) -> bool {
    text.get(..literal.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(literal.as_bytes()))
}

fn ends_with(text: &str, literal: &str) -> bool {
    text.len() >= literal.len()
        && starts_with(&text.as_bytes()[text.len() - literal.len()..], literal)
}
