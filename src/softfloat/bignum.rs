// SPDX-License-Identifier: GPL-2.0-only

//! Unsigned integers of a fixed largest size, with the few operations exact number text needs; any context.
//!
//! The storage is part of the value, so that it lies on the caller's stack: a [`Big`] of `N` limbs takes `4 * N + 8`
//! bytes. Callers choose `N` so that nothing they compute can overflow it; what would is cut off, as with
//! wrapping arithmetic, and never panics.

use core::cmp::Ordering;

/// The greatest power of five in a limb, and its exponent.
const POW5_LIMB: u32 = 1_220_703_125;
const POW5_LIMB_EXPONENT: u32 = 13;

/// An unsigned integer below `2^(32 * N)`.
pub(crate) struct Big<const N: usize> {
    /// Little-endian limbs; those from `len` on are zero.
    limbs: [u32; N],
    len: usize,
}

impl<const N: usize> Big<N> {
    pub(crate) fn new(value: u64) -> Self {
        let mut big = Self {
            limbs: [0; N],
            len: if value == 0 {
                0
            } else if value >> 32 == 0 {
                1
            } else {
                2
            },
        };
        for (limb, shift) in big.limbs.iter_mut().zip([0, 32]) {
            *limb = (value >> shift) as u32;
        }
        big
    }

    /// Makes a number below `2^places` the fraction `self / 2^places`: the point lies above the limbs in use, and what
    /// [`Self::multiply_within`] carries out of them is the integer part of the product.
    pub(crate) fn make_fraction(&mut self, places: u32) {
        let limbs = places.div_ceil(32);
        self.shift_left(limbs.wrapping_mul(32).wrapping_sub(places));
        self.len = (limbs as usize).min(N);
    }

    /// The limbs in use, the lowest first.
    fn used(&mut self) -> &mut [u32] {
        let len = self.len.min(N);
        self.limbs.get_mut(..len).unwrap_or(&mut [])
    }

    pub(crate) fn is_zero(&self) -> bool {
        let used = self.limbs.get(..self.len).unwrap_or(&self.limbs);
        used.iter().all(|&limb| limb == 0)
    }

    /// `self = self * factor + addend` within the limbs in use; the result is what goes beyond them.
    pub(crate) fn multiply_within(&mut self, factor: u32, addend: u32) -> u32 {
        let mut carry = u64::from(addend);
        for limb in self.used() {
            // At most (2^32 - 1)^2 + 2^32 - 1, below 2^64.
            let t = u64::from(*limb)
                .wrapping_mul(u64::from(factor))
                .wrapping_add(carry);
            *limb = t as u32;
            carry = t >> 32;
        }
        carry as u32
    }

    /// `self = self * factor + addend`.
    pub(crate) fn multiply(&mut self, factor: u32, addend: u32) {
        let carry = self.multiply_within(factor, addend);
        if carry != 0 {
            if let Some(limb) = self.limbs.get_mut(self.len) {
                *limb = carry;
                self.len = self.len.wrapping_add(1);
            }
        }
    }

    /// `self = self * 5^exponent`.
    pub(crate) fn multiply_pow5(&mut self, mut exponent: u32) {
        while let Some(rest) = exponent.checked_sub(POW5_LIMB_EXPONENT) {
            self.multiply(POW5_LIMB, 0);
            exponent = rest;
        }
        self.multiply(5u32.wrapping_pow(exponent), 0);
    }

    /// `self = self * 2^bits`.
    pub(crate) fn shift_left(&mut self, bits: u32) {
        let whole = (bits / 32) as usize;
        if whole != 0 && self.len != 0 {
            let len = self.len.wrapping_add(whole).min(N);
            // From the top down: every place takes the limb `whole` places below it.
            for to in (whole..len).rev() {
                let moved = self.limbs.get(to.wrapping_sub(whole)).copied().unwrap_or(0);
                if let Some(limb) = self.limbs.get_mut(to) {
                    *limb = moved;
                }
            }
            for limb in self.limbs.iter_mut().take(whole) {
                *limb = 0;
            }
            self.len = len;
        }
        let rest = bits & 31;
        if rest != 0 {
            self.multiply(1u32.wrapping_shl(rest), 0);
        }
    }

    /// `self = self / divisor`; the result is the remainder. A divisor of zero leaves everything as it is.
    pub(crate) fn divide(&mut self, divisor: u32) -> u32 {
        let divisor = u64::from(divisor);
        let mut rest = 0u64;
        for limb in self.used().iter_mut().rev() {
            let t = (rest << 32) | u64::from(*limb);
            let Some(quotient) = t.checked_div(divisor) else {
                return 0;
            };
            *limb = quotient as u32;
            rest = t.wrapping_sub(quotient.wrapping_mul(divisor));
        }
        while self.len != 0 && self.limbs.get(self.len.wrapping_sub(1)) == Some(&0) {
            self.len = self.len.wrapping_sub(1);
        }
        rest as u32
    }

    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        // The limbs above `len` are zero: comparing all of them from the top needs no lengths.
        self.limbs.iter().rev().cmp(other.limbs.iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(big: &Big<8>) -> u128 {
        big.limbs
            .iter()
            .rev()
            .fold(0, |sum, &limb| sum << 32 | u128::from(limb))
    }

    #[test]
    fn agrees_with_u128() {
        let mut big = Big::<8>::new(0xffff_ffff_0000_0001);
        big.multiply(0xffff_fff7, 0xffff_ffff);
        let expected = 0xffff_ffff_0000_0001u128 * 0xffff_fff7 + 0xffff_ffff;
        assert_eq!(value(&big), expected);
        assert_eq!(big.divide(1_000_000_007), (expected % 1_000_000_007) as u32);
        assert_eq!(value(&big), expected / 1_000_000_007);

        let mut big = Big::<8>::new(3);
        big.multiply_pow5(40);
        big.shift_left(33);
        assert_eq!(value(&big), (3 * 5u128.pow(40)) << 33);
        assert_eq!(big.compare(&Big::new(u64::MAX)), Ordering::Greater);
        assert_eq!(Big::<8>::new(0).compare(&Big::new(1)), Ordering::Less);
    }

    #[test]
    fn zero_stays_zero() {
        let mut big = Big::<4>::new(0);
        big.multiply(7, 0);
        big.shift_left(70);
        assert!(big.is_zero());
        assert_eq!(big.divide(10), 0);
        assert_eq!(big.multiply_within(10, 3), 3);
    }

    #[test]
    fn overflow_is_cut_off_without_panic() {
        let mut big = Big::<2>::new(u64::MAX);
        big.multiply(u32::MAX, u32::MAX);
        big.shift_left(500);
        assert_eq!(big.limbs, [0, 0]);
        assert_eq!(big.divide(0), 0);
    }
}
