// SPDX-License-Identifier: GPL-2.0-only

//! One `printf` conversion specification, and the bounded output that formatting writes to; any context.

/// What stands between `%` and the end of a conversion. Length modifiers (`h l L j z t`) are read over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spec {
    /// `-`: pad on the right.
    pub(crate) minus: bool,
    /// `+`: a sign always.
    pub(crate) plus: bool,
    /// ` `: a space in place of a plus sign.
    pub(crate) space: bool,
    /// `#`: the alternative form.
    pub(crate) alt: bool,
    /// `0`: pad with zeros after the sign.
    pub(crate) zero: bool,
    /// The least number of bytes to write.
    pub(crate) width: u32,
    /// What stands after a point: digits, or bytes of a string.
    pub(crate) precision: Option<u32>,
    /// The conversion letter.
    pub(crate) conv: u8,
}

/// Widths and precisions above this are refused, as `snprintf` refuses them.
const LARGEST: u32 = i32::MAX as u32;

/// Reads a decimal number at `at`; an absent one is 0.
fn number(s: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0u32;
    while let Some(digit @ b'0'..=b'9') = s.get(*at) {
        value = value
            .checked_mul(10)?
            .checked_add(u32::from(digit.wrapping_sub(b'0')))?;
        *at = at.wrapping_add(1);
    }
    (value < LARGEST).then_some(value)
}

/// Reads one conversion specification, which must be all of `s`: `%`, flags, width, `.precision`, length, letter.
///
/// `None` when it is none, names a width or precision by `*`, or one of 2^31 - 1 and more.
pub(crate) fn parse_spec(s: &[u8]) -> Option<Spec> {
    let mut spec = Spec::default();
    let mut at = 1usize;
    if s.first() != Some(&b'%') {
        return None;
    }
    loop {
        match s.get(at)? {
            b'-' => spec.minus = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'#' => spec.alt = true,
            b'0' => spec.zero = true,
            _ => break,
        }
        at = at.wrapping_add(1);
    }
    spec.width = number(s, &mut at)?;
    if s.get(at) == Some(&b'.') {
        at = at.wrapping_add(1);
        spec.precision = Some(number(s, &mut at)?);
    }
    while let Some(b'h' | b'l' | b'L' | b'j' | b'z' | b't') = s.get(at) {
        at = at.wrapping_add(1);
    }
    match s.get(at..)? {
        &[conv] if conv.is_ascii_alphabetic() => spec.conv = conv,
        _ => return None,
    }
    Some(spec)
}

/// Bytes written one after another into a buffer; what does not fit is dropped and remembered.
pub(crate) struct Out<'a> {
    buffer: &'a mut [u8],
    /// The bytes asked for so far, also those that did not fit.
    length: usize,
}

impl<'a> Out<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.length) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        match self.buffer.get_mut(self.length..end) {
            // The lengths agree; saying so leaves the compiler no panic to put into `copy_from_slice`.
            Some(place) if place.len() == bytes.len() => place.copy_from_slice(bytes),
            _ => {}
        }
        self.length = end;
    }

    pub(crate) fn fill(&mut self, byte: u8, count: usize) {
        let end = self.length.saturating_add(count);
        if let Some(place) = self.buffer.get_mut(self.length..end) {
            place.fill(byte);
        }
        self.length = end;
    }

    /// The bytes written; `None` when not all fitted.
    pub(crate) fn finish(self) -> Option<usize> {
        (self.length <= self.buffer.len()).then_some(self.length)
    }
}

/// The parts of a formatted item around its body: everything that does not depend on what the body says.
pub(crate) struct Frame<'a> {
    /// Sign or `0x`, before any padding with zeros.
    pub(crate) prefix: &'a [u8],
    /// The bytes of the body.
    pub(crate) length: usize,
    /// Pad with zeros between prefix and body.
    pub(crate) zeros: bool,
}

impl Spec {
    /// Writes prefix and body, padded to the width.
    pub(crate) fn frame(
        &self,
        out: &mut Out<'_>,
        frame: &Frame<'_>,
        body: impl FnOnce(&mut Out<'_>),
    ) {
        let used = frame.prefix.len().saturating_add(frame.length);
        let padding = (self.width as usize).saturating_sub(used);
        let zeros = frame.zeros && !self.minus;
        if padding != 0 && !self.minus && !zeros {
            out.fill(b' ', padding);
        }
        out.bytes(frame.prefix);
        if padding != 0 && zeros {
            out.fill(b'0', padding);
        }
        body(out);
        if padding != 0 && self.minus {
            out.fill(b' ', padding);
        }
    }

    /// The sign of a number, as flags ask for it.
    pub(crate) fn sign(&self, negative: bool) -> &'static [u8] {
        if negative {
            b"-"
        } else if self.plus {
            b"+"
        } else if self.space {
            b" "
        } else {
            b""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_parts() {
        let spec = parse_spec(b"%-+ #012.34llX").unwrap();
        assert!(spec.minus && spec.plus && spec.space && spec.alt && spec.zero);
        assert_eq!(
            (spec.width, spec.precision, spec.conv),
            (12, Some(34), b'X')
        );
        let spec = parse_spec(b"%.f").unwrap();
        assert_eq!((spec.width, spec.precision, spec.conv), (0, Some(0), b'f'));
        assert_eq!(parse_spec(b"%g").unwrap().precision, None);
    }

    #[test]
    fn refuses_what_is_no_specification() {
        for s in [
            "",
            "%",
            "g",
            "%5",
            "%*d",
            "%.*d",
            "%dd",
            "%d ",
            "%l",
            "%%",
            "%2147483647d",
            "%.99999999999d",
        ] {
            assert_eq!(parse_spec(s.as_bytes()), None, "{s}");
        }
    }

    #[test]
    fn output_past_the_end_is_counted_and_refused() {
        let mut buffer = [0; 3];
        let mut out = Out::new(&mut buffer);
        out.bytes(b"ab");
        out.fill(b'x', 5);
        out.byte(b'c');
        assert_eq!(out.finish(), None);
        let mut out = Out::new(&mut buffer);
        out.fill(b'x', 3);
        assert_eq!(out.finish(), Some(3));
    }
}
