// SPDX-License-Identifier: GPL-2.0-only

//! Captures of packets: pcap in either byte order, and of pcapng what one interface's packets need.
//!
//! Pure: bytes in, packets out. The formats are those of draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Lengths are believed as
//! far as the bytes go. Left out: times, options, comments, names, several sections with other byte orders than the first.

/// Link layers that packets can be taken out of: Ethernet, raw IP, Linux "cooked" version 1.
const ETHERNET: u32 = 1;
const RAW: [u32; 3] = [101, 12, 14];
const COOKED: u32 = 113;

/// Why a capture is not read (further).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Neither pcap nor pcapng.
    Format,
    /// A link layer that packets cannot be taken out of.
    Link,
    /// It ends in the middle of a packet.
    Short,
}

/// A capture that is being read.
pub struct Capture<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
    ng: bool,
    link: Option<u32>,
}

impl<'a> Capture<'a> {
    /// Looks at the head of a file.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut capture = Capture { bytes, at: 0, big: false, ng: false, link: None };
        match bytes.get(..4).ok_or(Error::Format)? {
            [0xd4 | 0x4d, 0xc3 | 0x3c, 0xb2, 0xa1] => {}
            [0xa1, 0xb2, 0xc3 | 0x3c, 0xd4 | 0x4d] => capture.big = true,
            [0x0a, 0x0d, 0x0d, 0x0a] => {
                capture.ng = true;
                capture.big = bytes.get(8..12) == Some(&[0x1a, 0x2b, 0x3c, 0x4d]);
                return Ok(capture);
            }
            _ => return Err(Error::Format),
        }
        capture.link = Some(capture.word(20).ok_or(Error::Short)? & 0xffff);
        capture.at = 24;
        Ok(capture)
    }

    fn word(&self, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn half(&self, at: usize) -> Option<u16> {
        let bytes: [u8; 2] = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    /// The next frame as it was captured; `None` at the end.
    fn frame(&mut self) -> Result<Option<&'a [u8]>, Error> {
        if !self.ng {
            if self.at >= self.bytes.len() {
                return Ok(None);
            }
            let len = self.word(self.at.saturating_add(8)).ok_or(Error::Short)? as usize;
            let start = self.at.saturating_add(16);
            self.at = start.saturating_add(len);
            return self.bytes.get(start..self.at).map(Some).ok_or(Error::Short);
        }
        while self.at < self.bytes.len() {
            let start = self.at;
            let (kind, len) = (self.word(start).ok_or(Error::Short)?, self.word(start.saturating_add(4)).ok_or(Error::Short)? as usize);
            if len < 12 || start.saturating_add(len) > self.bytes.len() {
                return Err(Error::Short);
            }
            self.at = start.saturating_add(len);
            let (from, captured) = match kind {
                // An interface: its link layer. Of several they have to be the same.
                1 => {
                    let link = u32::from(self.half(start.saturating_add(8)).ok_or(Error::Short)?);
                    if self.link.replace(link).is_some_and(|before| before != link) {
                        return Err(Error::Link);
                    }
                    continue;
                }
                // An enhanced packet, a simple one.
                6 => (start.saturating_add(28), self.word(start.saturating_add(20)).ok_or(Error::Short)? as usize),
                3 => (start.saturating_add(12), (self.word(start.saturating_add(8)).ok_or(Error::Short)? as usize).min(len.saturating_sub(16))),
                _ => continue,
            };
            let end = from.saturating_add(captured);
            if end.saturating_add(4) > self.at {
                return Err(Error::Short);
            }
            return self.bytes.get(from..end).map(Some).ok_or(Error::Short);
        }
        Ok(None)
    }

    /// The next packet, from its network header on: its Ethernet protocol and its bytes. Frames that have none are passed over.
    pub fn packet(&mut self) -> Result<Option<(u16, &'a [u8])>, Error> {
        loop {
            let Some(frame) = self.frame()? else { return Ok(None) };
            let link = self.link.ok_or(Error::Format)?;
            let found = if link == ETHERNET {
                network(frame, 12)
            } else if link == COOKED {
                network(frame, 14)
            } else if RAW.contains(&link) {
                match frame.first().map(|byte| byte >> 4) {
                    Some(4) => Some((0x0800, frame)),
                    Some(6) => Some((0x86dd, frame)),
                    _ => None,
                }
            } else {
                return Err(Error::Link);
            };
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}

/// The protocol at an offset of a frame, behind VLAN tags, and what follows it.
fn network(frame: &[u8], mut at: usize) -> Option<(u16, &[u8])> {
    loop {
        let protocol = u16::from_be_bytes(frame.get(at..at.checked_add(2)?)?.try_into().ok()?);
        at = at.checked_add(2)?;
        if protocol == 0x8100 || protocol == 0x88a8 {
            at = at.checked_add(2)?;
            continue;
        }
        return Some((protocol, frame.get(at..)?));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classic(big: bool, link: u32, frames: &[&[u8]]) -> Vec<u8> {
        let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut file = Vec::new();
        for n in [0xa1b2_c3d4, if big { 0x0002_0004 } else { 0x0004_0002 }, 0, 0, 65535, link] {
            file.extend(word(n));
        }
        for frame in frames {
            for n in [0, 0, frame.len() as u32, frame.len() as u32] {
                file.extend(word(n));
            }
            file.extend(*frame);
        }
        file
    }

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let len = (12 + body.len().next_multiple_of(4)) as u32;
        let mut block = Vec::new();
        block.extend(kind.to_le_bytes());
        block.extend(len.to_le_bytes());
        block.extend(body);
        block.resize(len as usize - 4, 0);
        block.extend(len.to_le_bytes());
        block
    }

    fn ethernet(protocol: u16, rest: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend(protocol.to_be_bytes());
        frame.extend(rest);
        frame
    }

    fn packets(file: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, Error> {
        let mut capture = Capture::open(file)?;
        let mut found = Vec::new();
        while let Some((protocol, bytes)) = capture.packet()? {
            found.push((protocol, bytes.to_vec()));
        }
        Ok(found)
    }

    #[test]
    fn pcap_in_both_byte_orders() {
        let frames = [ethernet(0x0800, b"four"), ethernet(0x8100, b"\0\x05\x86\xddsix")];
        let frames: Vec<&[u8]> = frames.iter().map(|frame| &frame[..]).collect();
        for big in [false, true] {
            let found = packets(&classic(big, 1, &frames)).unwrap();
            assert_eq!(found, [(0x0800, b"four".to_vec()), (0x86dd, b"six".to_vec())]);
        }
    }

    #[test]
    fn raw_and_cooked() {
        assert_eq!(packets(&classic(false, 101, &[b"\x45x", b"\x60y", b"\0"])).unwrap().len(), 2);
        let cooked = [&[0; 14][..], &[8, 0, 1, 2]].concat();
        assert_eq!(packets(&classic(false, 113, &[&cooked])).unwrap(), [(0x0800, vec![1, 2])]);
        assert_eq!(packets(&classic(false, 105, &[b"wlan"])), Err(Error::Link));
    }

    #[test]
    fn pcapng() {
        let frame = ethernet(0x0800, b"hello");
        let mut enhanced = vec![0; 12];
        enhanced.extend((frame.len() as u32).to_le_bytes());
        enhanced.extend((frame.len() as u32).to_le_bytes());
        enhanced.extend(&frame);
        let simple = [&(frame.len() as u32).to_le_bytes()[..], &frame].concat();
        let file = [
            block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
            block(1, &[1, 0, 0, 0, 0, 0, 0, 0]),
            block(5, b"statistics"),
            block(6, &enhanced),
            block(3, &simple),
        ]
        .concat();
        let found = packets(&file).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|(protocol, bytes)| *protocol == 0x0800 && bytes.starts_with(b"hello")));
    }

    #[test]
    fn what_is_cut_or_foreign_is_said_and_nothing_panics() {
        assert_eq!(packets(b"GIF89a"), Err(Error::Format));
        let file = classic(false, 1, &[&ethernet(0x0800, b"four")]);
        for len in 0..file.len() {
            let cut = packets(&file[..len]);
            assert!(cut.is_err() || len == 24, "{len}: {cut:?}");
        }
        let ng = [block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0]), block(1, &[1, 0, 0, 0]), block(6, &[0xff; 40])].concat();
        for len in 4..=ng.len() {
            let _ = packets(&ng[..len]);
        }
        assert_eq!(packets(&ng), Err(Error::Short));
    }
}
