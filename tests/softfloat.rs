// SPDX-License-Identifier: GPL-2.0-only

//! Soft-float arithmetic against the hardware: every function of `lua/kernel/softfloat/libcalls.c` on at least ten
//! million operands or pairs, bit for bit, NaN payload aside.
//!
//! The build links the functions under the prefix `lunatik_sf_`. Every operation prints, for each class of operands,
//! the number of cases and its seed. `LUNATIK_FUZZ_CASES` sets the cases of an operation, `LUNATIK_FUZZ_SEED`
//! repeats a run.

use std::fmt::Debug;
use std::io::Write;

#[link(name = "lunatik_softfloat", kind = "static")]
extern "C" {
    fn lunatik_sf___adddf3(a: u64, b: u64) -> u64;
    fn lunatik_sf___subdf3(a: u64, b: u64) -> u64;
    fn lunatik_sf___muldf3(a: u64, b: u64) -> u64;
    fn lunatik_sf___divdf3(a: u64, b: u64) -> u64;
    fn lunatik_sf_fmod(a: u64, b: u64) -> u64;
    fn lunatik_sf___negdf2(a: u64) -> u64;
    fn lunatik_sf_fabs(a: u64) -> u64;
    fn lunatik_sf_floor(a: u64) -> u64;
    fn lunatik_sf_ceil(a: u64) -> u64;
    fn lunatik_sf_sqrt(a: u64) -> u64;
    fn lunatik_sf_frexp(a: u64, exponent: *mut i32) -> u64;
    fn lunatik_sf_ldexp(a: u64, n: i32) -> u64;
    fn lunatik_sf___eqdf2(a: u64, b: u64) -> i32;
    fn lunatik_sf___nedf2(a: u64, b: u64) -> i32;
    fn lunatik_sf___ltdf2(a: u64, b: u64) -> i32;
    fn lunatik_sf___ledf2(a: u64, b: u64) -> i32;
    fn lunatik_sf___gtdf2(a: u64, b: u64) -> i32;
    fn lunatik_sf___gedf2(a: u64, b: u64) -> i32;
    fn lunatik_sf___unorddf2(a: u64, b: u64) -> i32;
    fn lunatik_sf___eqsf2(a: u32, b: u32) -> i32;
    fn lunatik_sf___nesf2(a: u32, b: u32) -> i32;
    fn lunatik_sf___ltsf2(a: u32, b: u32) -> i32;
    fn lunatik_sf___lesf2(a: u32, b: u32) -> i32;
    fn lunatik_sf___gtsf2(a: u32, b: u32) -> i32;
    fn lunatik_sf___gesf2(a: u32, b: u32) -> i32;
    fn lunatik_sf___unordsf2(a: u32, b: u32) -> i32;
    fn lunatik_sf___fixdfdi(a: u64) -> i64;
    fn lunatik_sf_to_integer(a: u64, result: *mut i64) -> i32;
    fn lunatik_sf___fixdfsi(a: u64) -> i32;
    fn lunatik_sf___fixunsdfdi(a: u64) -> u64;
    fn lunatik_sf___fixunsdfsi(a: u64) -> u32;
    fn lunatik_sf___floatdidf(a: i64) -> u64;
    fn lunatik_sf___floatundidf(a: u64) -> u64;
    fn lunatik_sf___floatsidf(a: i32) -> u64;
    fn lunatik_sf___floatunsidf(a: u32) -> u64;
    fn lunatik_sf___truncdfsf2(a: u64) -> u32;
    fn lunatik_sf___extendsfdf2(a: u32) -> u64;

    // The C library's, as references.
    fn frexp(a: f64, exponent: *mut i32) -> f64;
    fn ldexp(a: f64, n: i32) -> f64;
}

const DEFAULT_CASES: u64 = 10_000_000;
const FRACTION: u64 = (1 << 52) - 1;
const SIGN: u64 = 1 << 63;

/// What the operands of a class have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    /// Results that lie half-way between two doubles, or next to that.
    Ties,
    Subnormals,
    Overflow,
    /// Numbers that differ in their last bits, or only in sign and those.
    Cancellation,
    RandomBits,
}

const CLASSES: [Class; 5] = [
    Class::Ties,
    Class::Subnormals,
    Class::Overflow,
    Class::Cancellation,
    Class::RandomBits,
];

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {value}"))
    })
}

/// SplitMix64: small, and good enough to choose test cases.
struct Random(u64);

/// An exponent field of a finite double at its place.
fn field(exponent: i64) -> u64 {
    (exponent.clamp(0, 2046) as u64) << 52
}

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is small.
    fn below(&mut self, limit: u64) -> u64 {
        ((self.next() >> 32) * limit) >> 32
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    /// A fraction: any, or with few bits, or all but few.
    fn fraction(&mut self) -> u64 {
        let bits = self.next();
        match bits >> 60 {
            0..=7 => bits & FRACTION,
            8..=11 => bits & FRACTION & (FRACTION << (bits >> 54 & 63).min(52)),
            12 => FRACTION,
            13 => bits & 1,
            14 => FRACTION ^ 1 << (bits % 52),
            _ => 1 << (bits % 52),
        }
    }

    /// A finite double with this exponent field, or the nearest there is.
    fn double(&mut self, exponent: i64) -> u64 {
        self.next() & SIGN | field(exponent) | self.fraction()
    }

    /// An odd number of exactly `bits` bits.
    fn odd(&mut self, bits: i64) -> u64 {
        1 << (bits - 1) | self.next() >> 1 >> (63 - (bits - 1)) | 1
    }

    fn special(&mut self) -> u64 {
        const SPECIAL: [u64; 8] = [
            0,
            1,
            FRACTION,
            1 << 52,
            0x3ff << 52,
            0x7fe << 52 | FRACTION,
            0x7ff << 52,
            0x7ff8 << 48,
        ];
        self.next() & SIGN | SPECIAL[self.below(8) as usize]
    }

    fn pair(&mut self, class: Class) -> (u64, u64) {
        if self.below(64) == 0 {
            let (a, b) = (self.special(), self.special());
            let c = self.next();
            return match c & 3 {
                0 => (a, b),
                1 => (a, c),
                2 => (c, b),
                _ => (a, self.double((c >> 32 & 0x7ff) as i64)),
            };
        }
        match class {
            Class::Ties => match self.below(4) {
                // A bit of the one just below the last bit of the other.
                0 => {
                    let exponent = self.between(100, 2000);
                    let apart = self.between(50, 56);
                    let low = self.next() & SIGN
                        | field(exponent)
                        | (self.fraction() & self.next() << 49);
                    (self.double(exponent + apart), low)
                }
                // Significands whose product has 54 bits or a few more, the last of them set.
                1 => {
                    let bits = self.between(2, 52);
                    let others = 54 - bits + self.between(0, 12).min(bits - 1);
                    let (a, b) = (self.odd(bits) as f64, self.odd(others) as f64);
                    let scale = field(self.between(600, 1400));
                    (
                        (a * f64::from_bits(scale)).to_bits() | self.next() & SIGN,
                        b.to_bits(),
                    )
                }
                // A quotient of few bits, and its neighbours.
                2 => {
                    let divisor = f64::from_bits(self.double(1023));
                    let bits = self.between(1, 53);
                    let a = (divisor * self.odd(bits) as f64).to_bits();
                    (
                        a.wrapping_add_signed(self.between(-1, 1)),
                        divisor.to_bits(),
                    )
                }
                // The square of a short number, and its neighbours, for the square root.
                _ => {
                    let bits = self.between(1, 27);
                    let root = self.odd(bits) as f64;
                    let a = (root * root).to_bits();
                    (a.wrapping_add_signed(self.between(-1, 1)), root.to_bits())
                }
            },
            Class::Subnormals => match self.below(4) {
                0 => (self.subnormal(), self.subnormal()),
                1 => {
                    let exponent = self.between(0, 60);
                    let pair = (self.subnormal(), self.double(exponent));
                    if self.below(2) == 0 {
                        pair
                    } else {
                        (pair.1, pair.0)
                    }
                }
                // A product there.
                2 => {
                    let exponent = self.between(0, 1023);
                    let other = 1023 - exponent + self.between(-55, 3);
                    (self.double(exponent), self.double(other))
                }
                // A quotient there.
                _ => {
                    let exponent = self.between(0, 1023);
                    let other = exponent + 1023 + self.between(-3, 55);
                    (self.double(exponent), self.double(other))
                }
            },
            Class::Overflow => match self.below(3) {
                0 => {
                    let (a, b) = (self.between(1990, 2046), self.between(1990, 2046));
                    (self.double(a), self.double(b))
                }
                1 => {
                    let a = self.between(1023, 2046);
                    let b = 1023 + 2046 - a + self.between(-2, 2);
                    (self.double(a), self.double(b))
                }
                _ => {
                    let b = self.between(0, 1023);
                    let a = b + 1023 + self.between(-2, 2);
                    (self.double(a), self.double(b))
                }
            },
            Class::Cancellation => {
                let exponent = self.between(0, 2046);
                let a = self.double(exponent);
                let apart = self.next() >> (10 + self.below(54));
                let b = if self.next() & 1 == 0 {
                    a.wrapping_add(apart)
                } else {
                    a.wrapping_sub(apart)
                };
                (a, b ^ self.next() & SIGN)
            }
            Class::RandomBits => (self.next(), self.next()),
        }
    }

    fn subnormal(&mut self) -> u64 {
        self.next() & SIGN | self.fraction() >> self.below(52)
    }

    /// An integer as its 64 bits: what is a tie or overflow for a conversion to a double.
    fn integer(&mut self, class: Class) -> u64 {
        match class {
            Class::Ties => {
                let bits = self.between(54, 64);
                (self.odd(54) << (bits - 54)).wrapping_add_signed(self.between(-1, 1))
            }
            Class::Subnormals => self.between(-100_000, 100_000) as u64,
            Class::Overflow => i64::MIN.wrapping_add(self.between(-5, 5)) as u64,
            Class::Cancellation => 1u64
                .wrapping_shl(self.next() as u32)
                .wrapping_add_signed(self.between(-2, 2)),
            Class::RandomBits => (self.next() as i64 >> self.below(64)) as u64,
        }
    }

    /// Doubles around the borders of integers, for what rounds to one.
    fn near_integer(&mut self, class: Class) -> u64 {
        match class {
            Class::Ties => {
                let bits = self.between(1, 54);
                let value = self.odd(bits) as f64 / 2.0;
                (value.to_bits() | self.next() & SIGN).wrapping_add_signed(self.between(-1, 1))
            }
            Class::Subnormals => self.pair(class).0,
            Class::Overflow => {
                let exponent = *[1023 + 31, 1023 + 32, 1023 + 63, 1023 + 64]
                    .get(self.below(4) as usize)
                    .unwrap_or(&0);
                let a = self.next() & SIGN | field(exponent);
                let more = if self.below(8) == 0 {
                    0
                } else {
                    self.fraction() >> 20 << 20
                };
                a.wrapping_add_signed(self.between(-3, 3))
                    .wrapping_add(more)
            }
            Class::Cancellation => (self.integer(class) as i64 as f64).to_bits(),
            Class::RandomBits => {
                if self.next() & 1 == 0 {
                    self.next()
                } else {
                    let exponent = self.between(1000, 1100);
                    self.double(exponent)
                }
            }
        }
    }
}

/// NaN is equal to NaN, whatever its payload.
fn same(a: u64, b: u64) -> bool {
    a == b || (f64::from_bits(a).is_nan() && f64::from_bits(b).is_nan())
}

/// Runs an operation over all classes: `operand` makes its input, `check` tells whether soft and hard agree.
fn run<T: Copy + Debug, R: Copy + Debug>(
    name: &str,
    operand: impl Fn(&mut Random, Class) -> T,
    soft: impl Fn(T) -> R,
    hard: impl Fn(T) -> R,
    same: impl Fn(R, R) -> bool,
) {
    let cases = from_environment("LUNATIK_FUZZ_CASES")
        .unwrap_or(DEFAULT_CASES)
        .div_ceil(CLASSES.len() as u64);
    let seed = from_environment("LUNATIK_FUZZ_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64
    });
    for class in CLASSES {
        // Not println: the harness would swallow it when the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "soft-float: {name}: {class:?}: {cases} cases, seed {seed}"
        );
        let mut random = Random(seed);
        for _ in 0..cases {
            let input = operand(&mut random, class);
            let (ours, theirs) = (soft(input), hard(input));
            assert!(
                same(ours, theirs),
                "{name} of {input:x?} ({class:?}): {ours:x?} here, {theirs:x?} in hardware"
            );
        }
    }
}

fn binary(name: &str, soft: unsafe extern "C" fn(u64, u64) -> u64, hard: impl Fn(f64, f64) -> f64) {
    run(
        name,
        Random::pair,
        // SAFETY: the function takes any bits.
        |(a, b)| unsafe { soft(a, b) },
        |(a, b)| hard(f64::from_bits(a), f64::from_bits(b)).to_bits(),
        same,
    );
}

fn unary(
    name: &str,
    operand: impl Fn(&mut Random, Class) -> u64,
    soft: unsafe extern "C" fn(u64) -> u64,
    hard: impl Fn(f64) -> f64,
) {
    run(
        name,
        operand,
        // SAFETY: the function takes any bits.
        |a| unsafe { soft(a) },
        |a| hard(f64::from_bits(a)).to_bits(),
        same,
    );
}

fn comparison(
    name: &str,
    soft: unsafe extern "C" fn(u64, u64) -> i32,
    meaning: impl Fn(i32) -> bool,
    hard: impl Fn(f64, f64) -> bool,
) {
    run(
        name,
        Random::pair,
        // SAFETY: the function takes any bits.
        |(a, b)| meaning(unsafe { soft(a, b) }),
        |(a, b)| hard(f64::from_bits(a), f64::from_bits(b)),
        |ours, theirs| ours == theirs,
    );
}

fn equal<T: PartialEq>(a: T, b: T) -> bool {
    a == b
}

#[test]
fn addition() {
    binary("__adddf3", lunatik_sf___adddf3, |a, b| a + b);
}

#[test]
fn subtraction() {
    binary("__subdf3", lunatik_sf___subdf3, |a, b| a - b);
}

#[test]
fn multiplication() {
    binary("__muldf3", lunatik_sf___muldf3, |a, b| a * b);
}

#[test]
fn division() {
    binary("__divdf3", lunatik_sf___divdf3, |a, b| a / b);
}

#[test]
fn remainder() {
    binary("fmod", lunatik_sf_fmod, |a, b| a % b);
}

#[test]
fn signs() {
    unary(
        "__negdf2",
        |r, class| r.pair(class).0,
        lunatik_sf___negdf2,
        |a| -a,
    );
    unary(
        "fabs",
        |r, class| r.pair(class).0,
        lunatik_sf_fabs,
        f64::abs,
    );
}

#[test]
fn roots() {
    unary(
        "sqrt",
        |r, class| r.pair(class).0 & !(r.next() & SIGN),
        lunatik_sf_sqrt,
        f64::sqrt,
    );
}

#[test]
fn integral_parts() {
    unary("floor", Random::near_integer, lunatik_sf_floor, f64::floor);
    unary("ceil", Random::near_integer, lunatik_sf_ceil, f64::ceil);
}

#[test]
fn equality() {
    comparison("__eqdf2", lunatik_sf___eqdf2, |r| r == 0, |a, b| a == b);
    comparison("__nedf2", lunatik_sf___nedf2, |r| r != 0, |a, b| a != b);
    comparison(
        "__unorddf2",
        lunatik_sf___unorddf2,
        |r| r != 0,
        |a, b| a.is_nan() || b.is_nan(),
    );
}

#[test]
fn order() {
    comparison("__ltdf2", lunatik_sf___ltdf2, |r| r < 0, |a, b| a < b);
    comparison("__ledf2", lunatik_sf___ledf2, |r| r <= 0, |a, b| a <= b);
    comparison("__gtdf2", lunatik_sf___gtdf2, |r| r > 0, |a, b| a > b);
    comparison("__gedf2", lunatik_sf___gedf2, |r| r >= 0, |a, b| a >= b);
}

/// What SSE2's conversions give for numbers the type cannot hold is what the functions give: the least value.
#[test]
fn to_integers() {
    use std::arch::x86_64::{_mm_cvttsd_si32, _mm_cvttsd_si64, _mm_set_sd};
    run(
        "__fixdfdi",
        Random::near_integer,
        // SAFETY: the function takes any bits.
        |a| unsafe { lunatik_sf___fixdfdi(a) },
        // SAFETY: every x86-64 has SSE2.
        |a| unsafe { _mm_cvttsd_si64(_mm_set_sd(f64::from_bits(a))) },
        equal,
    );
    run(
        "to_integer",
        Random::near_integer,
        |a| {
            let mut result = 0;
            // SAFETY: the function takes any bits and a place for the integer.
            (unsafe { lunatik_sf_to_integer(a, &mut result) } != 0).then_some(result)
        },
        |a| {
            let value = f64::from_bits(a);
            (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
                .contains(&value)
                .then_some(value as i64)
        },
        equal,
    );
    run(
        "__fixdfsi",
        Random::near_integer,
        // SAFETY: the function takes any bits.
        |a| unsafe { lunatik_sf___fixdfsi(a) },
        // SAFETY: every x86-64 has SSE2.
        |a| unsafe { _mm_cvttsd_si32(_mm_set_sd(f64::from_bits(a))) },
        equal,
    );
    // Rust saturates, but takes NaN for 0, which here counts as too great.
    run(
        "__fixunsdfdi",
        Random::near_integer,
        // SAFETY: the function takes any bits.
        |a| unsafe { lunatik_sf___fixunsdfdi(a) },
        |a| {
            let value = f64::from_bits(a);
            if value.is_nan() && value.is_sign_positive() {
                u64::MAX
            } else {
                value as u64
            }
        },
        equal,
    );
    run(
        "__fixunsdfsi",
        Random::near_integer,
        // SAFETY: the function takes any bits.
        |a| unsafe { lunatik_sf___fixunsdfsi(a) },
        |a| {
            let value = f64::from_bits(a);
            if value.is_nan() && value.is_sign_positive() {
                u32::MAX
            } else {
                value as u32
            }
        },
        equal,
    );
}

#[test]
fn from_integers() {
    run(
        "__floatdidf",
        Random::integer,
        // SAFETY: the function takes any integer.
        |a| unsafe { lunatik_sf___floatdidf(a as i64) },
        |a| (a as i64 as f64).to_bits(),
        equal,
    );
    run(
        "__floatundidf",
        Random::integer,
        // SAFETY: the function takes any integer.
        |a| unsafe { lunatik_sf___floatundidf(a) },
        |a| (a as f64).to_bits(),
        equal,
    );
    run(
        "__floatsidf",
        |r, class| r.integer(class) as i32,
        // SAFETY: the function takes any integer.
        |a| unsafe { lunatik_sf___floatsidf(a) },
        |a| f64::from(a).to_bits(),
        equal,
    );
    run(
        "__floatunsidf",
        |r, class| r.integer(class) as u32,
        // SAFETY: the function takes any integer.
        |a| unsafe { lunatik_sf___floatunsidf(a) },
        |a| f64::from(a).to_bits(),
        equal,
    );
}

/// Doubles that become normal, subnormal and infinite floats, and those half-way between two floats.
fn near_float(random: &mut Random, class: Class) -> u64 {
    let fraction = random.fraction();
    let sign = random.next() & SIGN;
    match class {
        Class::Ties => {
            let exponent = random.between(1023 - 150, 1023 + 128);
            let tie = fraction >> 29 << 29 | 1 << 28;
            (sign | field(exponent) | tie).wrapping_add_signed(random.between(-1, 1))
        }
        Class::Subnormals => sign | field(random.between(1023 - 151, 1023 - 125)) | fraction,
        Class::Overflow => sign | field(random.between(1023 + 126, 1023 + 129)) | fraction,
        Class::Cancellation => f64::from(f32::from_bits(random.next() as u32)).to_bits(),
        Class::RandomBits => random.next(),
    }
}

#[test]
fn single_precision() {
    run(
        "__truncdfsf2",
        near_float,
        // SAFETY: the function takes any bits.
        |a| unsafe { lunatik_sf___truncdfsf2(a) },
        |a| (f64::from_bits(a) as f32).to_bits(),
        |a, b| a == b || (f32::from_bits(a).is_nan() && f32::from_bits(b).is_nan()),
    );
    run(
        "__extendsfdf2",
        |random, class| (f64::from_bits(near_float(random, class)) as f32).to_bits(),
        // SAFETY: the function takes any bits.
        |a| unsafe { lunatik_sf___extendsfdf2(a) },
        |a| f64::from(f32::from_bits(a)).to_bits(),
        same,
    );
}

/// All comparisons of two floats, a bit each.
#[test]
fn single_precision_order() {
    run(
        "__eqsf2, __nesf2, __ltsf2, __lesf2, __gtsf2, __gesf2, __unordsf2",
        |r, class| match class {
            Class::RandomBits => (r.next() as u32, r.next() as u32),
            Class::Cancellation => {
                let a = r.next() as u32;
                (
                    a,
                    a.wrapping_add_signed(r.between(-1, 1) as i32) ^ (r.next() as u32 & 1 << 31),
                )
            }
            _ => {
                let (a, b) = (near_float(r, class), near_float(r, class));
                (
                    (f64::from_bits(a) as f32).to_bits(),
                    (f64::from_bits(b) as f32).to_bits(),
                )
            }
        },
        // SAFETY: the functions take any bits.
        |(a, b)| unsafe {
            [
                lunatik_sf___eqsf2(a, b) == 0,
                lunatik_sf___nesf2(a, b) != 0,
                lunatik_sf___ltsf2(a, b) < 0,
                lunatik_sf___lesf2(a, b) <= 0,
                lunatik_sf___gtsf2(a, b) > 0,
                lunatik_sf___gesf2(a, b) >= 0,
                lunatik_sf___unordsf2(a, b) != 0,
            ]
        },
        |(a, b)| {
            let (a, b) = (f32::from_bits(a), f32::from_bits(b));
            [
                a == b,
                a != b,
                a < b,
                a <= b,
                a > b,
                a >= b,
                a.is_nan() || b.is_nan(),
            ]
        },
        equal,
    );
}

#[test]
fn exponents() {
    run(
        "frexp",
        |r, class| r.pair(class).0,
        |a| {
            let mut exponent = 0;
            // SAFETY: the function takes any bits and a place for the exponent.
            let fraction = unsafe { lunatik_sf_frexp(a, &mut exponent) };
            (fraction, exponent)
        },
        |a| {
            let mut exponent = 0;
            // SAFETY: the function takes any number and a place for the exponent.
            let fraction = unsafe { frexp(f64::from_bits(a), &mut exponent) };
            (fraction.to_bits(), exponent)
        },
        |ours, theirs| same(ours.0, theirs.0) && ours.1 == theirs.1,
    );
    run(
        "ldexp",
        |r, class| {
            let a = r.pair(class).0;
            let n = match r.below(4) {
                0 => r.next() as i32,
                // Into the subnormal numbers, where ldexp rounds.
                1 => (r.between(-55, 2) as i32).wrapping_sub((a >> 52 & 0x7ff) as i32),
                _ => r.between(-2200, 2200) as i32,
            };
            (a, n)
        },
        // SAFETY: the function takes any bits and any integer.
        |(a, n)| unsafe { lunatik_sf_ldexp(a, n) },
        // SAFETY: the function takes any number and any integer.
        |(a, n)| unsafe { ldexp(f64::from_bits(a), n) }.to_bits(),
        same,
    );
}
