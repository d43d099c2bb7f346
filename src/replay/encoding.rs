//! How numbers lie in the database: actions as LEB128, unsigned numbers as SQLite's signed ones.

use crate::env::Action;

/// Appends actions as LEB128: one byte for each action under 128, so that `hex(actions)` is readable.
pub fn encode_actions(actions: &[Action], out: &mut Vec<u8>) {
    for &action in actions {
        let mut rest = action;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
}

/// Reads actions as the replay keeps them, LEB128; None when it is not that.
pub fn decode_actions(bytes: &[u8]) -> Option<Vec<Action>> {
    let mut actions = Vec::with_capacity(bytes.len());
    let (mut value, mut shift) = (0u32, 0);
    for &byte in bytes {
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            actions.push(Action::try_from(value).ok()?);
            (value, shift) = (0, 0);
        } else {
            shift += 7;
            if shift > 14 {
                return None;
            }
        }
    }
    (shift == 0).then_some(actions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_actions_take_a_byte_each() {
        let mut bytes = Vec::new();
        encode_actions(&[0, 7, 127, 128, 65535], &mut bytes);
        assert_eq!(bytes, [0, 7, 127, 0x80, 1, 0xff, 0xff, 3]);
    }

    #[test]
    fn bytes_that_are_no_actions_are_refused() {
        for bad in [&[0x80][..], &[1, 0xff], &[0x80, 0x80, 0x80, 1], &[0xff, 0xff, 0x7f]] {
            assert_eq!(decode_actions(bad), None, "{bad:x?}");
        }
    }

    proptest! {
        #[test]
        fn actions_come_back(actions in proptest::collection::vec(any::<Action>(), 0..40)) {
            let mut bytes = Vec::new();
            encode_actions(&actions, &mut bytes);
            prop_assert_eq!(decode_actions(&bytes), Some(actions));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            decode_actions(&bytes);
        }
    }
}
