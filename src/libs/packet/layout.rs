// SPDX-License-Identifier: GPL-2.0-only

//! Where the headers of a packet lie. Pure, any context; see the module's own page.
//!
//! The rules are those of RFC 791, 8200, 9293, 768, 792, 4443, 826 and IEEE 802.1Q, as a receiver applies them.

/// Groups of fields: a packet has all fields of a group or none.
pub mod has {
    /// An IPv4 header.
    pub const IP4: u32 = 1;
    /// An IPv6 header.
    pub const IP6: u32 = 2;
    /// An ARP message of Ethernet and IPv4.
    pub const ARP: u32 = 4;
    /// An IP header of either version.
    pub const IP: u32 = 8;
    /// The protocol above IP is known.
    pub const PROTOCOL: u32 = 16;
    /// Two ports.
    pub const PORTS: u32 = 32;
    /// A TCP header.
    pub const TCP: u32 = 64;
    /// A UDP header.
    pub const UDP: u32 = 128;
    /// An ICMP or ICMPv6 header.
    pub const ICMP: u32 = 256;
    /// The same, of a kind with an identifier and a sequence number.
    pub const ECHO: u32 = 512;
    /// What lies above the transport header is known.
    pub const PAYLOAD: u32 = 1024;
    /// An IPv6 fragment header, or an IPv4 header.
    pub const FRAGMENT: u32 = 2048;
    /// A VLAN tag.
    pub const VLAN: u32 = 4096;
    /// An Ethernet header. Set by the kernel's side alone.
    pub const ETHER: u32 = 8192;
    /// What the kernel's side looks up: always there.
    pub const LOOKED: u32 = 16384;
}

/// Values that are worked out, by their place in [`Layout::computed`].
pub mod computed {
    /// The protocol above IP and its extension headers.
    pub const PROTOCOL: usize = 0;
    /// Position of the payload, 1-based, from the network header on.
    pub const PAYLOAD: usize = 1;
    /// Its length in bytes.
    pub const PAYLOAD_LEN: usize = 2;
    /// Offset of a fragment in bytes.
    pub const FRAG_OFF: usize = 3;
    /// 1 when more fragments follow.
    pub const MF: usize = 4;
    /// Identification: of IPv4, or of an IPv6 fragment.
    pub const ID: usize = 5;
    /// Tag control information of the outermost VLAN tag.
    pub const VLAN_TCI: usize = 6;
    /// The tag's own EtherType.
    pub const VLAN_PROTO: usize = 7;
    /// The EtherType of the network header.
    pub const ETHERTYPE: usize = 8;
    /// 1 for any fragment.
    pub const FRAGMENT: usize = 9;
    /// How many there are.
    pub const COUNT: usize = 10;
}

/// `struct lunatik_layout`: the outcome of [`parse`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Groups that the packet has, see [`has`].
    pub has: u32,
    /// So many bytes from the beginning would tell more; 0 when these are enough.
    pub wants: u32,
    /// Offset of the network header: behind VLAN tags that lie before it.
    pub l3: u32,
    /// Offset of the transport header from the network header; 0 if there is none.
    pub l4: u32,
    /// See [`computed`]; big-endian, as in a header.
    pub computed: [[u8; 4]; computed::COUNT],
}

impl Layout {
    fn compute(&mut self, which: usize, value: usize) {
        if let Some(slot) = self.computed.get_mut(which) {
            *slot = (value as u32).to_be_bytes();
        }
    }

    /// A computed value.
    #[cfg(test)]
    pub fn value(&self, which: usize) -> u32 {
        self.computed.get(which).copied().map_or(0, u32::from_be_bytes)
    }
}

/// EtherTypes, as the kernel names them.
const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_8021Q: u16 = 0x8100;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021AD: u16 = 0x88a8;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Tags before the network header that are skipped.
const TAGS: usize = 2;
/// Extension headers that are followed: more than an honest packet has.
const EXTENSIONS: usize = 12;

/// What is at hand of a packet.
struct Bytes<'a> {
    /// From the network header on.
    head: &'a [u8],
    /// Bytes the packet has from there on; at least those of `head`.
    len: usize,
    /// Bytes that were missing.
    wants: usize,
}

impl<'a> Bytes<'a> {
    /// `N` bytes from `at` on. What the packet has but `head` has not is asked for.
    fn take<const N: usize>(&mut self, at: usize) -> Option<&'a [u8; N]> {
        let end = at.checked_add(N)?;
        let found = self.head.get(at..end).and_then(|bytes| bytes.first_chunk());
        if found.is_none() && end <= self.len {
            self.wants = self.wants.max(end);
        }
        found
    }

    fn be16(&mut self, at: usize) -> Option<usize> {
        self.take(at).map(|bytes| usize::from(u16::from_be_bytes(*bytes)))
    }
}

/// Finds the headers in `head`, the beginning of a packet of `len` bytes whose network header is of type `ethertype`.
/// `jumbo`: the packet may be longer than its length field can say, which then is 0.
pub fn parse(head: &[u8], len: usize, ethertype: u16, jumbo: bool) -> Layout {
    let mut out = Layout { has: has::LOOKED, ..Layout::default() };
    let mut kind = ethertype;
    let (mut rest, mut skipped) = (Bytes { head, len: len.max(head.len()), wants: 0 }, 0);
    for _ in 0..TAGS {
        if kind != ETH_P_8021Q && kind != ETH_P_8021AD {
            break;
        }
        let (Some(tci), Some(inner)) = (rest.be16(0), rest.be16(2)) else { break };
        if out.has & has::VLAN == 0 {
            out.has |= has::VLAN;
            out.compute(computed::VLAN_TCI, tci);
            out.compute(computed::VLAN_PROTO, usize::from(kind));
        }
        kind = inner as u16;
        skipped += 4;
        rest.head = rest.head.get(4..).unwrap_or(&[]);
        rest.len = rest.len.saturating_sub(4);
    }
    out.l3 = skipped as u32;
    out.compute(computed::ETHERTYPE, usize::from(kind));
    let done = match kind {
        ETH_P_IP => ipv4(&mut rest, jumbo, &mut out),
        ETH_P_IPV6 => ipv6(&mut rest, jumbo, &mut out),
        ETH_P_ARP => arp(&mut rest, &mut out),
        _ => None,
    };
    // What is missing decides alone.
    let _ = done;
    if rest.wants > 0 {
        out.wants = (rest.wants.saturating_add(skipped)).min(u32::MAX as usize) as u32;
    }
    out
}

fn ipv4(bytes: &mut Bytes<'_>, jumbo: bool, out: &mut Layout) -> Option<()> {
    let header: &[u8; 20] = bytes.take(0)?;
    let [first, _, len_high, len_low, id_high, id_low, flags, offset, _, protocol, ..] = *header;
    let header_len = usize::from(first & 15) * 4;
    if first >> 4 != 4 || header_len < 20 {
        return None;
    }
    let said = usize::from(u16::from_be_bytes([len_high, len_low]));
    let fragment = u16::from_be_bytes([flags, offset]);
    let frag_off = usize::from(fragment & 0x1fff) * 8;
    let more = usize::from(fragment >> 13 & 1);
    out.has |= has::IP4 | has::IP | has::PROTOCOL | has::FRAGMENT;
    out.compute(computed::PROTOCOL, usize::from(protocol));
    out.compute(computed::ID, usize::from(u16::from_be_bytes([id_high, id_low])));
    out.compute(computed::FRAG_OFF, frag_off);
    out.compute(computed::MF, more);
    out.compute(computed::FRAGMENT, usize::from(frag_off > 0 || more > 0));
    let end = if said == 0 && jumbo { bytes.len } else { said.min(bytes.len) };
    if end < header_len {
        return None;
    }
    if frag_off > 0 {
        return payload(out, header_len, end);
    }
    transport(bytes, protocol, header_len, end, protocol == ICMP, out)
}

fn ipv6(bytes: &mut Bytes<'_>, jumbo: bool, out: &mut Layout) -> Option<()> {
    let header: &[u8; 40] = bytes.take(0)?;
    let [first, _, _, _, len_high, len_low, mut next, ..] = *header;
    if first >> 4 != 6 {
        return None;
    }
    out.has |= has::IP6 | has::IP;
    let said = usize::from(u16::from_be_bytes([len_high, len_low]));
    let end = if said == 0 && jumbo { bytes.len } else { said.saturating_add(40).min(bytes.len) };
    let mut at: usize = 40;
    let mut rest_of_fragment = false;
    for _ in 0..EXTENSIONS {
        let step = match next {
            // Hop-by-hop and destination options, routing: the length is in units of 8 bytes, less one.
            0 | 43 | 60 => {
                let [after, units] = *within(bytes, at, end)?;
                next = after;
                usize::from(units) * 8 + 8
            }
            // Authentication header: in units of 4, less two.
            51 => {
                let [after, units] = *within(bytes, at, end)?;
                next = after;
                usize::from(units) * 4 + 8
            }
            44 => {
                let [after, _, high, low, a, b, c, d] = *within(bytes, at, end)?;
                let word = u16::from_be_bytes([high, low]);
                next = after;
                out.has |= has::FRAGMENT;
                out.compute(computed::FRAG_OFF, usize::from(word & 0xfff8));
                out.compute(computed::MF, usize::from(word & 1));
                out.compute(computed::ID, u32::from_be_bytes([a, b, c, d]) as usize);
                out.compute(computed::FRAGMENT, 1);
                rest_of_fragment = word & 0xfff8 != 0;
                8
            }
            _ => {
                out.has |= has::PROTOCOL;
                out.compute(computed::PROTOCOL, usize::from(next));
                return transport(bytes, next, at, end, next == ICMPV6, out);
            }
        };
        at = at.checked_add(step)?;
        if at > end {
            return None;
        }
        if rest_of_fragment {
            // What follows lies in the first fragment.
            out.has |= has::PROTOCOL;
            out.compute(computed::PROTOCOL, usize::from(next));
            return payload(out, at, end);
        }
    }
    None
}

/// `N` bytes from `at` on that lie before `end`.
fn within<'a, const N: usize>(bytes: &mut Bytes<'a>, at: usize, end: usize) -> Option<&'a [u8; N]> {
    if at.checked_add(N)? > end {
        return None;
    }
    bytes.take(at)
}

/// What lies from `at` to `end` is the payload.
fn payload(out: &mut Layout, at: usize, end: usize) -> Option<()> {
    out.has |= has::PAYLOAD;
    out.compute(computed::PAYLOAD, at.checked_add(1)?);
    out.compute(computed::PAYLOAD_LEN, end.checked_sub(at)?);
    Some(())
}

/// The header of `protocol` at `at`, in a packet that ends at `end`.
fn transport(
    bytes: &mut Bytes<'_>,
    protocol: u8,
    at: usize,
    end: usize,
    icmp: bool,
    out: &mut Layout,
) -> Option<()> {
    let header_len = match protocol {
        TCP => {
            let header: &[u8; 20] = within(bytes, at, end).or_else(|| {
                // Ports stand in the first bytes, whatever becomes of the rest.
                ports(bytes, at, end, out);
                None
            })?;
            out.has |= has::PORTS | has::TCP;
            out.l4 = at as u32;
            let [_, _, _, _, _, _, _, _, _, _, _, _, offset, ..] = *header;
            let header_len = usize::from(offset >> 4) * 4;
            if header_len < 20 {
                return None;
            }
            header_len
        }
        // UDP and UDP-Lite.
        UDP | 136 => {
            ports(bytes, at, end, out)?;
            let _: &[u8; 8] = within(bytes, at, end)?;
            out.has |= has::UDP;
            8
        }
        // DCCP and SCTP.
        33 | 132 => return ports(bytes, at, end, out),
        _ if icmp => {
            let [kind, ..] = *within::<8>(bytes, at, end)?;
            out.has |= has::ICMP;
            out.l4 = at as u32;
            let echo = if protocol == ICMP { matches!(kind, 0 | 8 | 13..=18) } else { matches!(kind, 128 | 129) };
            if echo {
                out.has |= has::ECHO;
            }
            8
        }
        // Nothing follows, RFC 8200.
        59 => return None,
        _ => 0,
    };
    let from = at.checked_add(header_len)?;
    if from > end {
        return None;
    }
    out.l4 = at as u32;
    payload(out, from, end)
}

fn ports(bytes: &mut Bytes<'_>, at: usize, end: usize, out: &mut Layout) -> Option<()> {
    let _: &[u8; 4] = within(bytes, at, end)?;
    out.has |= has::PORTS;
    out.l4 = at as u32;
    Some(())
}

fn arp(bytes: &mut Bytes<'_>, out: &mut Layout) -> Option<()> {
    let header: &[u8; 28] = bytes.take(0)?;
    if header.first_chunk() == Some(&[0, 1, 8, 0, 6, 4]) {
        out.has |= has::ARP;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip4(protocol: u8, body: &[u8]) -> Vec<u8> {
        let len = (20 + body.len()) as u16;
        let mut p = vec![0x45, 0, (len >> 8) as u8, len as u8, 0x12, 0x34, 0, 0, 64, protocol, 0, 0];
        p.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        p.extend(body);
        p
    }

    fn ip6(next: u8, body: &[u8]) -> Vec<u8> {
        let len = body.len() as u16;
        let mut p = vec![0x60, 0, 0, 0, (len >> 8) as u8, len as u8, next, 64];
        p.extend([0; 32]);
        p.extend(body);
        p
    }

    fn tcp(payload: usize) -> Vec<u8> {
        let mut t = vec![0; 20 + payload];
        t[12] = 0x50;
        t
    }

    fn of(bytes: &[u8], kind: u16) -> Layout {
        parse(bytes, bytes.len(), kind, false)
    }

    #[test]
    fn tcp_over_either_ip() {
        let l = of(&ip4(6, &tcp(5)), ETH_P_IP);
        assert_eq!(l.has, has::LOOKED | has::IP4 | has::IP | has::PROTOCOL | has::FRAGMENT | has::PORTS | has::TCP | has::PAYLOAD);
        assert_eq!((l.l3, l.l4, l.wants), (0, 20, 0));
        assert_eq!((l.value(computed::PAYLOAD), l.value(computed::PAYLOAD_LEN)), (41, 5));
        assert_eq!((l.value(computed::ID), l.value(computed::PROTOCOL)), (0x1234, 6));
        let l = of(&ip6(6, &tcp(7)), ETH_P_IPV6);
        assert_eq!(l.has, has::LOOKED | has::IP6 | has::IP | has::PROTOCOL | has::PORTS | has::TCP | has::PAYLOAD);
        assert_eq!((l.l4, l.value(computed::PAYLOAD_LEN)), (40, 7));
    }

    #[test]
    fn padding_is_no_payload() {
        let mut p = ip4(17, &[0, 53, 0, 53, 0, 9, 0, 0, 1]);
        p.extend([0; 20]);
        assert_eq!(of(&p, ETH_P_IP).value(computed::PAYLOAD_LEN), 1);
    }

    #[test]
    fn a_header_that_claims_more_than_there_is() {
        // The IP header's own length.
        let mut p = ip4(6, &tcp(0));
        p[0] = 0x4f;
        assert_eq!(of(&p, ETH_P_IP).has & (has::PORTS | has::PAYLOAD), 0);
        p[0] = 0x44;
        assert_eq!(of(&p, ETH_P_IP).has, has::LOOKED);
        // TCP's.
        let mut t = tcp(0);
        t[12] = 0xf0;
        let l = of(&ip4(6, &t), ETH_P_IP);
        assert_eq!((l.has & has::TCP, l.has & has::PAYLOAD), (has::TCP, 0));
        // A total length below the header's.
        let mut p = ip4(6, &tcp(0));
        (p[2], p[3]) = (0, 19);
        assert_eq!(of(&p, ETH_P_IP).has & (has::IP4 | has::PORTS), has::IP4);
        // A total length of zero is a jumbogram's where there can be one, and nothing elsewhere.
        (p[2], p[3]) = (0, 0);
        assert_eq!(of(&p, ETH_P_IP).has & has::TCP, 0);
        assert_eq!(parse(&p, p.len(), ETH_P_IP, true).has & has::TCP, has::TCP);
    }

    #[test]
    fn a_cut_transport_header() {
        let l = of(&ip4(6, &[0, 80, 1, 2, 9]), ETH_P_IP);
        assert_eq!(l.has & (has::PORTS | has::TCP | has::PAYLOAD), has::PORTS);
        assert_eq!(of(&ip4(6, &[0, 80, 1]), ETH_P_IP).has & has::PORTS, 0);
        assert_eq!(of(&ip4(17, &[0, 80, 1, 2, 0, 8]), ETH_P_IP).has & (has::PORTS | has::UDP), has::PORTS);
        assert_eq!(of(&ip4(1, &[8, 0, 0, 0]), ETH_P_IP).has & has::ICMP, 0);
    }

    #[test]
    fn fragments_but_the_first_have_no_ports() {
        let mut p = ip4(17, &[0; 24]);
        p[6] = 0x20;
        let l = of(&p, ETH_P_IP);
        assert_eq!((l.has & has::PORTS, l.value(computed::MF), l.value(computed::FRAGMENT)), (has::PORTS, 1, 1));
        p[7] = 3;
        let l = of(&p, ETH_P_IP);
        assert_eq!((l.has & has::PORTS, l.value(computed::FRAG_OFF), l.value(computed::PAYLOAD_LEN)), (0, 24, 24));
        let first = [&[17, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef][..], &[0; 16]].concat();
        let l = of(&ip6(44, &first), ETH_P_IPV6);
        assert_eq!((l.has & has::PORTS, l.value(computed::ID), l.l4), (has::PORTS, 0xdead_beef, 48));
        let later = [&[17, 0, 0, 0x18, 0, 0, 0, 0][..], &[0; 16]].concat();
        let l = of(&ip6(44, &later), ETH_P_IPV6);
        assert_eq!((l.has & has::PORTS, l.value(computed::FRAG_OFF), l.value(computed::PROTOCOL)), (0, 24, 17));
    }

    #[test]
    fn extension_headers() {
        let options = [60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let more = [58, 0, 0, 0, 0, 0, 0, 0];
        let echo = [128, 0, 0, 0, 0, 1, 0, 2];
        let l = of(&ip6(0, &[&options[..], &more, &echo].concat()), ETH_P_IPV6);
        assert_eq!((l.has & (has::ICMP | has::ECHO), l.l4), (has::ICMP | has::ECHO, 64));
        // ICMP within IPv6 is not ICMP.
        assert_eq!(of(&ip6(1, &echo), ETH_P_IPV6).has & has::ICMP, 0);
        // A chain that leads out of the packet, and one that never ends.
        assert_eq!(of(&ip6(0, &[6, 255, 0, 0, 0, 0, 0, 0]), ETH_P_IPV6).has & has::PROTOCOL, 0);
        assert_eq!(of(&ip6(0, &[0; 256]), ETH_P_IPV6).has & has::PROTOCOL, 0);
    }

    #[test]
    fn more_is_asked_for_only_where_the_packet_has_it() {
        let p = ip4(6, &tcp(100));
        let l = parse(&p[..20], p.len(), ETH_P_IP, false);
        assert_eq!((l.wants, l.has & has::PORTS), (40, 0));
        assert_eq!(parse(&p[..14], p.len(), ETH_P_IP, false).wants, 20);
        assert_eq!(parse(&p[..14], 14, ETH_P_IP, false).wants, 0);
        assert_eq!(of(&p, ETH_P_IP).wants, 0);
    }

    #[test]
    fn tags() {
        let inner = [&[0x20, 5, 0x08, 0][..], &ip4(17, &[0; 8])].concat();
        let l = of(&inner, ETH_P_8021Q);
        assert_eq!((l.l3, l.value(computed::VLAN_TCI), l.value(computed::ETHERTYPE)), (4, 0x2005, 0x800));
        assert_eq!((l.has & has::UDP, l.l4), (has::UDP, 20));
        let outer = [&[0, 9, 0x81, 0][..], &inner].concat();
        let l = of(&outer, ETH_P_8021AD);
        assert_eq!((l.l3, l.value(computed::VLAN_TCI), l.value(computed::VLAN_PROTO)), (8, 9, 0x88a8));
    }

    #[test]
    fn arp_of_ethernet_and_ipv4_alone() {
        let mut p = vec![0, 1, 8, 0, 6, 4, 0, 1];
        p.extend([0; 20]);
        assert_eq!(of(&p, ETH_P_ARP).has, has::LOOKED | has::ARP);
        p[5] = 16;
        assert_eq!(of(&p, ETH_P_ARP).has, has::LOOKED);
        assert_eq!(of(&p[..27], ETH_P_ARP).has, has::LOOKED);
    }

    /// Whatever the bytes: nothing panics, and what is promised lies within them.
    #[test]
    fn random_bytes() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let kinds = [ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, ETH_P_8021Q, ETH_P_8021AD, 0x1234];
        let protocols = [0, 1, 6, 17, 33, 43, 44, 51, 58, 59, 60, 132, 136, 255];
        for round in 0..400_000_u32 {
            let mut p: Vec<u8> = (0..random() % 120).map(|_| if random() % 3 == 0 { random() as u8 } else { 0 }).collect();
            let kind = kinds[random() as usize % kinds.len()];
            let protocol = protocols[random() as usize % protocols.len()];
            if round % 4 != 0 && p.len() > 9 {
                (p[0], p[9]) = if kind == ETH_P_IP { (0x45, protocol) } else { (0x60, p[9]) };
                if kind == ETH_P_IPV6 {
                    p[6] = protocol;
                }
                let len = random() as u16 % 128;
                let at = if kind == ETH_P_IP { 2 } else { 4 };
                (p[at], p[at + 1]) = ((len >> 8) as u8, len as u8);
            }
            let len = p.len() + random() as usize % 3 * 10;
            let l = parse(&p, len, kind, round % 2 == 0);
            let l4 = l.l3 as usize + l.l4 as usize;
            let need = [
                (has::IP4, l.l3 as usize + 20),
                (has::IP6, l.l3 as usize + 40),
                (has::ARP, l.l3 as usize + 28),
                (has::PORTS, l4 + 4),
                (has::TCP, l4 + 20),
                (has::UDP, l4 + 8),
                (has::ICMP, l4 + 8),
            ];
            for (group, end) in need {
                assert!(l.has & group == 0 || end <= p.len(), "{group} in {p:?}: {l:?}");
            }
            assert!(l.wants as usize <= len && (l.wants == 0 || l.wants as usize > p.len()), "{p:?}: {l:?}");
            if l.has & has::PAYLOAD != 0 {
                let from = l.value(computed::PAYLOAD) as usize - 1;
                assert!(l.l3 as usize + from + l.value(computed::PAYLOAD_LEN) as usize <= len, "{p:?}: {l:?}");
            }
            let again = parse(&p, p.len(), kind, false);
            assert_eq!(again.wants, 0, "{p:?}");
        }
    }
}
