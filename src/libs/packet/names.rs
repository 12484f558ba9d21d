// SPDX-License-Identifier: GPL-2.0-only

//! The names that a packet answers to, in a table that is found by the bytes of a name alone.
//!
//! A name of up to 16 bytes is two words, and a multiplication makes its place of them: nothing is made a state, nothing
//! searched. The table is worked out by the compiler, which refuses two names in one place: then `MULTIPLIER` wants
//! another value (`cargo test another_multiplier -- --nocapture` prints one). `src/lua/packet.h` mirrors [`Field`] and the
//! numbers in here for C.

use super::layout::{computed, has};

/// What a name stands for.
pub mod op {
    /// Nothing: the place is free.
    pub const NONE: u8 = 0;
    /// `word >> shift & mask` of the header at `base`.
    pub const INT: u8 = 1;
    /// The same as true or false.
    pub const FLAG: u8 = 2;
    /// Bytes from the network header on.
    pub const LEN: u8 = 3;
    /// A number that the kernel's side looks up; `mask` says which.
    pub const META: u8 = 4;
    /// A word that the kernel's side looks up; `mask` says which.
    pub const NAME: u8 = 5;
    /// An IP address as text.
    pub const ADDRESS: u8 = 6;
    /// An IP address as bytes.
    pub const BYTES: u8 = 7;
    /// An Ethernet address as text.
    pub const ETHER: u8 = 8;
    /// An IPv4 address as text.
    pub const ADDRESS4: u8 = 9;
    /// A function; `mask` says which.
    pub const METHOD: u8 = 10;
}

/// Where a header begins: indices of `base` in `struct lunatik_view`.
mod base {
    pub const NET: u8 = 0;
    pub const TRANSPORT: u8 = 1;
    pub const MAC: u8 = 2;
    pub const COMPUTED: u8 = 3;
}

/// What of a packet can be written, `enum lunatik_packet_write`; 0 is nothing.
mod write {
    pub const MARK: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const SADDR: u8 = 3;
    pub const DADDR: u8 = 4;
    pub const SPORT: u8 = 5;
    pub const DPORT: u8 = 6;
    pub const TTL: u8 = 7;
    pub const TOS: u8 = 8;
    pub const SADDR_N: u8 = 9;
    pub const DADDR_N: u8 = 10;
}

/// One name: `struct lunatik_field`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Field {
    /// The first eight bytes of a longer name, or all, zeros above.
    pub low: u64,
    /// The last eight bytes of a longer name, else its length.
    pub high: u64,
    pub mask: u32,
    /// Groups that a packet must have, see [`has`].
    pub need: u16,
    pub op: u8,
    pub base: u8,
    /// Of the word, from `base`: in IPv4 (and all but IP), in IPv6.
    pub offset: [u8; 2],
    pub shift: [u8; 2],
    /// `enum lunatik_packet_write`
    pub write: u8,
}

/// Places in the table, a power of two.
pub const PLACES: usize = 256;
pub const MULTIPLIER: u64 = 0x9612_d1dd_38fc_c29d;

const fn word(name: &[u8], from: usize, count: usize) -> u64 {
    let (mut value, mut i) = (0, count);
    while i > 0 {
        i -= 1;
        value = value << 8 | name[from + i] as u64;
    }
    value
}

/// A name of 1 to 16 bytes as two words.
const fn words(name: &[u8]) -> (u64, u64) {
    if name.len() <= 8 {
        (word(name, 0, name.len()), name.len() as u64)
    } else {
        (word(name, 0, 8), word(name, name.len() - 8, 8))
    }
}

const fn place(low: u64, high: u64, multiplier: u64) -> usize {
    (low ^ high.rotate_left(19)).wrapping_mul(multiplier) as usize >> 56
}

const FREE: Field = Field { low: 0, high: 0, mask: 0, need: 0, op: op::NONE, base: 0, offset: [0; 2], shift: [0; 2], write: 0 };

type Row = (&'static str, Field);

/// Part of the word at `offset` of a header.
const fn int(name: &'static str, need: u32, base: u8, offset: u8, shift: u8, mask: u32) -> Row {
    (name, Field { mask, need: need as u16, op: op::INT, base, offset: [offset; 2], shift: [shift; 2], ..FREE })
}

/// The same, of either IP header.
const fn ip(name: &'static str, four: (u8, u8), six: (u8, u8), mask: u32) -> Row {
    let row = int(name, has::IP, base::NET, 0, 0, mask);
    (name, Field { offset: [four.0, six.0], shift: [four.1, six.1], ..row.1 })
}

const fn value(name: &'static str, need: u32, which: usize, shift: u8, mask: u32) -> Row {
    int(name, need, base::COMPUTED, which as u8 * 4, shift, mask)
}

const fn flag(row: Row) -> Row {
    (row.0, Field { op: op::FLAG, ..row.1 })
}

const fn tcp_flag(name: &'static str, bit: u8) -> Row {
    flag(int(name, has::TCP, base::TRANSPORT, 12, 16 + bit, 1))
}

/// What is looked up: not the word of a header.
const fn other(name: &'static str, op: u8, need: u32, base: u8, offset: (u8, u8), mask: u32) -> Row {
    (name, Field { mask, need: need as u16, op, base, offset: [offset.0, offset.1], ..FREE })
}

const fn looked(name: &'static str, op: u8, which: u32) -> Row {
    other(name, op, 0, 0, (0, 0), which)
}

const fn written(row: Row, write: u8) -> Row {
    (row.0, Field { write, ..row.1 })
}

const ALL: u32 = u32::MAX;

/// All names. The numbers of META, NAME and METHOD are those of `src/lua/packet.h`.
const NAMES: &[Row] = &[
    looked("len", op::LEN, 0),
    written(looked("mark", op::META, 0), write::MARK),
    written(looked("priority", op::META, 1), write::PRIORITY),
    looked("iif", op::META, 2),
    looked("oif", op::META, 3),
    looked("hooknum", op::META, 4),
    looked("ctmark", op::META, 5),
    looked("indev", op::NAME, 0),
    looked("outdev", op::NAME, 1),
    looked("hook", op::NAME, 2),
    looked("direction", op::NAME, 3),
    looked("pkttype", op::NAME, 4),
    looked("ctstate", op::NAME, 5),
    looked("family", op::NAME, 6),
    // Ethernet
    other("ether_dst", op::ETHER, has::ETHER, base::MAC, (0, 0), 0),
    other("ether_src", op::ETHER, has::ETHER, base::MAC, (6, 6), 0),
    value("ethertype", has::LOOKED, computed::ETHERTYPE, 0, ALL),
    value("vlan_id", has::VLAN, computed::VLAN_TCI, 0, 0xfff),
    value("vlan_pcp", has::VLAN, computed::VLAN_TCI, 13, 7),
    value("vlan_proto", has::VLAN, computed::VLAN_PROTO, 0, ALL),
    // ARP
    int("arp_op", has::ARP, base::NET, 4, 0, 0xffff),
    other("arp_sha", op::ETHER, has::ARP, base::NET, (8, 8), 0),
    other("arp_spa", op::ADDRESS4, has::ARP, base::NET, (14, 14), 0),
    other("arp_tha", op::ETHER, has::ARP, base::NET, (18, 18), 0),
    other("arp_tpa", op::ADDRESS4, has::ARP, base::NET, (24, 24), 0),
    // IP
    ip("version", (0, 28), (0, 28), 15),
    written(ip("tos", (0, 16), (0, 20), 0xff), write::TOS),
    ip("dscp", (0, 18), (0, 22), 0x3f),
    ip("ecn", (0, 16), (0, 20), 3),
    written(ip("ttl", (8, 24), (4, 0), 0xff), write::TTL),
    written(ip("hoplimit", (8, 24), (4, 0), 0xff), write::TTL),
    value("protocol", has::PROTOCOL, computed::PROTOCOL, 0, ALL),
    written(other("saddr", op::ADDRESS, has::IP, base::NET, (12, 8), 0), write::SADDR),
    written(other("daddr", op::ADDRESS, has::IP, base::NET, (16, 24), 0), write::DADDR),
    other("saddr_b", op::BYTES, has::IP, base::NET, (12, 8), 0),
    other("daddr_b", op::BYTES, has::IP, base::NET, (16, 24), 0),
    written(int("saddr_n", has::IP4, base::NET, 12, 0, ALL), write::SADDR_N),
    written(int("daddr_n", has::IP4, base::NET, 16, 0, ALL), write::DADDR_N),
    int("ihl", has::IP4, base::NET, 0, 24, 15),
    int("tot_len", has::IP4, base::NET, 0, 0, 0xffff),
    flag(int("df", has::IP4, base::NET, 4, 14, 1)),
    value("id", has::FRAGMENT, computed::ID, 0, ALL),
    flag(value("mf", has::FRAGMENT, computed::MF, 0, 1)),
    value("frag_off", has::FRAGMENT, computed::FRAG_OFF, 0, ALL),
    flag(value("fragment", has::IP, computed::FRAGMENT, 0, 1)),
    int("flowlabel", has::IP6, base::NET, 0, 0, 0xf_ffff),
    int("nexthdr", has::IP6, base::NET, 4, 8, 0xff),
    // What is above
    written(int("sport", has::PORTS, base::TRANSPORT, 0, 16, 0xffff), write::SPORT),
    written(int("dport", has::PORTS, base::TRANSPORT, 0, 0, 0xffff), write::DPORT),
    int("seq", has::TCP, base::TRANSPORT, 4, 0, ALL),
    int("ack_seq", has::TCP, base::TRANSPORT, 8, 0, ALL),
    int("doff", has::TCP, base::TRANSPORT, 12, 28, 15),
    int("tcp_flags", has::TCP, base::TRANSPORT, 12, 16, 0xff),
    int("window", has::TCP, base::TRANSPORT, 12, 0, 0xffff),
    int("urg_ptr", has::TCP, base::TRANSPORT, 16, 0, 0xffff),
    tcp_flag("fin", 0),
    tcp_flag("syn", 1),
    tcp_flag("rst", 2),
    tcp_flag("psh", 3),
    tcp_flag("ack", 4),
    tcp_flag("urg", 5),
    tcp_flag("ece", 6),
    tcp_flag("cwr", 7),
    int("udp_len", has::UDP, base::TRANSPORT, 4, 16, 0xffff),
    int("icmp_type", has::ICMP, base::TRANSPORT, 0, 24, 0xff),
    int("icmp_code", has::ICMP, base::TRANSPORT, 0, 16, 0xff),
    int("icmp_id", has::ECHO, base::TRANSPORT, 4, 16, 0xffff),
    int("icmp_seq", has::ECHO, base::TRANSPORT, 4, 0, 0xffff),
    value("payload", has::PAYLOAD, computed::PAYLOAD, 0, ALL),
    value("payload_len", has::PAYLOAD, computed::PAYLOAD_LEN, 0, ALL),
    // Methods
    looked("close", op::METHOD, 0),
    looked("connid", op::METHOD, 1),
    looked("frame", op::METHOD, 2),
    looked("send", op::METHOD, 3),
    looked("tcpreply", op::METHOD, 4),
    looked("unpack", op::METHOD, 5),
    looked("copybytes", op::METHOD, 6),
    looked("set", op::METHOD, 7),
];

const fn table() -> [Field; PLACES] {
    let mut table = [FREE; PLACES];
    let mut i = 0;
    while i < NAMES.len() {
        let (name, field) = NAMES[i];
        let (low, high) = words(name.as_bytes());
        let at = place(low, high, MULTIPLIER);
        assert!(table[at].op == op::NONE, "two names in one place: see MULTIPLIER");
        table[at] = Field { low, high, ..field };
        i += 1;
    }
    table
}

/// The table; a name's place is `(low ^ high rotated left by 19) * MULTIPLIER >> 56`.
pub const TABLE: [Field; PLACES] = table();

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Option<&'static Field> {
        let (low, high) = words(name.as_bytes());
        static FIELDS: [Field; PLACES] = TABLE;
        let field = &FIELDS[place(low, high, MULTIPLIER)];
        (field.op != op::NONE && (field.low, field.high) == (low, high)).then_some(field)
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        for (name, field) in NAMES {
            let found = find(name).unwrap();
            assert_eq!((found.op, found.mask, found.need, found.offset), (field.op, field.mask, field.need, field.offset), "{name}");
        }
        for name in ["lens", "x", "sport\0", "saddr_", "ether_dstx", "payload_le", "tcp_flagz"] {
            assert!(find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn names_fit_and_words_end_before_the_slack_does() {
        for (name, field) in NAMES {
            assert!((1..=16).contains(&name.len()), "{name}");
            assert!(field.offset.iter().all(|at| *at <= 36), "{name}");
        }
        assert_eq!(size_of::<Field>(), 32);
    }

    /// Prints a multiplier under which no two names share a place: there must be others than ours when a name comes.
    #[test]
    fn another_multiplier() {
        let mut m = MULTIPLIER;
        loop {
            m = m.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut seen = [false; PLACES];
            let free = NAMES.iter().all(|(name, _)| {
                let (low, high) = words(name.as_bytes());
                !core::mem::replace(&mut seen[place(low, high, m | 1)], true)
            });
            if free {
                println!("{:#x}", m | 1);
                return;
            }
        }
    }
}
