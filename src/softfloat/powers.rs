// SPDX-License-Identifier: GPL-2.0-only

//! Powers of five to 128 bits, and the product of a 64-bit number with one of them; any context.
//!
//! The table is computed by the compiler. Every entry is the power rounded down, so a product comes
//! with a proven interval: whoever rounds it can tell when the interval decides, and turn to exact
//! big-number arithmetic when it does not.

/// The least exponent in the table: a 19-digit number times ten to anything less is zero.
pub(crate) const MIN: i32 = -342;
/// The greatest exponent in the table: 17 digits of the least subnormal need 340.
pub(crate) const MAX: i32 = 342;
/// The greatest exponent whose power fits 128 bits and is therefore exact.
const EXACT: i32 = 55;

const COUNT: usize = 685;
/// Limbs of the numbers the table is made from: 2^1023 and less.
const LIMBS: usize = 32;

/// Each entry is the power of five scaled by a power of two to [2^127, 2^128), rounded down.
static POWERS: [(u64, u64); COUNT] = build();

/// An interval around `m * 5^q`: it lies in `[x, x + 2) * 2^exp2`, and is told more precisely by the flags.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    /// The product rounded down; its highest bit is bit 126 or 127.
    pub(crate) x: u128,
    /// The weight of bit 0 of `x`.
    pub(crate) exp2: i32,
    /// The power was exact: the product is `x`, plus less than one unit if `sticky`.
    pub(crate) exact: bool,
    /// The product is greater than `x`.
    pub(crate) sticky: bool,
}

/// The full product of two 64-bit numbers.
fn widening_mul(a: u64, b: u64) -> u128 {
    u128::from(a).wrapping_mul(u128::from(b))
}

/// `m * 5^q` for `m` with its highest bit set; `None` when `q` is outside the table.
pub(crate) fn multiply(m: u64, q: i32) -> Option<Product> {
    let index = usize::try_from(q.wrapping_sub(MIN)).ok()?;
    let &(high, low) = POWERS.get(index)?;
    let low_product = widening_mul(m, low);
    // A 64-bit number times a 128-bit one is below 2^192: the sum below cannot overflow.
    let x = widening_mul(m, high).wrapping_add(low_product >> 64);
    let exact = (0..=EXACT).contains(&q);
    Some(Product {
        x,
        exp2: floor_log2_pow5(q).wrapping_sub(127).wrapping_add(64),
        exact,
        sticky: !exact || low_product as u64 != 0,
    })
}

/// The exponent of two of `5^q`, rounded down, for every `q` of the table.
const fn floor_log2_pow5(q: i32) -> i32 {
    q.wrapping_mul(152_170) >> 16
}

/// `x / 2^shift`, rounded to the nearest integer and to the even one of two; `sticky` says that `x` stands for
/// a number greater than itself by less than one. `shift` is 1 to 128.
pub(crate) fn round_shift(x: u128, shift: u32, sticky: bool) -> u64 {
    let quotient = x.checked_shr(shift).unwrap_or(0) as u64;
    let half = 1u128.checked_shl(shift.wrapping_sub(1)).unwrap_or(0);
    let rest = x & (half | half.wrapping_sub(1));
    let up = rest > half || (rest == half && (sticky || quotient & 1 != 0));
    quotient.wrapping_add(u64::from(up))
}

/// The 128 highest bits of a little-endian number that is at least 2^127, rounded down. For the compiler only.
#[allow(clippy::indexing_slicing)]
const fn top_bits(limbs: &[u32; LIMBS]) -> (u64, u64) {
    let mut top = LIMBS - 1;
    while limbs[top] == 0 {
        top -= 1;
    }
    let shift = limbs[top].leading_zeros();
    let mut window = [0u32; 4];
    let mut i = 0;
    while i < 4 {
        let high = if top >= i { limbs[top - i] } else { 0 };
        let low = if top > i { limbs[top - i - 1] } else { 0 };
        let pair = ((high as u64) << 32) | low as u64;
        window[i] = (pair >> (32 - shift)) as u32;
        i += 1;
    }
    (
        ((window[0] as u64) << 32) | window[1] as u64,
        ((window[2] as u64) << 32) | window[3] as u64,
    )
}

/// The table, run by the compiler: an index out of bounds here would stop the build, not the kernel.
#[allow(clippy::indexing_slicing)]
const fn build() -> [(u64, u64); COUNT] {
    let mut table = [(0, 0); COUNT];
    let zero = -MIN as usize;

    // Upwards by multiplication; 5^342 has 795 bits.
    let mut number = [0u32; LIMBS];
    number[0] = 1;
    let mut q = 0;
    while q <= MAX as usize {
        table[zero + q] = top_bits(&number);
        let mut carry = 0u64;
        let mut i = 0;
        while i < LIMBS {
            let t = number[i] as u64 * 5 + carry;
            number[i] = t as u32;
            carry = t >> 32;
            i += 1;
        }
        q += 1;
    }

    // Downwards by dividing 2^1023 again and again: the floor of a floor is the floor.
    let mut number = [0u32; LIMBS];
    number[LIMBS - 1] = 1 << 31;
    let mut q = 1;
    while q <= zero {
        let mut rest = 0u64;
        let mut i = LIMBS;
        while i > 0 {
            i -= 1;
            let t = (rest << 32) | number[i] as u64;
            number[i] = (t / 5) as u32;
            rest = t % 5;
        }
        table[zero - q] = top_bits(&number);
        q += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exact reference: the bits of 5^|q|, little-endian, by plain multiplication.
    fn pow5(n: u32) -> Vec<u32> {
        let mut v = vec![1u32];
        for _ in 0..n {
            let mut carry = 0u64;
            for limb in &mut v {
                let t = u64::from(*limb) * 5 + carry;
                *limb = t as u32;
                carry = t >> 32;
            }
            if carry != 0 {
                v.push(carry as u32);
            }
        }
        v
    }

    fn bit_length(v: &[u32]) -> i32 {
        let mut n = v.len();
        while n > 0 && v[n - 1] == 0 {
            n -= 1;
        }
        if n == 0 {
            0
        } else {
            n as i32 * 32 - v[n - 1].leading_zeros() as i32
        }
    }

    #[test]
    fn exponents_are_those_of_the_powers() {
        for q in MIN..=MAX {
            let bits = bit_length(&pow5(q.unsigned_abs()));
            let expected = if q >= 0 { bits - 1 } else { -bits };
            assert_eq!(floor_log2_pow5(q), expected, "q = {q}");
        }
    }

    #[test]
    fn products_say_what_they_left_out() {
        for q in MIN..=MAX {
            let product = multiply(u64::MAX, q).unwrap();
            assert_eq!(
                product.exact,
                q >= 0 && bit_length(&pow5(q.unsigned_abs())) <= 128,
                "q = {q}"
            );
            assert!(product.exact || product.sticky, "q = {q}");
            assert!(product.x.leading_zeros() <= 1, "q = {q}");
        }
        // 5^55 is odd and has 128 bits: half of it has its last bit beyond the result.
        assert!(multiply(1 << 63, 55).unwrap().sticky);
        assert!(!multiply(1 << 63, 3).unwrap().sticky);
        assert!(multiply(1 << 63, MIN - 1).is_none() && multiply(1 << 63, MAX + 1).is_none());
    }

    #[test]
    fn rounding_is_to_nearest_even() {
        let half = 1u128 << 69;
        for (x, sticky, rounded) in [
            (half - 1, true, 0),
            (half, false, 0),
            (half, true, 1),
            (half + 1, false, 1),
            (3 * half - 1, true, 1),
            (3 * half, false, 2),
            (5 * half, false, 2),
            (5 * half, true, 3),
        ] {
            assert_eq!(round_shift(x, 70, sticky), rounded, "{x:#x} {sticky}");
        }
        assert_eq!(round_shift(1 << 127, 128, false), 0);
        assert_eq!(round_shift(1 << 127, 128, true), 1);
        assert_eq!(round_shift(u128::MAX, 128, true), 1);
    }

    /// `power * p < 2^n <= power * (p + 1)` for the reciprocals, equality of the leading bits for the others.
    #[test]
    fn entries_are_rounded_down() {
        for q in MIN..=MAX {
            let (high, low) = POWERS[(q - MIN) as usize];
            assert!(high >> 63 == 1, "q = {q} is not normalised");
            let p = (u128::from(high) << 64) | u128::from(low);
            let power = pow5(q.unsigned_abs());
            if q >= 0 {
                let bits = bit_length(&power);
                for i in 0..128 {
                    let at = bits - 128 + i;
                    let want = at >= 0 && power[at as usize / 32] >> (at % 32) & 1 == 1;
                    assert_eq!(p >> i & 1 == 1, want, "q = {q}, bit {i}");
                }
            } else {
                let multiply = |p: u128| {
                    let mut product = vec![0u32; power.len() + 5];
                    for (i, &a) in power.iter().enumerate() {
                        let mut carry = 0u64;
                        for j in 0..5 {
                            let b = if j < 4 { (p >> (32 * j)) as u32 } else { 0 };
                            let t = u64::from(a) * u64::from(b) + u64::from(product[i + j]) + carry;
                            product[i + j] = t as u32;
                            carry = t >> 32;
                        }
                    }
                    product
                };
                let n = bit_length(&power) + 127;
                assert!(bit_length(&multiply(p)) <= n, "q = {q} is too great");
                if p != u128::MAX {
                    assert!(bit_length(&multiply(p + 1)) > n, "q = {q} is too small");
                }
            }
        }
    }
}
