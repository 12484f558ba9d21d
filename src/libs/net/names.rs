// SPDX-License-Identifier: GPL-2.0-only

//! Names in the text of hosts(5) and services(5). Pure, any context.
//!
//! Both are lines of fields between blanks, to a `#` or the end. Names of hosts are compared without regard to case.

use super::address::{parse, Ip};

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n').map(|line| line.split(|b| *b == b'#').next().unwrap_or(line))
}

fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty())
}

/// The addresses of a host, each with the host's canonical name.
pub fn host<'a>(text: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = (Ip, &'a [u8])> {
    lines(text).filter_map(move |line| {
        let mut fields = fields(line);
        let ip = parse(fields.next()?)?;
        let canonical = fields.next()?;
        let named = canonical.eq_ignore_ascii_case(name) || fields.any(|alias| alias.eq_ignore_ascii_case(name));
        named.then_some((ip, canonical))
    })
}

/// The name of an address.
pub fn host_name(text: &[u8], ip: Ip) -> Option<&[u8]> {
    lines(text).find_map(|line| {
        let mut fields = fields(line);
        (parse(fields.next()?)? == ip).then(|| fields.next())?
    })
}

/// A line of services(5).
struct Service<'a> {
    line: &'a [u8],
    name: &'a [u8],
    port: u16,
    protocol: &'a [u8],
}

impl<'a> Service<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = fields(line);
        let name = fields.next()?;
        let mut parts = fields.next()?.split(|b| *b == b'/');
        let port = core::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        Some(Self { line, name, port, protocol: parts.next()? })
    }

    fn is_called(&self, name: &[u8]) -> bool {
        self.name == name || fields(self.line).skip(2).any(|alias| alias == name)
    }
}

fn services<'a>(text: &'a [u8], protocol: &'a [u8]) -> impl Iterator<Item = Service<'a>> {
    lines(text).filter_map(Service::parse).filter(move |service| service.protocol == protocol)
}

/// The port of a service.
pub fn port(text: &[u8], name: &[u8], protocol: &[u8]) -> Option<u16> {
    services(text, protocol).find(|service| service.is_called(name)).map(|service| service.port)
}

/// The service of a port.
pub fn service_name<'a>(text: &'a [u8], number: u16, protocol: &'a [u8]) -> Option<&'a [u8]> {
    services(text, protocol).find(|service| service.port == number).map(|service| service.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &[u8] = b"# comment\n127.0.0.1 localhost loop # more\n::1\tlocalhost ip6-localhost\n10.0.0.1\tbox.example box\nbad line\n10.0.0.2";
    const SERVICES: &[u8] = b"echo 7/tcp\necho 7/udp\nhttp 80/tcp www # web\nbad\nx y/tcp\nz 99999/tcp\nlast 9/udp";

    #[test]
    fn hosts() {
        let found: Vec<_> = host(HOSTS, b"LOCALHOST").collect();
        assert_eq!(found, [(Ip::V4([127, 0, 0, 1]), &b"localhost"[..]), (parse(b"::1").unwrap(), &b"localhost"[..])]);
        assert_eq!(host(HOSTS, b"box").next(), Some((Ip::V4([10, 0, 0, 1]), &b"box.example"[..])));
        assert_eq!(host(HOSTS, b"more").next(), None);
        assert_eq!(host(HOSTS, b"").next(), None);
        assert_eq!(host_name(HOSTS, Ip::V4([10, 0, 0, 1])), Some(&b"box.example"[..]));
        assert_eq!(host_name(HOSTS, Ip::V4([10, 0, 0, 2])), None);
    }

    #[test]
    fn services_by_name_and_port() {
        assert_eq!(port(SERVICES, b"www", b"tcp"), Some(80));
        assert_eq!(port(SERVICES, b"http", b"udp"), None);
        assert_eq!(port(SERVICES, b"last", b"udp"), Some(9));
        assert_eq!(port(SERVICES, b"z", b"tcp"), None);
        assert_eq!(service_name(SERVICES, 7, b"udp"), Some(&b"echo"[..]));
        assert_eq!(service_name(SERVICES, 8, b"udp"), None);
    }
}
