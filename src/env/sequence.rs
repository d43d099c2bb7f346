//! Strings over a small alphabet, grown at the end or at both ends, of one length or of several with a stop action.
//!
//! Not here: rewards.

mod text;

#[cfg(test)]
mod tests;

use super::{Action, EnvError, Environment, Neighbours, States};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Marks the unused positions at the end of a string.
const PAD: u8 = u8::MAX;

/// The last byte of a state of variable length when the string is complete; 0 while it may grow.
const STOPPED: u8 = 1;

/// Where a letter may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Growth {
    /// At either end.
    PrependAppend,
    /// At the end only: a tree, every state has one parent.
    AppendOnly,
}

/// Strings of `length` letters, or of `min_length` to `length` letters.
///
/// State: `length` bytes, letters first, then 255 in the unused positions. Action `a` appends letter `a`; action
/// `alphabet + a` prepends it. With one length, the full string is the object: its stop has probability 1 and is left
/// out.
///
/// With several lengths, a state has one more byte (0 open, 1 stopped) and the last action is stop: it leads from a
/// string of at least `min_length` letters to the stopped copy, which is the object. Full strings stop too (METHOD.md:
/// stop is a step of its own). One more feature, the last, is 1 when stopped.
#[derive(Debug, Clone)]
pub struct SequenceEnv {
    alphabet: Vec<char>,
    min_length: usize,
    length: usize,
    initial: Vec<u8>,
    growth: Growth,
    words: usize,
}

impl SequenceEnv {
    /// Strings of exactly `length` letters.
    ///
    /// # Panics
    /// On a length of 0 or an alphabet that is empty, repeats a letter, has more than 254 letters or has the letter
    /// [`OPEN`](super::OPEN).
    pub fn new(alphabet: &str, length: usize, growth: Growth) -> Self {
        Self::variable(alphabet, length..=length, growth)
    }

    /// Strings of any length in `lengths`; with only one length in it, the same as [`Self::new`].
    ///
    /// # Panics
    /// As [`Self::new`], and when `lengths` is empty.
    pub fn variable(alphabet: &str, lengths: RangeInclusive<usize>, growth: Growth) -> Self {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let distinct: std::collections::BTreeSet<_> = alphabet.iter().collect();
        assert!(!alphabet.is_empty() && distinct.len() == alphabet.len() && alphabet.len() < PAD as usize);
        assert!(
            !distinct.contains(&super::OPEN),
            "the mark of open strings is no letter"
        );
        let (min_length, length) = lengths.into_inner();
        assert!(
            0 < min_length && min_length <= length,
            "strings need at least one letter"
        );
        let mut initial = vec![PAD; length];
        initial.extend((min_length < length).then_some(0));
        Self {
            alphabet,
            min_length,
            length,
            initial,
            growth,
            words: 1,
        }
    }

    /// The same strings, whose features are also the words of 2 to `words` letters in them, each at each position.
    ///
    /// A network that sees letters has to learn from many strings what letters do together; one that sees words only looks
    /// it up, so scores that are irregular in the letters are fitted sooner and closer (docs/results.md).
    ///
    /// # Panics
    /// When there are no words of so many letters.
    #[must_use]
    pub fn with_words(self, words: usize) -> Self {
        assert!((1..=self.length).contains(&words), "words have 1 to length letters");
        Self { words, ..self }
    }

    /// How many features there are of words of `width` letters; `None` when that exceeds a machine word.
    fn words_of(&self, width: usize) -> Option<usize> {
        let kinds = self.letter_count().checked_pow(u32::try_from(width).ok()?)?;
        kinds.checked_mul(self.length + 1 - width)
    }

    /// How many features strings with [words](Self::with_words) of up to `words` letters have; `None` when that exceeds a
    /// machine word.
    pub fn features_with_words(&self, words: usize) -> Option<usize> {
        let of_words = (1..=words).try_fold(0usize, |sum, width| sum.checked_add(self.words_of(width)?));
        of_words?.checked_add(usize::from(self.stops()))
    }

    /// Letters in the alphabet.
    pub fn letter_count(&self) -> usize {
        self.alphabet.len()
    }

    /// Letters of the longest strings.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The letters in use, as numbers.
    pub fn letters<'a>(&self, state: &'a [u8]) -> &'a [u8] {
        let letters = &state[..self.length];
        let used = letters.iter().position(|&letter| letter == PAD).unwrap_or(self.length);
        &letters[..used]
    }

    /// The number of objects; `None` when it exceeds 64 bits.
    pub fn object_count(&self) -> Option<u64> {
        let letters = self.letter_count() as u64;
        (self.min_length..=self.length).try_fold(0u64, |sum, length| {
            sum.checked_add(letters.checked_pow(u32::try_from(length).ok()?)?)
        })
    }

    /// Every object, in alphabetical order, when there are at most `limit`.
    pub fn objects(&self, limit: u64) -> Option<States> {
        self.object_count().filter(|&count| count <= limit)?;
        let mut objects = States::new(self.state_width());
        self.push_objects(&mut Vec::with_capacity(self.length), &mut objects);
        Some(objects)
    }

    /// Adds the objects that begin with `prefix`.
    fn push_objects(&self, prefix: &mut Vec<u8>, objects: &mut States) {
        if prefix.len() >= self.min_length {
            let object = objects.push(&self.initial);
            object[..prefix.len()].copy_from_slice(prefix);
            self.mark_stopped(object);
        }
        if prefix.len() < self.length {
            for letter in 0..self.letter_count() as u8 {
                prefix.push(letter);
                self.push_objects(prefix, objects);
                prefix.pop();
            }
        }
    }

    fn prepends(&self) -> bool {
        self.growth == Growth::PrependAppend
    }

    /// True when there are several lengths, hence a stop action.
    fn stops(&self) -> bool {
        self.min_length < self.length
    }

    fn is_stopped(&self, state: &[u8]) -> bool {
        self.stops() && state[self.length] == STOPPED
    }

    fn mark_stopped(&self, state: &mut [u8]) {
        if let Some(stopped) = state.get_mut(self.length) {
            *stopped = STOPPED;
        }
    }

    /// The stop action where there is one; also the number of actions that add a letter.
    fn stop_action(&self) -> usize {
        self.letter_count() * if self.prepends() { 2 } else { 1 }
    }

    fn push_grown(&self, state: &[u8], used: usize, out: &mut Neighbours) {
        let letters = self.letter_count() as u8;
        for letter in 0..letters {
            out.push(letter.into(), state)[used] = letter;
        }
        for letter in (0..letters).filter(|_| self.prepends()) {
            if !is_run_of(&state[..used], letter) {
                let action = Action::from(letters) + Action::from(letter);
                prepend(out.push(action, state), used, letter);
            }
        }
    }

    fn push_shortened(&self, state: &[u8], used: usize, out: &mut Neighbours) {
        let (first, last) = (state[0], state[used - 1]);
        out.push(last.into(), state)[used - 1] = PAD;
        if self.prepends() && !is_run_of(&state[..used], first) {
            let action = self.letter_count() as Action + Action::from(first);
            let parent = out.push(action, state);
            parent.copy_within(1..used, 0);
            parent[used - 1] = PAD;
        }
    }
}

/// True when all letters are `letter`: then adding it in front or behind is the same.
fn is_run_of(string: &[u8], letter: u8) -> bool {
    string.iter().all(|&l| l == letter)
}

fn prepend(state: &mut [u8], used: usize, letter: u8) {
    state.copy_within(0..used, 1);
    state[0] = letter;
}

impl Environment for SequenceEnv {
    fn state_width(&self) -> usize {
        self.initial.len()
    }

    fn feature_count(&self) -> usize {
        self.features_with_words(self.words)
            .expect("features are few enough to have weights")
    }

    fn action_count(&self) -> usize {
        self.stop_action() + usize::from(self.stops())
    }

    fn max_steps(&self) -> usize {
        self.length + usize::from(self.stops())
    }

    fn initial(&self) -> &[u8] {
        &self.initial
    }

    fn is_complete(&self, state: &[u8]) -> bool {
        if self.stops() {
            self.is_stopped(state)
        } else {
            state.last() != Some(&PAD)
        }
    }

    fn stop_is_implied(&self) -> bool {
        self.min_length == self.length
    }

    fn children(&self, states: &States, out: &mut Neighbours) {
        for state in states.iter() {
            let used = self.letters(state).len();
            if !self.is_complete(state) {
                if used < self.length {
                    self.push_grown(state, used, out);
                }
                if self.stops() && used >= self.min_length {
                    self.mark_stopped(out.push(self.stop_action() as Action, state));
                }
            }
            out.finish_list();
        }
    }

    fn parents(&self, states: &States, out: &mut Neighbours) {
        for state in states.iter() {
            let used = self.letters(state).len();
            if self.is_stopped(state) {
                out.push(self.stop_action() as Action, state)[self.length] = 0;
            } else if used > 0 {
                self.push_shortened(state, used, out);
            }
            out.finish_list();
        }
    }

    fn step(&self, state: &mut [u8], action: Action) -> bool {
        let (used, letters, action) = (self.letters(state).len(), self.letter_count(), usize::from(action));
        let stop = action == self.stop_action();
        let room = if stop {
            self.stops() && used >= self.min_length
        } else {
            used < self.length
        };
        if self.is_complete(state) || action > self.stop_action() || !room {
            return false;
        }
        if stop {
            self.mark_stopped(state);
        } else if action < letters {
            state[used] = action as u8;
        } else {
            prepend(state, used, (action - letters) as u8);
        }
        true
    }

    fn features(&self, state: &[u8], out: &mut Vec<u32>) {
        let (letters, used) = (self.letter_count(), self.letters(state));
        let (mut first, mut kinds) = (0, 1);
        for width in 1..=self.words {
            kinds *= letters;
            out.extend(used.windows(width).enumerate().map(|(position, word)| {
                let rank = word
                    .iter()
                    .fold(0, |rank, &letter| rank * letters + usize::from(letter));
                (first + position * kinds + rank) as u32
            }));
            first += (self.length + 1 - width) * kinds;
        }
        if self.is_stopped(state) {
            out.push(first as u32);
        }
    }

    fn format(&self, state: &[u8]) -> String {
        self.write(state)
    }

    /// Letters of the alphabet, or their numbers as digits where the alphabet has no digits and at most ten letters.
    /// With several lengths, [`OPEN`](super::OPEN) at the end says that the string may still grow.
    fn parse(&self, text: &str) -> Result<Vec<u8>, EnvError> {
        self.read(text, false)
    }

    fn parse_object(&self, text: &str) -> Result<Vec<u8>, EnvError> {
        self.read(text, true)
    }
}
