//! Strings as people write them: "ACG", and "ACG…" for one that may still grow.

use super::SequenceEnv;
use crate::env::{EnvError, Environment, OPEN};

impl SequenceEnv {
    /// The letters, and [`OPEN`] where the string could stop but has not.
    pub(super) fn write(&self, state: &[u8]) -> String {
        let letters = self.letters(state).iter();
        let letters = letters.map(|&letter| self.alphabet[usize::from(letter)]);
        let open = self.stops() && !self.is_stopped(state);
        letters.chain(open.then_some(OPEN)).collect()
    }

    /// Reads what [`Self::write`] wrote; `complete` refuses partial strings.
    pub(super) fn read(&self, text: &str, complete: bool) -> Result<Vec<u8>, EnvError> {
        self.state_of(text, complete).map_err(|reason| EnvError::Object {
            text: text.into(),
            reason,
        })
    }

    fn state_of(&self, text: &str, complete: bool) -> Result<Vec<u8>, String> {
        let open = text.strip_suffix(OPEN).filter(|_| self.stops());
        let letters = open.unwrap_or(text);
        let count = letters.chars().count();
        if count > self.length {
            return Err(format!("it has {count} letters, at most {} are allowed", self.length));
        }
        let mut state = self.initial.clone();
        for (slot, letter) in state.iter_mut().zip(letters.chars()) {
            *slot = self.letter(letter)?;
        }
        let is_object = complete || (self.stops() && open.is_none());
        if is_object && count < self.min_length {
            let least = if self.stops() { "at least " } else { "" };
            return Err(format!("it has {count} letters, {least}{} are needed", self.min_length));
        }
        if complete && open.is_some() {
            return Err(format!("the {OPEN} at its end says that it is not complete"));
        }
        if open.is_none() {
            self.mark_stopped(&mut state);
        }
        debug_assert!(!complete || self.is_complete(&state));
        Ok(state)
    }

    /// The number of a letter.
    fn letter(&self, letter: char) -> Result<u8, String> {
        let digits_allowed = self.letter_count() <= 10 && !self.alphabet.iter().any(char::is_ascii_digit);
        let digit = letter.to_digit(10).map(|digit| digit as usize);
        let digit = digit.filter(|&digit| digits_allowed && digit < self.letter_count());
        let index = self.alphabet.iter().position(|&known| known == letter).or(digit);
        index.map(|index| index as u8).ok_or_else(|| {
            let alphabet: String = self.alphabet.iter().collect();
            format!("letter {letter:?} is not in the alphabet {alphabet}")
        })
    }
}
