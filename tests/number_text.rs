// SPDX-License-Identifier: GPL-2.0-only

//! Number text against the C library: what `softfloat::parse` and `softfloat::format` do must be what glibc's `strtod`
//! and `snprintf` do, to the last bit and character.
//!
//! Every class prints its number of cases and its seed. `LUNATIK_FUZZ_CASES` sets the number of cases of all
//! classes together (10000000 for the long form), `LUNATIK_FUZZ_SEED` repeats a run.

use std::cell::Cell;
use std::ffi::{c_char, c_int, CString};
use std::io::Write;

#[allow(dead_code)]
#[path = "../src/softfloat/mod.rs"]
mod softfloat;

#[allow(dead_code)]
#[path = "../src/lua/text.rs"]
mod text;

use softfloat::{format, parse};

extern "C" {
    fn strtod(s: *const c_char, end: *mut *mut c_char) -> f64;
    fn snprintf(buffer: *mut c_char, size: usize, spec: *const c_char, ...) -> c_int;
}

/// Counts a case that only the C library gets wrong.
fn only_libc_is_wrong() {
    MISTAKES.with(|mistakes| mistakes.set(mistakes.get() + 1));
}

thread_local! {
    static MISTAKES: Cell<u64> = const { Cell::new(0) };
}

const DEFAULT_CASES: u64 = 1_700_000;
/// The classes below: each gets an equal part of the cases.
const CLASSES: u64 = 17;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {value}"))
    })
}

/// SplitMix64: small, and good enough to choose test cases.
struct Random(Cell<u64>);

impl Random {
    fn next(&self) -> u64 {
        let mut z = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(z);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn between(&self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    fn one_in(&self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn digits(&self, count: u64) -> String {
        (0..count)
            .map(|_| (b'0' + self.below(10) as u8) as char)
            .collect()
    }

    fn pick(&self, alphabet: &[u8]) -> char {
        alphabet[self.below(alphabet.len() as u64) as usize] as char
    }
}

/// Runs one class of cases and says how many there were.
fn class(name: &str, case: impl Fn(&Random)) {
    let cases = (from_environment("LUNATIK_FUZZ_CASES").unwrap_or(DEFAULT_CASES) / CLASSES).max(1);
    let seed = from_environment("LUNATIK_FUZZ_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64
    });
    // Not println: the harness would swallow it when the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "number text: {name}: {cases} cases, seed {seed}"
    );
    let random = Random(Cell::new(seed));
    for _ in 0..cases {
        case(&random);
    }
    let mistakes = MISTAKES.take();
    if mistakes != 0 {
        let _ = writeln!(
            std::io::stderr(),
            "number text: {mistakes} cases that only this C library gets wrong"
        );
    }
}

/// What the C library reads: bits and length.
fn libc_read(text: &str) -> (u64, usize) {
    let c = CString::new(text).unwrap();
    let mut end = std::ptr::null_mut();
    // SAFETY: a zero-terminated string and a place for the end.
    let value = unsafe { strtod(c.as_ptr(), &mut end) };
    (value.to_bits(), end as usize - c.as_ptr() as usize)
}

/// Compares one reading. glibc up to 2.36 at least misrounds some subnormal numbers (0x15ae0330000001.8p-1075 and the same in
/// decimal lose their last bit, seen; 2.41 is right), so where the two differ Rust's own conversion, a third
/// implementation, has to agree with this one.
fn check(text: &str, ours: (u64, usize), decimal: impl FnOnce() -> String) {
    let theirs = libc_read(text);
    if ours == theirs {
        return;
    }
    let decimal = decimal();
    let judge = decimal.parse::<f64>().map(f64::to_bits);
    assert!(
        ours.1 == theirs.1 && judge == Ok(ours.0),
        "strtod({text:?}): {ours:x?} here, {theirs:x?} in libc, {judge:x?} in Rust"
    );
    only_libc_is_wrong();
}

fn check_read(text: &str) {
    let ours = parse::parse(text.as_bytes()).unwrap_or((0, 0));
    check(text, ours, || text[..ours.1].trim().to_string());
}

fn check_read_hex(text: &str) {
    let ours = parse::parse_hex(text.as_bytes()).unwrap_or((0, 0));
    check(text, ours, || decimal_of_hex(text));
}

/// A hexadecimal number whose exponent is in a double's range, written in decimal.
fn decimal_of_hex(text: &str) -> String {
    let text = text.trim_start().to_ascii_lowercase();
    let (sign, text) = text.split_once("0x").unwrap();
    let end = text
        .find(|c: char| !c.is_ascii_hexdigit() && c != '.')
        .unwrap_or(text.len());
    let (digits, exponent) = text.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let exponent: i32 = exponent
        .strip_prefix('p')
        .map_or(0, |e| e.parse().unwrap_or(0));
    let digits = format!("{whole}{fraction}");
    let (digits, exp10) = expand(&digits, exponent - 4 * fraction.len() as i32);
    format!("{sign}{digits}e{exp10}")
}

fn libc_write(spec: &str, value: f64) -> String {
    let c = CString::new(spec).unwrap();
    let mut buffer = [0u8; 4000];
    // SAFETY: the buffer has the size given, and the specification is for one double.
    let length = unsafe { snprintf(buffer.as_mut_ptr().cast(), buffer.len(), c.as_ptr(), value) };
    assert!(
        (0..4000).contains(&length),
        "snprintf({spec:?}) gives {length}"
    );
    String::from_utf8(buffer[..length as usize].to_vec()).unwrap()
}

fn write(spec: &str, item: impl FnOnce(&mut [u8], &format::Spec) -> Option<usize>) -> String {
    let mut buffer = [0u8; 4000];
    let parsed = format::parse_spec(spec.as_bytes()).unwrap_or_else(|| panic!("{spec:?} refused"));
    let length = item(&mut buffer, &parsed).unwrap_or_else(|| panic!("{spec:?} failed"));
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

fn check_write(spec: &str, value: f64) {
    let ours = write(spec, |out, spec| {
        format::format_double(out, spec, value.to_bits())
    });
    let theirs = libc_write(spec, value);
    if ours == theirs {
        return;
    }
    // glibc up to 2.41 at least drops the zeros that `#` asks for when %g rounds up to a power of ten that needs an exponent
    // (%#g of 999999.9999 gives "1.e+06", seen). C defines %g by %e, where glibc is right.
    if let (Some(head), true) = (spec.strip_suffix(['g', 'G']), spec.contains('#')) {
        let (head, precision) = head.split_once('.').unwrap_or((head, "6"));
        let precision: i64 = precision.parse().unwrap_or(0);
        let e = if spec.ends_with('g') { 'e' } else { 'E' };
        if ours == libc_write(&format!("{head}.{}{e}", (precision - 1).max(0)), value) {
            only_libc_is_wrong();
            return;
        }
    }
    let bits = value.to_bits();
    assert!(
        ours == theirs,
        "{spec:?} of {bits:#x}: {ours:?} here, {theirs:?} in libc"
    );
}

/// The number `hex * 2^exp2` in decimal: digits, and the exponent of ten that belongs to them.
fn expand(hex: &str, exp2: i32) -> (String, i32) {
    const BASE: u64 = 1_000_000_000;
    let mut limbs: Vec<u64> = vec![0];
    for digit in hex.chars() {
        let mut carry = u64::from(digit.to_digit(16).unwrap());
        for limb in &mut limbs {
            let t = *limb * 16 + carry;
            *limb = t % BASE;
            carry = t / BASE;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let (factor, step) = if exp2 >= 0 { (2, 29) } else { (5, 12) };
    let mut left = exp2.unsigned_abs();
    while left > 0 {
        let now = left.min(step);
        let by = u64::pow(factor, now);
        let mut carry = 0;
        for limb in &mut limbs {
            let t = *limb * by + carry;
            *limb = t % BASE;
            carry = t / BASE;
        }
        if carry > 0 {
            limbs.push(carry);
        }
        left -= now;
    }
    let mut text: String = limbs
        .iter()
        .rev()
        .map(|limb| format!("{limb:09}"))
        .collect();
    text = text.trim_start_matches('0').to_string();
    (text, exp2.min(0))
}

/// A finite double with the exponent field in the range, as mantissa and exponent of its lowest bit.
fn random_finite(random: &Random, low: i64, high: i64) -> (u64, i32) {
    let field = random.between(low, high) as i32;
    let mut fraction = random.next() & ((1 << 52) - 1);
    if random.one_in(4) {
        fraction &= u64::MAX << random.below(52);
    }
    if random.one_in(16) {
        fraction = (1 << 52) - 1 - random.below(2);
    }
    if field == 0 {
        (fraction >> random.below(52), -1074)
    } else {
        (fraction | 1 << 52, field - 1075)
    }
}

#[test]
fn reading() {
    class("read short decimals", |random| {
        let mut text = String::new();
        if random.one_in(4) {
            text.push(random.pick(b"+-"));
        }
        let (before, after) = (random.below(10), random.below(10));
        text += &random.digits(before);
        if random.one_in(2) {
            text.push('.');
            text += &random.digits(after);
        }
        if random.one_in(2) {
            text += &format!("e{}", random.between(-40, 40));
        }
        check_read(&text);
    });
    class("read printed random bits", |random| {
        let value = f64::from_bits(random.next());
        if value.is_finite() {
            let precision = random.below(25);
            check_read(&format!("{value:.*e}", precision as usize));
            check_read(&format!("{value:e}"));
        }
    });
    class("read ties", |random| {
        let (mantissa, exp2) = match random.below(4) {
            // The cost of the exact digits grows with the exponent: half of the cases stay small.
            0 => random_finite(random, 0, 2046),
            1 => random_finite(random, 0, 2),
            _ => random_finite(random, 900, 1200),
        };
        let odd = format!("{:x}", 2 * mantissa + 1);
        let (digits, exp10) = expand(&odd, exp2 - 1);
        match random.below(5) {
            0 | 1 => check_read(&format!("{digits}e{exp10}")),
            2 => {
                let zeros = "0".repeat(random.below(30) as usize);
                check_read(&format!("{digits}.{zeros}1e{exp10}"));
            }
            3 => {
                // One unit less in the last digit, which is 5 or even and not 0 before a negative exponent.
                let (head, last) = digits.split_at(digits.len() - 1);
                let last: u8 = last.parse().unwrap();
                if last > 0 {
                    let nines = "9".repeat(random.below(30) as usize);
                    check_read(&format!("{head}{}.{nines}e{exp10}", last - 1));
                }
            }
            _ => {
                // Cut short: just below the tie.
                let cut = 1 + random.below(digits.len() as u64) as usize;
                let exponent = exp10 + (digits.len() - cut) as i32;
                check_read(&format!("{}e{exponent}", &digits[..cut]));
            }
        }
    });
    class("read subnormals", |random| {
        let value = f64::from_bits((random.next() & ((1 << 53) - 1)) >> random.below(53));
        let precision = if random.one_in(8) {
            random.below(780)
        } else {
            random.below(24)
        };
        check_read(&format!("{value:.*e}", precision as usize));
        let exponent = random.between(-345, -300);
        let digits = random.digits(1 + random.below(30));
        check_read(&format!("{}.{digits}e{exponent}", random.below(10)));
    });
    class("read overflow", |random| {
        let exponent = random.between(300, 312);
        let digits = random.digits(random.below(25));
        check_read(&format!("{}.{digits}e{exponent}", random.below(10)));
        let tail = random.digits(random.below(25));
        check_read(&format!("1.797693134862315{tail}e308"));
        check_read(&format!("0.00017976931348623158{tail}e312"));
        check_read(&format!("{}e{}", random.below(3), random.next() as i64));
    });
    class("read long digits", |random| {
        let before = if random.one_in(4) {
            random.below(400)
        } else {
            random.below(30)
        };
        let after = if random.one_in(16) {
            random.below(4000)
        } else {
            random.below(60)
        };
        let zeros = "0".repeat(if random.one_in(4) {
            random.below(400) as usize
        } else {
            0
        });
        let (head, tail) = (random.digits(before), random.digits(after));
        let exponent = random.between(-700, 700);
        check_read(&format!("{head}.{zeros}{tail}e{exponent}"));
        check_read(&format!("0.{zeros}{tail}"));
        // The digits of a double, or of the middle of two, and far behind them nothing, or a little more.
        let value = f64::from_bits(random.next() & !(1 << 63) & !(1 << 62) | 1 << 61);
        let value = if value.is_finite() { value } else { 1.5 };
        let more = ["", "1", ".0", ".1", "e-3"][random.below(5) as usize];
        check_read(&format!("{value:.0}{zeros}{more}"));
        check_read(&format!("{}{}5{zeros}{more}", "0".repeat(random.below(20) as usize), 2 * (1_u64 << 52 | random.next() >> 12) + 1));
        check_read(&format!("{head}{zeros}{more}"));
        check_read(&format!("1{tail}e{zeros}{}", random.between(-300, 300).unsigned_abs()));
        check_read(&format!("{head}.{tail}e-{zeros}{}{tail}", random.below(9)));
        check_read_hex(&format!("0x{zeros}{head}{tail}"));
        check_read_hex(&format!("0x{head}{}{zeros}.{zeros}{tail}p{}", random.pick(b"abcdefABCDEFg1"), random.between(-1100, 1100)));
    });
    class("read any syntax", |random| {
        let length = random.below(12);
        let mut text: String = (0..length)
            .map(|_| random.pick(b"01239+-.eE \t\n\x0b\x0c\r"))
            .collect();
        if random.one_in(2) {
            text = text.trim_start().to_string();
        }
        check_read(&text);
    });
    class("read hexadecimal", |random| {
        let hex = b"0123456789abcdefABCDEF";
        let mut text = String::from(
            *[" 0x", "-0X", "+0x", "0x"]
                .get(random.below(4) as usize)
                .unwrap(),
        );
        let longest = if random.one_in(8) { 60 } else { 16 };
        let zeros = if random.one_in(4) {
            random.below(40) as usize
        } else {
            0
        };
        text += &"0".repeat(zeros);
        for _ in 0..random.below(longest) {
            text.push(random.pick(hex));
        }
        if random.one_in(2) {
            text.push('.');
            text += &"0".repeat(if random.one_in(4) {
                random.below(40) as usize
            } else {
                0
            });
            for _ in 0..random.below(longest) {
                text.push(random.pick(if random.one_in(3) { b"08" } else { hex }));
            }
        }
        match random.below(8) {
            0 => text += "p",
            1 => text += "p+",
            2 => text += &format!("p{}", random.between(-1200, -1000)),
            3 => text += &format!("P{}", random.between(900, 1100)),
            4 => text += &format!("p{}", random.next() as i64),
            5 => text += &format!("p{:+}", random.between(-70, 70)),
            6 => text.push(random.pick(b"gx.-pP")),
            _ => {}
        }
        check_read_hex(&text);
    });
    class("read hexadecimal ties", |random| {
        let (mantissa, exp2) = random_finite(random, 0, 2046);
        let tail = *["", "", "0", "0000000000001", "8"]
            .get(random.below(5) as usize)
            .unwrap();
        let middle = 2 * mantissa + random.below(2);
        check_read_hex(&format!("0x{middle:x}.{tail}p{}", exp2 - 1));
    });
}

/// In place of the module's keyed hash.
#[no_mangle]
extern "C" fn lunatik_hash_ptr(address: *const std::ffi::c_void) -> u64 {
    address as u64 ^ 0xff00
}

#[test]
fn c_entries() {
    let read = |s: &str, hex: bool| {
        let c = CString::new(s).unwrap();
        let mut end = std::ptr::null_mut();
        // SAFETY: a zero-terminated string, and a place for the end or none.
        unsafe {
            let read = if hex {
                text::lunatik_strxtod
            } else {
                text::lunatik_strtod
            };
            let bits = read(c.as_ptr(), &mut end);
            assert_eq!(bits, read(c.as_ptr(), std::ptr::null_mut()));
            (f64::from_bits(bits), end as usize - c.as_ptr() as usize)
        }
    };
    assert_eq!(read(" -1.5e1;", false), (-15.0, 7));
    assert_eq!(read("0x.8p1", true), (1.0, 6));
    assert_eq!(read("0x10", false), (0.0, 1));
    assert_eq!(read("10", true), (0.0, 0));
    assert_eq!(read("", false), (0.0, 0));
    assert_eq!(read("  +", false), (0.0, 0));

    let mut buffer = [b'?' as c_char; 8];
    let mut write = |size: usize, item: &dyn Fn(*mut c_char, usize) -> c_int| {
        assert!(size <= buffer.len());
        buffer.fill(b'?' as c_char);
        let length = item(buffer.as_mut_ptr(), size);
        // What stands before the zero byte when there is one, and everything behind a good result.
        let text = buffer
            .iter()
            .map(|&c| c as u8 as char)
            .collect::<String>()
            .replace('\0', "$");
        match text.split_once('$') {
            Some((head, _)) if length < 0 => (length, format!("{head}$")),
            _ => (length, text),
        }
    };
    let bits = 0.25f64.to_bits();
    // SAFETY: in all of these the buffer has the size given, and the strings are zero-terminated.
    unsafe {
        let g14 = |b, n| text::lunatik_fmt_g14(b, n, bits);
        assert_eq!(write(5, &g14), (4, "0.25$???".into()));
        assert_eq!(write(4, &g14), (-1, "$".into()));
        assert_eq!(write(1, &g14), (-1, "$".into()));
        assert_eq!(write(0, &g14), (-1, "????????".into()));
        let g14 = |_, n| text::lunatik_fmt_g14(std::ptr::null_mut(), n, bits);
        assert_eq!(write(8, &g14).0, -1);
        let double = |b, n| text::lunatik_fmt_double(b, n, c"%7.1f".as_ptr(), bits);
        assert_eq!(write(8, &double), (7, "    0.2$".into()));
        let wrong = |b, n| text::lunatik_fmt_double(b, n, c"%d".as_ptr(), bits);
        assert_eq!(write(8, &wrong).0, -1);
        let int = |b, n| text::lunatik_fmt_int(b, n, c"%+lld".as_ptr(), 42);
        assert_eq!(write(4, &int), (3, "+42$????".into()));
        let decimal = |b, n| text::lunatik_fmt_decimal(b, n, -42);
        assert_eq!(write(4, &decimal), (3, "-42$????".into()));
        let zero = |b, n| text::lunatik_fmt_int(b, n, c"%c".as_ptr(), 0);
        assert_eq!(write(4, &zero), (1, "$$??????".into()));
        let s = |b, n| text::lunatik_fmt_str(b, n, c"%.2s".as_ptr(), c"abc".as_ptr());
        assert_eq!(write(3, &s), (2, "ab$?????".into()));
        let hashed = |b, n| text::lunatik_fmt_ptr(b, n, c"%p".as_ptr(), 0x2_0001 as *const _);
        assert_eq!(write(8, &hashed), (7, "0x2ff01$".into()));
        let null = |b, n| text::lunatik_fmt_ptr(b, n, c"%p".as_ptr(), std::ptr::null());
        assert_eq!(write(8, &null), (5, "(nil)$??".into()));
    }
}

/// Flags, width, and what is asked for behind the point.
fn random_spec(random: &Random, convs: &[u8], largest_precision: u64) -> String {
    let mut spec = String::from("%");
    while random.one_in(2) {
        spec.push(random.pick(b"-+ #0"));
    }
    if random.one_in(3) {
        spec += &random.below(40).to_string();
        // A width that starts with 0 is a flag, which is just as well.
    }
    match random.below(4) {
        0 => {}
        1 => spec += ".",
        _ => spec += &format!(".{}", random.below(largest_precision + 1)),
    }
    spec.push(random.pick(convs));
    spec
}

const DOUBLES: &[u8] = b"eEfFgGaA";

#[test]
fn writing() {
    class("write random bits", |random| {
        let spec = random_spec(random, DOUBLES, 40);
        check_write(&spec, f64::from_bits(random.next()));
    });
    class("write %.14g and %.17g", |random| {
        let bits = random.next();
        let value = match random.below(4) {
            0 => f64::from_bits(bits),
            1 => (bits as i64 >> random.below(64)) as f64,
            2 => {
                random.digits(1 + random.below(16)).parse::<f64>().unwrap()
                    / 10f64.powi(random.between(0, 22) as i32)
            }
            _ => 10f64.powi(random.between(-308, 308) as i32),
        };
        let near = f64::from_bits(value.to_bits() ^ random.below(2));
        check_write("%.14g", near);
        check_write("%.17g", near);
        let mut buffer = [0; 32];
        let length = format::format_g14(&mut buffer, near.to_bits()).unwrap();
        assert_eq!(
            std::str::from_utf8(&buffer[..length]).unwrap(),
            libc_write("%.14g", near)
        );
    });
    class("write ties", |random| {
        // An odd multiple of 2^-places has its last digit, a 5, at that place: one digit less is a tie.
        let places = 1 + random.below(20);
        let value =
            (random.below(1 << 40) >> random.below(40) | 1) as f64 / (1u64 << places) as f64;
        check_write(&format!("%.{}f", places - 1), value);
        let (digits, _) = expand(
            &format!("{:x}", (value * (1u64 << places) as f64) as u64),
            -(places as i32),
        );
        if digits.len() >= 2 {
            check_write(&format!("%.{}e", digits.len() - 2), value);
            check_write(&format!("%.{}g", digits.len() - 1), value);
        }
        // Great ones: an odd multiple of 5 * 10^n.
        let places = random.below(10) as u32;
        let value = ((random.below(1 << 20) * 2 + 1) * 5 * 10u64.pow(places)) as f64;
        let length = format!("{value}").len();
        check_write(
            &format!("%.{}e", length.saturating_sub(places as usize + 2)),
            value,
        );
    });
    class("write subnormals", |random| {
        let value = f64::from_bits(
            random.next() << 63 | (random.next() & ((1 << 53) - 1)) >> random.below(53),
        );
        let spec = random_spec(random, DOUBLES, 60);
        check_write(&spec, value);
    });
    class("write great precisions", |random| {
        let value = match random.below(3) {
            0 => f64::from_bits(random.next()),
            1 => f64::from_bits(random.next() >> 12 >> random.below(52)),
            _ => f64::from_bits((random.between(960, 1100) as u64) << 52 | random.next() >> 12),
        };
        let spec = random_spec(random, DOUBLES, if random.one_in(10) { 1100 } else { 99 });
        check_write(&spec, value);
    });
    class("write near powers of ten and specials", |random| {
        let power = 10f64.powi(random.between(-323, 308) as i32);
        let near = f64::from_bits(
            power
                .to_bits()
                .wrapping_add(random.below(5))
                .wrapping_sub(2),
        );
        let spec = random_spec(random, DOUBLES, 25);
        check_write(&spec, near);
        let special = [
            0.0,
            -0.0,
            f64::INFINITY,
            -f64::INFINITY,
            f64::NAN,
            -f64::NAN,
            f64::MAX,
            5e-324,
        ];
        let spec = random_spec(random, DOUBLES, 25);
        check_write(&spec, special[random.below(8) as usize]);
    });
    class("write integers", |random| {
        let value = match random.below(8) {
            0 => random.between(-2, 2),
            1 => i64::MIN + random.below(2) as i64,
            _ => random.next() as i64 >> random.below(64),
        };
        let spec = random_spec(random, b"diuoxX", 40);
        let ours = write(&spec, |out, spec| format::format_int(out, spec, value));
        let (head, conv) = spec.split_at(spec.len() - 1);
        let c = CString::new(format!("{head}ll{conv}")).unwrap();
        let mut buffer = [0u8; 4000];
        // SAFETY: the buffer has the size given, and the specification is for one long long.
        let length =
            unsafe { snprintf(buffer.as_mut_ptr().cast(), buffer.len(), c.as_ptr(), value) };
        let theirs = std::str::from_utf8(&buffer[..length as usize]).unwrap();
        assert!(
            ours == theirs,
            "{spec:?} of {value}: {ours:?} here, {theirs:?} in libc"
        );
    });
    class("write strings and characters", |random| {
        let text = random.digits(random.below(30));
        let mut spec = random_spec(random, b"sc", 40);
        // Flags other than these are undefined for strings in C.
        spec.retain(|c| !"+ #".contains(c));
        let spec = spec.replace("%0", "%");
        let conv = spec.bytes().last();
        let c = CString::new(spec.as_str()).unwrap();
        let value = CString::new(text.as_str()).unwrap();
        let mut buffer = [0u8; 4000];
        let byte = b'A' as c_int;
        let (ours, length) = if conv == Some(b's') {
            let ours = write(&spec, |out, spec| {
                format::format_str(out, spec, text.as_bytes())
            });
            // SAFETY: the buffer has the size given, and the specification is for one string.
            (ours, unsafe {
                snprintf(
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    c.as_ptr(),
                    value.as_ptr(),
                )
            })
        } else {
            let ours = write(&spec, |out, spec| {
                format::format_int(out, spec, byte.into())
            });
            // SAFETY: the buffer has the size given, and the specification is for one character.
            (ours, unsafe {
                snprintf(buffer.as_mut_ptr().cast(), buffer.len(), c.as_ptr(), byte)
            })
        };
        let theirs = std::str::from_utf8(&buffer[..length as usize]).unwrap();
        assert!(
            ours == theirs,
            "{spec:?} of {text:?}: {ours:?} here, {theirs:?} in libc"
        );
    });
}
