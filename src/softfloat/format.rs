// SPDX-License-Identifier: GPL-2.0-only

//! One item of `printf` output, written as glibc writes it in the C locale; any context.
//!
//! Doubles come as their bits. There is no limit to precision but the buffer; a buffer that is too small makes
//! the call fail, and what it holds then is of no use. Nothing here writes a terminating zero byte.

use super::decimal::{self, Cut, Finite};
use super::spec::{Frame, Out};

pub(crate) use super::spec::{parse_spec, Spec};

const FRACTION_BITS: u32 = 52;
const FRACTION: u64 = (1 << FRACTION_BITS) - 1;
/// Hexadecimal digits of a double's fraction.
const HEX_DIGITS: u32 = 13;
/// The exponent of bit 0 of the least subnormal.
const LEAST_EXPONENT: i32 = -1074;

/// Digits after rounding, the point's place before them (`0.DDD * 10^point`), and no more of them than there are.
#[derive(Clone, Copy)]
struct Decimal<'a> {
    digits: &'a [u8],
    point: i32,
}

/// A double taken apart.
enum Value {
    /// Infinity or not a number, by name.
    Named(&'static [u8; 3]),
    Zero,
    Finite(Finite),
}

fn take_apart(bits: u64, upper: bool) -> Value {
    let fraction = bits & FRACTION;
    match (bits >> FRACTION_BITS & 0x7ff, fraction) {
        (0x7ff, 0) => Value::Named(if upper { b"INF" } else { b"inf" }),
        (0x7ff, _) => Value::Named(if upper { b"NAN" } else { b"nan" }),
        (0, 0) => Value::Zero,
        (0, _) => Value::Finite(Finite {
            mantissa: fraction,
            exp2: LEAST_EXPONENT,
        }),
        (field, _) => Value::Finite(Finite {
            mantissa: fraction | 1 << FRACTION_BITS,
            exp2: (field as i32).wrapping_add(LEAST_EXPONENT - 1),
        }),
    }
}

/// Writes a double for the conversions `e E f F g G a A`.
///
/// Returns the number of bytes; `None` when they do not fit, or the conversion is another.
pub(crate) fn format_double(buffer: &mut [u8], spec: &Spec, bits: u64) -> Option<usize> {
    let upper = spec.conv.is_ascii_uppercase();
    let sign = spec.sign(bits >> 63 != 0);
    let mut out = Out::new(buffer);
    if !matches!(spec.conv | 0x20, b'a' | b'e' | b'f' | b'g') {
        return None;
    }
    match take_apart(bits, upper) {
        Value::Named(name) => spec.frame(
            &mut out,
            &Frame {
                prefix: sign,
                length: name.len(),
                zeros: false,
            },
            |out| out.bytes(name),
        ),
        _ if spec.conv | 0x20 == b'a' => hexadecimal(&mut out, spec, bits, sign),
        Value::Zero => lay_out(
            &mut out,
            spec,
            sign,
            Decimal {
                digits: &[],
                point: 1,
            },
        ),
        Value::Finite(number) => {
            let precision = spec.precision.unwrap_or(6);
            let cut = match spec.conv | 0x20 {
                b'f' => Cut::Fraction(precision),
                b'e' => Cut::Significant(precision.saturating_add(1)),
                _ => Cut::Significant(precision.max(1)),
            };
            let mut digits = [0; decimal::QUICK_CAPACITY];
            if let Some((length, point)) = decimal::quick(number, cut, &mut digits) {
                let digits = digits.get(..length)?;
                lay_out(&mut out, spec, sign, Decimal { digits, point });
            } else {
                in_full(&mut out, spec, sign, number, cut);
            }
        }
    }
    out.finish()
}

/// Digits from exact arithmetic. It is a function of its own so that only those who need its buffer have it on their stack.
#[inline(never)]
fn in_full(out: &mut Out<'_>, spec: &Spec, sign: &[u8], number: Finite, cut: Cut) {
    let mut digits = [0; decimal::EXACT_CAPACITY];
    let (length, point) = decimal::exact(number, cut, &mut digits);
    let digits = digits.get(..length).unwrap_or(&[]);
    lay_out(out, spec, sign, Decimal { digits, point });
}

/// Lays rounded digits out as `%e`, `%f` or `%g` wants them.
fn lay_out(out: &mut Out<'_>, spec: &Spec, sign: &[u8], mut number: Decimal<'_>) {
    let precision = spec.precision.unwrap_or(6) as usize;
    match spec.conv | 0x20 {
        b'f' => positional(out, spec, sign, number, precision),
        b'e' => scientific(out, spec, sign, number, precision),
        _ => {
            let precision = precision.max(1);
            let exponent = number.point.wrapping_sub(1);
            if !spec.alt {
                while let [rest @ .., b'0'] = number.digits {
                    number.digits = rest;
                }
            }
            let shown = if spec.alt {
                precision
            } else {
                number.digits.len().max(1)
            };
            match usize::try_from(exponent) {
                Ok(large) if large >= precision => {
                    scientific(out, spec, sign, number, shown.wrapping_sub(1));
                }
                Err(_) if exponent < -4 => {
                    scientific(out, spec, sign, number, shown.wrapping_sub(1));
                }
                _ => {
                    // Digits behind the point: all shown less those before it, which may be none or less than none.
                    let places = (shown as i64).saturating_sub(i64::from(number.point));
                    let places = usize::try_from(places).unwrap_or(0);
                    positional(out, spec, sign, number, places);
                }
            }
        }
    }
}

/// `[-]ddd.ddd` with `places` digits behind the point.
fn positional(out: &mut Out<'_>, spec: &Spec, sign: &[u8], number: Decimal<'_>, places: usize) {
    let Decimal { digits, point } = number;
    let point = if digits.is_empty() { 0 } else { point };
    // Digits before the point, and zeros that follow it at once.
    let before = usize::try_from(point).unwrap_or(0);
    let gap = usize::try_from(point.wrapping_neg())
        .unwrap_or(0)
        .min(places);
    let dot = places != 0 || spec.alt;
    let length = before
        .max(1)
        .saturating_add(places)
        .saturating_add(usize::from(dot));
    let frame = Frame {
        prefix: sign,
        length,
        zeros: spec.zero,
    };
    spec.frame(out, &frame, |out| {
        let (whole, rest) = digits.split_at_checked(before).unwrap_or((digits, &[]));
        if before == 0 {
            out.byte(b'0');
        } else {
            out.bytes(whole);
            out.fill(b'0', before.saturating_sub(whole.len()));
        }
        if dot {
            out.byte(b'.');
        }
        out.fill(b'0', gap);
        out.bytes(rest);
        out.fill(b'0', places.saturating_sub(gap).saturating_sub(rest.len()));
    });
}

/// `[-]d.ddde±dd` with `places` digits behind the point.
fn scientific(out: &mut Out<'_>, spec: &Spec, sign: &[u8], number: Decimal<'_>, places: usize) {
    let exponent = if number.digits.is_empty() {
        0
    } else {
        number.point.wrapping_sub(1)
    };
    let size = exponent.unsigned_abs();
    let dot = places != 0 || spec.alt;
    let length = 5usize
        .saturating_add(places)
        .saturating_add(usize::from(dot))
        .saturating_add(usize::from(size >= 100));
    let frame = Frame {
        prefix: sign,
        length,
        zeros: spec.zero,
    };
    spec.frame(out, &frame, |out| {
        let (first, rest) = number.digits.split_first().unwrap_or((&b'0', &[]));
        out.byte(*first);
        if dot {
            out.byte(b'.');
        }
        out.bytes(rest);
        out.fill(b'0', places.saturating_sub(rest.len()));
        out.byte(if spec.conv.is_ascii_uppercase() {
            b'E'
        } else {
            b'e'
        });
        out.byte(if exponent < 0 { b'-' } else { b'+' });
        if size >= 100 {
            out.byte(digit(size / 100));
        }
        out.byte(digit(size / 10 % 10));
        out.byte(digit(size % 10));
    });
}

fn digit(value: u32) -> u8 {
    b'0'.wrapping_add(value as u8)
}

/// `[-]0x1.hhhp±d`, and `0x0.hhhp-1022` for subnormal numbers.
fn hexadecimal(out: &mut Out<'_>, spec: &Spec, bits: u64, sign: &[u8]) {
    let upper = spec.conv == b'A';
    let field = (bits >> FRACTION_BITS & 0x7ff) as i32;
    let mut mantissa = bits & FRACTION;
    let exponent = match (field, mantissa) {
        (0, 0) => 0,
        (0, _) => -1022,
        _ => field.wrapping_sub(1023),
    };
    mantissa |= u64::from(field != 0) << FRACTION_BITS;
    // The fraction's digits, without the zeros at the end when no precision is given.
    let fewest = HEX_DIGITS.wrapping_sub((mantissa | 1 << FRACTION_BITS).trailing_zeros() / 4);
    let places = spec.precision.unwrap_or(fewest);
    let shown = places.min(HEX_DIGITS);
    let dropped = HEX_DIGITS.wrapping_sub(shown).wrapping_mul(4);
    let mantissa = match dropped {
        0 => mantissa,
        _ => super::powers::round_shift(u128::from(mantissa), dropped, false),
    };
    // A carry out of the fraction makes the first digit 2 (1 for subnormals): the exponent stays, as in glibc.
    let first = mantissa.checked_shr(shown.wrapping_mul(4)).unwrap_or(0);

    let mut tail = [0; 6];
    let mut tail_out = Out::new(&mut tail);
    tail_out.byte(if upper { b'P' } else { b'p' });
    tail_out.byte(if exponent < 0 { b'-' } else { b'+' });
    let size = exponent.unsigned_abs();
    let mut scale = 1000;
    while scale != 0 {
        if size >= scale || scale == 1 {
            tail_out.byte(digit(size.checked_div(scale).unwrap_or(0) % 10));
        }
        scale /= 10;
    }
    let tail_length = tail_out.finish().unwrap_or(0);
    let tail = tail.get(..tail_length).unwrap_or(&[]);

    let mut prefix = [0; 3];
    let mut prefix_out = Out::new(&mut prefix);
    prefix_out.bytes(sign);
    prefix_out.bytes(if upper { b"0X" } else { b"0x" });
    let prefix_length = prefix_out.finish().unwrap_or(0);
    let prefix = prefix.get(..prefix_length).unwrap_or(&[]);

    let dot = places != 0 || spec.alt;
    let length = 1usize
        .saturating_add(usize::from(dot))
        .saturating_add(places as usize)
        .saturating_add(tail.len());
    let frame = Frame {
        prefix,
        length,
        zeros: spec.zero,
    };
    spec.frame(out, &frame, |out| {
        out.byte(hex_digit(first, upper));
        if dot {
            out.byte(b'.');
        }
        for place in (0..shown).rev() {
            let shifted = mantissa.checked_shr(place.wrapping_mul(4)).unwrap_or(0);
            out.byte(hex_digit(shifted, upper));
        }
        out.fill(b'0', places.wrapping_sub(shown) as usize);
        out.bytes(tail);
    });
}

/// The lowest four bits as a digit.
fn hex_digit(value: u64, upper: bool) -> u8 {
    let value = (value & 15) as u8;
    match value {
        0..=9 => b'0'.wrapping_add(value),
        _ if upper => b'A'.wrapping_sub(10).wrapping_add(value),
        _ => b'a'.wrapping_sub(10).wrapping_add(value),
    }
}

/// Writes an integer for the conversions `d i u o x X c`; all but `d` and `i` take it as unsigned, and `c` its lowest byte.
///
/// Returns the number of bytes; `None` when they do not fit, or the conversion is another.
pub(crate) fn format_int(buffer: &mut [u8], spec: &Spec, value: i64) -> Option<usize> {
    let mut out = Out::new(buffer);
    let (sign, magnitude): (&[u8], u64) = match spec.conv {
        b'd' | b'i' => (spec.sign(value < 0), value.unsigned_abs()),
        b'u' | b'o' => (b"", value as u64),
        b'x' if spec.alt && value != 0 => (b"0x", value as u64),
        b'X' if spec.alt && value != 0 => (b"0X", value as u64),
        b'x' | b'X' => (b"", value as u64),
        b'c' => {
            let frame = Frame {
                prefix: b"",
                length: 1,
                zeros: false,
            };
            spec.frame(&mut out, &frame, |out| out.byte(value as u8));
            return out.finish();
        }
        _ => return None,
    };
    integer(&mut out, spec, sign, magnitude);
    out.finish()
}

/// Lays an unsigned number out in the conversion's base.
fn integer(out: &mut Out<'_>, spec: &Spec, sign: &[u8], magnitude: u64) {
    let (base, upper) = match spec.conv {
        b'o' => (8, false),
        b'x' => (16, false),
        b'X' => (16, true),
        _ => (10, false),
    };
    // 22 octal digits are the most.
    let mut digits = [0u8; 24];
    let mut rest = magnitude;
    let mut count = 0usize;
    for place in digits.iter_mut().rev() {
        if rest == 0 {
            break;
        }
        // Constant divisors compile to multiplications.
        let (quotient, value) = match base {
            8 => (rest / 8, rest % 8),
            16 => (rest / 16, rest % 16),
            _ => (rest / 10, rest % 10),
        };
        *place = hex_digit(value, upper);
        rest = quotient;
        count = count.wrapping_add(1);
    }
    let digits = digits
        .get(digits.len().wrapping_sub(count)..)
        .unwrap_or(&[]);
    // Zero is no digits at all, which the precision (1 when none is given) fills up.
    let mut least = spec.precision.unwrap_or(1) as usize;
    if spec.conv == b'o' && spec.alt {
        least = least.max(count.saturating_add(1));
    }
    let zeros = least.saturating_sub(count);
    let frame = Frame {
        prefix: sign,
        length: count.saturating_add(zeros),
        zeros: spec.zero && spec.precision.is_none(),
    };
    spec.frame(out, &frame, |out| {
        out.fill(b'0', zeros);
        out.bytes(digits);
    });
}

/// Writes a string for the conversion `s`: at most `precision` bytes of it.
///
/// Returns the number of bytes; `None` when they do not fit, or the conversion is another.
pub(crate) fn format_str(buffer: &mut [u8], spec: &Spec, s: &[u8]) -> Option<usize> {
    if spec.conv != b's' {
        return None;
    }
    let longest = spec.precision.map_or(s.len(), |bytes| bytes as usize);
    let s = s.get(..longest).unwrap_or(s);
    let mut out = Out::new(buffer);
    let frame = Frame {
        prefix: b"",
        length: s.len(),
        zeros: false,
    };
    spec.frame(&mut out, &frame, |out| out.bytes(s));
    out.finish()
}

/// Writes an address for the conversion `p`: `0x` and lower-case hexadecimal digits, `(nil)` for zero.
///
/// Returns the number of bytes; `None` when they do not fit, or the conversion is another.
pub(crate) fn format_pointer(buffer: &mut [u8], spec: &Spec, address: u64) -> Option<usize> {
    if spec.conv != b'p' {
        return None;
    }
    if address == 0 {
        let spec = Spec {
            conv: b's',
            precision: None,
            ..*spec
        };
        return format_str(buffer, &spec, b"(nil)");
    }
    let spec = Spec {
        conv: b'x',
        alt: true,
        ..*spec
    };
    format_int(buffer, &spec, address as i64)
}

/// Writes a double as `%.14g`, Lua's own format for floats.
///
/// Returns the number of bytes, 22 at most; `None` when they do not fit.
pub(crate) fn format_g14(buffer: &mut [u8], bits: u64) -> Option<usize> {
    const SPEC: Spec = Spec {
        minus: false,
        plus: false,
        space: false,
        alt: false,
        zero: false,
        width: 0,
        precision: Some(14),
        conv: b'g',
    };
    format_double(buffer, &SPEC, bits)
}

/// Writes an integer as `%d`, Lua's own format for integers.
///
/// Returns the number of bytes, 20 at most; `None` when they do not fit.
pub(crate) fn format_decimal(buffer: &mut [u8], value: i64) -> Option<usize> {
    const SPEC: Spec = Spec {
        minus: false,
        plus: false,
        space: false,
        alt: false,
        zero: false,
        width: 0,
        precision: None,
        conv: b'd',
    };
    format_int(buffer, &SPEC, value)
}
