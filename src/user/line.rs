// SPDX-License-Identifier: GPL-2.0-only

//! One line of text as it is edited: keys come in as the bytes that a terminal sends, and change text and cursor.
//!
//! Pure: any context, no locks, no memory but the line's own. The terminal itself and the history are `readline.c`'s.

/// The longest line, in bytes; further ones are not taken.
pub const LINE_MAX: usize = 4096;

/// A line; `struct lunatik_line` in C. All zeros is an empty one.
///
/// # Invariants
///
/// `cursor <= len <= LINE_MAX`; the cursor is not inside of a UTF-8 sequence.
#[repr(C)]
pub struct Line {
    len: usize,
    cursor: usize,
    /// Bytes of the escape sequence that is midway: 0 none, 1 `ESC`, 2 `ESC [` or `ESC O`.
    escape: u8,
    /// The number in that sequence.
    number: u8,
    text: [u8; LINE_MAX],
}

/// What the terminal has to do about a key; `enum lunatik_key` in C.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Nothing.
    Nothing,
    /// Show the line anew.
    Changed,
    /// The line is complete.
    Enter,
    /// End of file, on an empty line.
    End,
    /// Drop the line.
    Interrupt,
    /// The line before this one in the history.
    Earlier,
    /// The line after it.
    Later,
    /// Clear the screen.
    Clear,
}

/// The part of a line that fits; `struct lunatik_view` in C.
#[repr(C)]
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The column of the cursor, from 0.
    pub column: usize,
}

fn is_inside(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self { len: 0, cursor: 0, escape: 0, number: 0, text: [0; LINE_MAX] }
    }

    /// The text.
    pub fn text(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&[])
    }

    fn before(&self) -> &[u8] {
        self.text.get(..self.cursor).unwrap_or(&[])
    }

    fn after(&self) -> &[u8] {
        self.text().get(self.cursor..).unwrap_or(&[])
    }

    /// Where the character before the cursor begins.
    fn left(&self) -> usize {
        self.before().iter().rposition(|byte| !is_inside(*byte)).unwrap_or(0)
    }

    /// Where the character at the cursor ends.
    fn right(&self) -> usize {
        let rest = self.after().get(1..).unwrap_or(&[]);
        let more = rest.iter().position(|byte| !is_inside(*byte)).unwrap_or(rest.len());
        if self.cursor < self.len { self.cursor + 1 + more } else { self.len }
    }

    fn move_to(&mut self, place: usize) -> Key {
        self.cursor = place.min(self.len);
        Key::Changed
    }

    fn insert(&mut self, byte: u8) -> Key {
        if self.len >= LINE_MAX {
            return Key::Nothing;
        }
        self.text.copy_within(self.cursor..self.len, self.cursor + 1);
        if let Some(place) = self.text.get_mut(self.cursor) {
            *place = byte;
        }
        self.len += 1;
        self.cursor += 1;
        Key::Changed
    }

    /// Removes the bytes from `from` to `to`, which are within the line; the cursor is then at `from`.
    fn remove(&mut self, from: usize, to: usize) -> Key {
        if from < to && to <= self.len {
            self.text.copy_within(to..self.len, from);
            self.len -= to - from;
            self.cursor = from;
        }
        Key::Changed
    }

    fn word_left(&self) -> usize {
        let end = self.before().iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        let word = self.text.get(..end).unwrap_or(&[]);
        word.iter().rposition(|byte| *byte == b' ').map_or(0, |blank| blank + 1)
    }

    /// Takes the next byte of what the terminal sends.
    pub fn feed(&mut self, byte: u8) -> Key {
        match (self.escape, byte) {
            (0, _) => self.plain(byte),
            (1, b'[' | b'O') => {
                (self.escape, self.number) = (2, 0);
                Key::Nothing
            }
            (2, b'0'..=b'9' | b';') => {
                // Of the numbers in a sequence the last one counts; no key has one past 255.
                let digit = if byte == b';' { 0 } else { byte - b'0' };
                let before = if byte == b';' { 0 } else { self.number };
                self.number = before.wrapping_mul(10).wrapping_add(digit);
                Key::Nothing
            }
            (2, _) => {
                self.escape = 0;
                self.sequence(byte)
            }
            _ => {
                self.escape = 0;
                Key::Nothing
            }
        }
    }

    fn plain(&mut self, byte: u8) -> Key {
        const fn control(letter: u8) -> u8 {
            letter & 0x1f
        }
        const A: u8 = control(b'A');
        const B: u8 = control(b'B');
        const C: u8 = control(b'C');
        const D: u8 = control(b'D');
        const E: u8 = control(b'E');
        const F: u8 = control(b'F');
        const H: u8 = control(b'H');
        const K: u8 = control(b'K');
        const L: u8 = control(b'L');
        const N: u8 = control(b'N');
        const P: u8 = control(b'P');
        const U: u8 = control(b'U');
        const W: u8 = control(b'W');
        match byte {
            b'\r' | b'\n' => Key::Enter,
            0x1b => {
                self.escape = 1;
                Key::Nothing
            }
            C => Key::Interrupt,
            D if self.len == 0 => Key::End,
            D => self.remove(self.cursor, self.right()),
            0x7f | H => self.remove(self.left(), self.cursor),
            A => self.move_to(0),
            E => self.move_to(self.len),
            B => self.move_to(self.left()),
            F => self.move_to(self.right()),
            K => self.remove(self.cursor, self.len),
            U => self.remove(0, self.cursor),
            W => self.remove(self.word_left(), self.cursor),
            L => Key::Clear,
            P => Key::Earlier,
            N => Key::Later,
            b'\t' | b' '..=0xff => self.insert(byte),
            _ => Key::Nothing,
        }
    }

    fn sequence(&mut self, last: u8) -> Key {
        match (last, self.number) {
            (b'A', _) => Key::Earlier,
            (b'B', _) => Key::Later,
            (b'C', _) => self.move_to(self.right()),
            (b'D', _) => self.move_to(self.left()),
            (b'H', _) | (b'~', 1 | 7) => self.move_to(0),
            (b'F', _) | (b'~', 4 | 8) => self.move_to(self.len),
            (b'~', 3) => self.remove(self.cursor, self.right()),
            _ => Key::Nothing,
        }
    }

    /// The part to show where `room` columns are free, so that the cursor is in it. Each character is one column.
    pub fn view(&self, room: usize) -> View {
        let columns = |bytes: &[u8]| bytes.iter().filter(|byte| !is_inside(**byte)).count();
        let hidden = columns(self.before()).saturating_sub(room.saturating_sub(1));
        let nth = |bytes: &[u8], n: usize| {
            let mut begins = bytes.iter().enumerate().filter(|(_, byte)| !is_inside(**byte));
            begins.nth(n).map_or(bytes.len(), |(at, _)| at)
        };
        let start = nth(self.text(), hidden);
        let end = nth(self.text(), hidden.saturating_add(room));
        View { start, end, column: columns(self.before()).saturating_sub(hidden) }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> (String, usize, Key) {
        let mut line = Line::new();
        let mut last = Key::Nothing;
        for byte in keys.bytes() {
            last = line.feed(byte);
            assert!(line.cursor <= line.len && line.len <= LINE_MAX);
        }
        (String::from_utf8_lossy(line.text()).into_owned(), line.cursor, last)
    }

    #[test]
    fn keys() {
        for (keys, text, cursor) in [
            ("abc", "abc", 3),
            ("abc\x7f", "ab", 2),
            ("\x7f\x08", "", 0),
            ("abc\x01x", "xabc", 1),
            ("abc\x01\x05x", "abcx", 4),
            ("abc\x1b[D\x1b[Dx", "axbc", 2),
            ("abc\x02\x02\x06x", "abxc", 3),
            ("abc\x1bOD\x1b[C\x1b[Cx", "abcx", 4),
            ("abc\x1b[Hx\x1b[Fy", "xabcy", 5),
            ("abc\x1b[1~x\x1b[4~y", "xabcy", 5),
            ("abc\x01\x04", "bc", 0),
            ("abc\x01\x1b[3~\x1b[3~", "c", 0),
            ("abc\x1b[3~", "abc", 3),
            ("one two  \x17", "one ", 4),
            ("one\x17\x17", "", 0),
            ("abcd\x1b[D\x1b[D\x0b", "ab", 2),
            ("abcd\x1b[D\x1b[D\x15", "cd", 0),
            ("aüb\x1b[D\x7f", "ab", 1),
            ("aüb\x1b[D\x1b[D\x04", "ab", 1),
            ("\x1b[1;5Dab", "ab", 2),
            ("\x1b[999999~a\x1bxb", "ab", 2),
            ("a\x00\x1db", "ab", 2),
        ] {
            let (got, at, _) = typed(keys);
            assert_eq!((got.as_str(), at), (text, cursor), "{keys:?}");
        }
    }

    #[test]
    fn keys_that_are_the_terminals_business() {
        for (keys, key) in [
            ("a\r", Key::Enter),
            ("a\n", Key::Enter),
            ("\x04", Key::End),
            ("a\x04", Key::Changed),
            ("a\x03", Key::Interrupt),
            ("\x1b[A", Key::Earlier),
            ("\x1b[B", Key::Later),
            ("\x10", Key::Earlier),
            ("\x0e", Key::Later),
            ("\x0c", Key::Clear),
            ("\x1b", Key::Nothing),
        ] {
            assert_eq!(typed(keys).2, key, "{keys:?}");
        }
    }

    #[test]
    fn a_full_line_takes_no_more() {
        let (text, cursor, last) = typed(&"x".repeat(LINE_MAX + 5));
        assert_eq!((text.len(), cursor, last), (LINE_MAX, LINE_MAX, Key::Nothing));
    }

    #[test]
    fn the_cursor_is_in_view() {
        let mut line = Line::new();
        for byte in "0123456789ü".bytes() {
            line.feed(byte);
        }
        assert_eq!(line.view(20), View { start: 0, end: 12, column: 11 });
        assert_eq!(line.view(5), View { start: 7, end: 12, column: 4 });
        line.feed(1);
        assert_eq!(line.view(5), View { start: 0, end: 5, column: 0 });
        assert_eq!(line.view(0).column, 0);
    }
}
