// SPDX-License-Identifier: GPL-2.0-only

//! Examples with known results for [`super::parse`] and [`super::format`]; the comparison with libc over millions of
//! cases is `tests/number_text.rs`.

use super::format::{
    format_decimal, format_double, format_g14, format_int, format_pointer, format_str, parse_spec,
};
use super::parse::{parse, parse_hex};

fn read(s: &str) -> (f64, usize) {
    let (bits, used) = parse(s.as_bytes()).unwrap_or_else(|| panic!("{s:?} is a number"));
    (f64::from_bits(bits), used)
}

fn write(spec: &str, value: f64) -> String {
    let mut buffer = [0; 2000];
    let parsed =
        parse_spec(spec.as_bytes()).unwrap_or_else(|| panic!("{spec:?} is a specification"));
    let length = format_double(&mut buffer, &parsed, value.to_bits()).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

fn write_int(spec: &str, value: i64) -> String {
    let mut buffer = [0; 200];
    let length = format_int(&mut buffer, &parse_spec(spec.as_bytes()).unwrap(), value).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn reads_decimal() {
    for (text, value, used) in [
        ("0", 0.0, 1),
        ("1.5", 1.5, 3),
        (" \t\n\x0b\x0c\r-2.5e3x", -2500.0, 12),
        ("+.5", 0.5, 3),
        ("5.", 5.0, 2),
        ("1e", 1.0, 1),
        ("1e+", 1.0, 1),
        ("1.2.3", 1.2, 3),
        ("9007199254740993", 9007199254740992.0, 16),
        (
            "9007199254740993.0000000000000000000000000000001",
            9007199254740994.0,
            48,
        ),
        ("1e23", 1e23, 4),
        ("4.9406564584124654e-324", 5e-324, 23),
        ("2.4703282292062327e-324", 0.0, 23),
        ("2.4703282292062328e-324", 5e-324, 23),
        ("2.2250738585072011e-308", 2.225073858507201e-308, 23),
        ("1.7976931348623158e308", f64::MAX, 22),
        ("1.7976931348623159e308", f64::INFINITY, 22),
        ("1e99999999999999999999999", f64::INFINITY, 25),
        ("1e-99999999999999999999999", 0.0, 26),
        ("0e99999999999999999999999", 0.0, 25),
    ] {
        assert_eq!(read(text), (value, used), "{text}");
    }
    assert!(read("-0").0.is_sign_negative());
    for text in ["", ".", "-", "+", "e5", ".e5", "- 1", "inf", "nan", "x"] {
        assert_eq!(parse(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn zeros_and_exponent_may_cancel() {
    let text = format!("0.{}1e100001", "0".repeat(100_000));
    assert_eq!(read(&text), (1.0, text.len()));
    let text = format!("1{}e-100000", "0".repeat(100_000));
    assert_eq!(read(&text), (1.0, text.len()));
}

/// 2^-1075 is the midpoint of zero and the least subnormal, and has the longest expansion of any midpoint.
#[test]
fn last_digit_of_the_longest_midpoints_decides() {
    for (low, expected) in [
        (0u64, 0u64),
        (1, 2),
        (0x000f_ffff_ffff_ffff, 0x0010_0000_0000_0000),
    ] {
        let mut buffer = [0; 2000];
        // The midpoint, written with one more bit than a double has: half of an exactly written odd multiple.
        let twice = (low * 2 + 1).to_string();
        let mut digits: Vec<u8> = twice.bytes().map(|b| b - b'0').collect();
        for _ in 0..1075 {
            let mut carry = 0;
            digits.push(0);
            for digit in digits.iter_mut() {
                let t = carry * 10 + *digit;
                *digit = t / 2;
                carry = t % 2;
            }
            assert_eq!(carry, 0);
        }
        let places = digits.len() - twice.len();
        let body: String = digits.iter().map(|d| (d + b'0') as char).collect();
        let text = |tail: &str| format!("{body}{tail}e-{places}");
        let bits = |s: &str| parse(s.as_bytes()).unwrap().0;
        assert_eq!(
            bits(&text("")),
            expected,
            "the midpoint goes to the even side"
        );
        assert_eq!(bits(&text(".0001")), low + 1);
        assert_eq!(bits(&text(&format!(".{}1", "0".repeat(5000)))), low + 1);
        assert_eq!(bits(&text(&format!(".{}", "0".repeat(5000)))), expected);
        let below = body
            .strip_suffix('5')
            .map(|head| format!("{head}4{}e-{places}", ".999"));
        assert_eq!(bits(&below.unwrap()), low);
        // What was parsed prints as a prefix of what was written.
        let spec = parse_spec(b"%.1074f").unwrap();
        assert!(format_double(&mut buffer, &spec, low).is_some());
    }
}

#[test]
fn reads_hexadecimal() {
    for (text, value, used) in [
        ("0x10", 16.0, 4),
        ("0X.8", 0.5, 4),
        ("0x1.", 1.0, 4),
        ("-0x1.8p3", -12.0, 8),
        ("0x1p", 1.0, 3),
        ("0x1p-1074", 5e-324, 9),
        ("0x1p-1075", 0.0, 9),
        ("0x1.0000001p-1075", 5e-324, 17),
        ("0x1p1023", 8.98846567431158e307, 8),
        ("0x1p1024", f64::INFINITY, 8),
        ("0x1.fffffffffffff7fffp1023", f64::MAX, 26),
        ("0x1.fffffffffffff8p1023", f64::INFINITY, 23),
        ("0xffffffffffffffffff", 4722366482869645213695.0, 20),
        ("0x0p99999999999999999999", 0.0, 24),
        ("0x", 0.0, 1),
        ("0xg", 0.0, 1),
        ("0x.p1", 0.0, 1),
    ] {
        let (bits, length) = parse_hex(text.as_bytes()).unwrap();
        assert_eq!((f64::from_bits(bits), length), (value, used), "{text}");
    }
    assert_eq!(parse_hex(b"10"), None);
}

#[test]
fn writes_doubles() {
    for (spec, value, text) in [
        ("%.14g", 0.1, "0.1"),
        ("%.14g", 1e15, "1e+15"),
        ("%.14g", 1e14, "1e+14"),
        ("%.14g", 123456789012345.0, "1.2345678901234e+14"),
        ("%.14g", -0.0, "-0"),
        ("%.17g", 0.1, "0.10000000000000001"),
        ("%g", 1e-5, "1e-05"),
        ("%g", 0.0001, "0.0001"),
        ("%#g", 1.0, "1.00000"),
        ("%.0f", 0.5, "0"),
        ("%.0f", 1.5, "2"),
        ("%.0f", 2.5, "2"),
        ("%#.0f", 2.5, "2."),
        ("%.0e", 9.5, "1e+01"),
        ("%+8.2f", 3.456, "   +3.46"),
        ("%08.2f", -3.456, "-0003.46"),
        ("%-8.2f", 3.456, "3.46    "),
        ("% f", 1.0, " 1.000000"),
        ("%.3e", 1e100, "1.000e+100"),
        ("%.20f", 0.1, "0.10000000000000000555"),
        ("%.3f", 1e22, "10000000000000000000000.000"),
        ("%a", 3.0, "0x1.8p+1"),
        ("%a", 5e-324, "0x0.0000000000001p-1022"),
        ("%A", -1.0, "-0X1P+0"),
        ("%.0a", 1.5, "0x2p+0"),
        ("%a", 0.0, "0x0p+0"),
        ("%06f", f64::INFINITY, "   inf"),
        ("%+E", f64::INFINITY, "+INF"),
        ("%g", f64::NAN, "nan"),
        ("%g", -f64::NAN, "-nan"),
    ] {
        assert_eq!(write(spec, value), text, "{spec}");
    }
    let full = write("%.1074f", 5e-324);
    assert!(full.len() == 1076 && full.ends_with("447265625"), "{full}");
    assert_eq!(write("%.99f", f64::MAX).len(), 309 + 100);
}

#[test]
fn writes_integers_strings_and_addresses() {
    for (spec, value, text) in [
        ("%d", i64::MIN, "-9223372036854775808"),
        ("%lld", -1, "-1"),
        ("%5.3d", 7, "  007"),
        ("%05d", -42, "-0042"),
        ("%x", -1, "ffffffffffffffff"),
        ("%#X", 255, "0XFF"),
        ("%#o", 8, "010"),
        ("%#o", 0, "0"),
        ("%.0d", 0, ""),
        ("%u", -1, "18446744073709551615"),
        ("%3c", 65, "  A"),
    ] {
        assert_eq!(write_int(spec, value), text, "{spec}");
    }
    let mut buffer = [0; 32];
    let spec = parse_spec(b"%-6.3s").unwrap();
    assert_eq!(format_str(&mut buffer, &spec, b"abcdef"), Some(6));
    assert_eq!(&buffer[..6], b"abc   ");
    let spec = parse_spec(b"%p").unwrap();
    assert_eq!(format_pointer(&mut buffer, &spec, 0xdead_beef), Some(10));
    assert_eq!(&buffer[..10], b"0xdeadbeef");
    assert_eq!(format_pointer(&mut buffer, &spec, 0), Some(5));
    assert_eq!(format_decimal(&mut buffer, -7), Some(2));
    assert_eq!(format_g14(&mut buffer, 2.5f64.to_bits()), Some(3));
}

#[test]
fn small_buffers_and_foreign_conversions_are_refused() {
    let mut buffer = [0; 4];
    let spec = parse_spec(b"%.14g").unwrap();
    assert_eq!(format_double(&mut buffer, &spec, 0.125f64.to_bits()), None);
    assert_eq!(
        format_double(&mut buffer, &spec, 0.25f64.to_bits()),
        Some(4)
    );
    assert_eq!(format_int(&mut buffer, &spec, 1), None);
    assert_eq!(format_str(&mut buffer, &spec, b""), None);
    assert_eq!(format_pointer(&mut buffer, &spec, 1), None);
    let spec = parse_spec(b"%d").unwrap();
    assert_eq!(format_double(&mut buffer, &spec, 0), None);
    let spec = parse_spec(b"%2000000000d").unwrap();
    assert_eq!(format_int(&mut buffer, &spec, 1), None);
}
