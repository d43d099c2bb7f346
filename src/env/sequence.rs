//! Strings of a fixed length over a small alphabet, grown at the end or at both ends.
//!
//! Not here: rewards, and strings of several lengths with a stop action.

use super::{Action, EnvError, Environment, Neighbours, States};
use serde::{Deserialize, Serialize};

/// Marks the unused positions at the end of a partial string.
const PAD: u8 = u8::MAX;

/// Where a letter may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Growth {
    /// At either end.
    PrependAppend,
    /// At the end only: a tree, every state has one parent.
    AppendOnly,
}

/// Strings of `length` letters. State: `length` bytes, letters first, then 255 in the unused positions.
///
/// Action `a` appends letter `a`; action `alphabet + a` prepends it.
#[derive(Debug, Clone)]
pub struct SequenceEnv {
    alphabet: Vec<char>,
    initial: Vec<u8>,
    growth: Growth,
}

impl SequenceEnv {
    /// # Panics
    /// On a length of 0 or an alphabet that is empty, repeats a letter or has more than 254 letters.
    pub fn new(alphabet: &str, length: usize, growth: Growth) -> Self {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let distinct: std::collections::BTreeSet<_> = alphabet.iter().collect();
        assert!(!alphabet.is_empty() && distinct.len() == alphabet.len() && alphabet.len() < PAD as usize);
        assert!(length > 0, "strings need at least one letter");
        Self {
            alphabet,
            initial: vec![PAD; length],
            growth,
        }
    }

    fn letters(&self) -> usize {
        self.alphabet.len()
    }

    fn prepends(&self) -> bool {
        self.growth == Growth::PrependAppend
    }
}

/// Letters in use.
fn length(state: &[u8]) -> usize {
    state.iter().position(|&letter| letter == PAD).unwrap_or(state.len())
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
        self.initial.len() * self.letters()
    }

    fn action_count(&self) -> usize {
        self.letters() * if self.prepends() { 2 } else { 1 }
    }

    fn max_steps(&self) -> usize {
        self.initial.len()
    }

    fn initial(&self) -> &[u8] {
        &self.initial
    }

    fn is_complete(&self, state: &[u8]) -> bool {
        state.last() != Some(&PAD)
    }

    fn stop_is_implied(&self) -> bool {
        true
    }

    fn children(&self, states: &States, out: &mut Neighbours) {
        let letters = self.letters() as u8;
        for state in states.iter() {
            let used = length(state);
            if used < state.len() {
                for letter in 0..letters {
                    out.push(letter.into(), state)[used] = letter;
                }
                for letter in (0..letters).filter(|_| self.prepends()) {
                    if !is_run_of(&state[..used], letter) {
                        prepend(
                            out.push(Action::from(letters) + Action::from(letter), state),
                            used,
                            letter,
                        );
                    }
                }
            }
            out.finish_list();
        }
    }

    fn parents(&self, states: &States, out: &mut Neighbours) {
        let letters = Action::from(self.letters() as u8);
        for state in states.iter() {
            let used = length(state);
            if used > 0 {
                let (first, last) = (state[0], state[used - 1]);
                out.push(last.into(), state)[used - 1] = PAD;
                if self.prepends() && !is_run_of(&state[..used], first) {
                    let parent = out.push(letters + Action::from(first), state);
                    parent.copy_within(1..used, 0);
                    parent[used - 1] = PAD;
                }
            }
            out.finish_list();
        }
    }

    fn step(&self, state: &mut [u8], action: Action) -> bool {
        let (used, letters) = (length(state), self.letters());
        let action = usize::from(action);
        if used == state.len() || action >= self.action_count() {
            return false;
        }
        if action < letters {
            state[used] = action as u8;
        } else {
            prepend(state, used, (action - letters) as u8);
        }
        true
    }

    fn features(&self, state: &[u8], out: &mut Vec<u32>) {
        let letters = self.letters();
        let used = state.iter().take_while(|&&letter| letter != PAD);
        out.extend(
            used.enumerate()
                .map(|(position, &letter)| (position * letters + usize::from(letter)) as u32),
        );
    }

    fn format(&self, state: &[u8]) -> String {
        state[..length(state)]
            .iter()
            .map(|&letter| self.alphabet[usize::from(letter)])
            .collect()
    }

    /// Letters of the alphabet, or their numbers as digits where the alphabet has no digits and at most ten letters.
    fn parse(&self, text: &str) -> Result<Vec<u8>, EnvError> {
        let refuse = |reason: String| EnvError::Object {
            text: text.into(),
            reason,
        };
        let mut state = self.initial.clone();
        let count = text.chars().count();
        if count > state.len() {
            return Err(refuse(format!(
                "it has {count} letters, at most {} are allowed",
                state.len()
            )));
        }
        let digits_allowed = self.letters() <= 10 && !self.alphabet.iter().any(char::is_ascii_digit);
        for (slot, letter) in state.iter_mut().zip(text.chars()) {
            let digit = letter
                .to_digit(10)
                .map(|d| d as usize)
                .filter(|&d| digits_allowed && d < self.letters());
            let index = self
                .alphabet
                .iter()
                .position(|&l| l == letter)
                .or(digit)
                .ok_or_else(|| {
                    let alphabet: String = self.alphabet.iter().collect();
                    refuse(format!("letter {letter:?} is not in the alphabet {alphabet}"))
                })?;
            *slot = index as u8;
        }
        Ok(state)
    }

    fn parse_object(&self, text: &str) -> Result<Vec<u8>, EnvError> {
        let state = self.parse(text)?;
        if self.is_complete(&state) {
            return Ok(state);
        }
        let reason = format!("it has {} letters, {} are needed", length(&state), state.len());
        Err(EnvError::Object {
            text: text.into(),
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::contract;

    #[test]
    fn strings_keep_the_contract() {
        for (alphabet, length, growth, states) in [
            ("AB", 3, Growth::PrependAppend, 15),
            ("ACG", 4, Growth::PrependAppend, 121),
            ("AB", 3, Growth::AppendOnly, 15),
            ("A", 2, Growth::PrependAppend, 3),
        ] {
            assert_eq!(contract::check(&SequenceEnv::new(alphabet, length, growth)), states);
        }
    }

    #[test]
    fn actions_with_the_same_child_are_one_choice() {
        let env = SequenceEnv::new("ACGT", 8, Growth::PrependAppend);
        let mut states = States::new(8);
        for text in ["", "A", "AA", "AC"] {
            states.push(&env.parse(text).unwrap());
        }
        let mut out = Neighbours::new(8);
        env.children(&states, &mut out);
        let counts: Vec<_> = (0..4).map(|i| out.list(i).len()).collect();
        assert_eq!(counts, [4, 7, 7, 8]);
    }

    #[test]
    fn bad_strings_are_named() {
        let env = SequenceEnv::new("ACGT", 4, Growth::PrependAppend);
        assert_eq!(env.parse("0213").unwrap(), env.parse("AGCT").unwrap());
        for (text, expected) in [
            ("ACGTA", "at most 4"),
            ("ACX", "'X'"),
            ("4", "'4'"),
            ("AC", "4 are needed"),
        ] {
            let message = env.parse_object(text).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains(text), "{message}");
        }
    }
}
