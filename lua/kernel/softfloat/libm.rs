// SPDX-License-Identifier: GPL-2.0-only

//! The transcendental functions of `math.h` for C code without an FPU: the `libm` crate under C's names; any context.
//!
//! This file is a crate root of its own. A build puts a copy of it next to a copy of the crate's `src/math` and compiles it to
//! one more object of the module, with `-Coverflow-checks=n` (the crate relies on wrapping) and a soft-float target, whose
//! calls `libcalls.c` answers. Nothing here panics or allocates; reducing a great angle takes 0.8 KiB of stack, the
//! most of all. The exact functions (`floor`, `sqrt`, `fmod`, ...) are in `libcalls.c` and left out here.

#[allow(warnings)]
#[rustfmt::skip]
mod math;

// The crate names its parts from its root.
#[allow(unused_imports)]
use math::*;

/// The functions by which C calls these, with the arguments and results of C's own.
mod export {
    macro_rules! export {
        ($($name:ident($($argument:ident),+);)+) => {
            $(
                /// As in C's `math.h`.
                #[no_mangle]
                extern "C" fn $name($($argument: f64),+) -> f64 {
                    crate::math::$name($($argument),+)
                }
            )+
        };
    }

    export! {
        acos(x);
        asin(x);
        atan2(y, x);
        cos(x);
        cosh(x);
        exp(x);
        log(x);
        log10(x);
        log2(x);
        pow(x, y);
        sin(x);
        sinh(x);
        tan(x);
        tanh(x);
    }
}
