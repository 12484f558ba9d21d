// SPDX-License-Identifier: GPL-2.0-only

//! [`crate::user::line`] as `user/readline.c` calls it. User space; the line is the caller's.

use crate::user::line::{Key, Line, View};

/// [`Line::feed`]
#[no_mangle]
pub extern "C" fn lunatik_line_feed(line: &mut Line, byte: u8) -> Key {
    line.feed(byte)
}

/// [`Line::view`]
#[no_mangle]
pub extern "C" fn lunatik_line_view(line: &Line, room: usize) -> View {
    line.view(room)
}
