// SPDX-License-Identifier: GPL-2.0-only

//! Text of numbers without floating-point arithmetic: pure integer code for any context, softirq included.
//!
//! Doubles travel as their 64 bits. [`parse`] reads decimal and hexadecimal numbers as `strtod` does,
//! [`format`] writes one `printf` conversion as glibc does; both are exact to the last bit and digit.
//! Nothing here allocates, panics or keeps state; the deepest call uses less than 1.5 KiB of stack.
//!
//! The arithmetic on doubles (`__adddf3` and its relatives) is C: see `lua/kernel/softfloat/`.

#![deny(unsafe_code)]

pub(crate) mod format;
pub(crate) mod parse;

mod bignum;
mod decimal;
mod powers;
mod spec;

#[cfg(test)]
mod tests;
