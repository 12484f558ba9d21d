// SPDX-License-Identifier: GPL-2.0-only

//! Numeric addresses, as inet_aton(3) and inet_ntop(3) have them. Pure, any context.
//!
//! A scope of IPv6 (`fe80::1%eth0`) is not read.

use core::fmt::Write;
use core::net::{Ipv4Addr, Ipv6Addr};

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ip {
    /// Of IPv4.
    V4([u8; 4]),
    /// Of IPv6.
    V6([u8; 16]),
}

/// The longest text of an address.
pub const TEXT: usize = 46;

/// A number as C writes it: decimal, octal after `0`, hexadecimal after `0x`.
fn number(text: &str) -> Option<u32> {
    let (digits, base) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (text.get(2..)?, 16),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    // `from_str_radix` takes a sign.
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    u32::from_str_radix(digits, base).ok()
}

/// Up to four numbers, the last of which fills the bytes that are left.
fn parse_v4(text: &str) -> Option<[u8; 4]> {
    let mut value = 0u32;
    let mut left = 32u32;
    let mut parts = text.split('.').peekable();
    let mut count = 0;
    while let Some(part) = parts.next() {
        let n = number(part)?;
        count += 1;
        if parts.peek().is_some() {
            left = left.checked_sub(8)?;
            if n > 255 || count > 3 {
                return None;
            }
            value |= n.checked_shl(left)?;
        } else {
            if left < 32 && n >= 1 << left {
                return None;
            }
            value |= n;
        }
    }
    Some(value.to_be_bytes())
}

/// The address that a text is, if it is one.
pub fn parse(text: &[u8]) -> Option<Ip> {
    let text = core::str::from_utf8(text).ok()?;
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(|ip| Ip::V6(ip.octets()));
    }
    parse_v4(text).map(Ip::V4)
}

struct Text<'a> {
    to: &'a mut [u8; TEXT],
    len: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let end = self.len.saturating_add(s.len());
        self.to.get_mut(self.len..end).ok_or(core::fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Writes an address; its length.
pub fn format(ip: Ip, to: &mut [u8; TEXT]) -> usize {
    let mut text = Text { to, len: 0 };
    let written = match ip {
        Ip::V4(bytes) => write!(text, "{}", Ipv4Addr::from(bytes)),
        Ip::V6(bytes) => write!(text, "{}", Ipv6Addr::from(bytes)),
    };
    match written {
        Ok(()) => text.len,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ip: Ip) -> String {
        let mut to = [0; TEXT];
        let len = format(ip, &mut to);
        String::from_utf8(to[..len].to_vec()).unwrap()
    }

    #[test]
    fn v4_as_inet_aton() {
        for (from, to) in [
            ("127.0.0.1", Some([127, 0, 0, 1])),
            ("127.1", Some([127, 0, 0, 1])),
            ("10.1.2", Some([10, 1, 0, 2])),
            ("0x7f.1", Some([127, 0, 0, 1])),
            ("0177.0.0.1", Some([127, 0, 0, 1])),
            ("2130706433", Some([127, 0, 0, 1])),
            ("255.255.255.255", Some([255; 4])),
            ("256.0.0.1", None),
            ("1.2.3.256", None),
            ("1.2.3.4.5", None),
            ("1..2", None),
            ("", None),
            ("1.2.3.4 ", None),
            ("+1.2.3.4", None),
            ("08.0.0.1", None),
            ("localhost", None),
        ] {
            assert_eq!(parse(from.as_bytes()), to.map(Ip::V4), "{from}");
        }
    }

    #[test]
    fn v6_and_back() {
        for from in ["::", "::1", "fe80::1", "2001:db8::ff00:42:8329", "::ffff:1.2.3.4"] {
            assert_eq!(text(parse(from.as_bytes()).unwrap()), from);
        }
        for bad in [":", "1:2", "::1%lo", "12345::", "::g"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(text(Ip::V4([192, 168, 0, 255])), "192.168.0.255");
        assert_eq!(text(Ip::V6([0xff; 16])).len(), 39);
    }
}
