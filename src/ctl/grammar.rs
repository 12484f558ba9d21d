// SPDX-License-Identifier: GPL-2.0-only

//! The grammar of `/proc/lunatik/ctl`: bytes as writers happen to cut them become requests.
//!
//! Pure: any context, no locks. One request a line; `run` and `message` are followed by as many bytes as they say.
//! What a request *does* is the business of [`super`].

use crate::error::{Error, Result};
use crate::messages::DATA_MAX;
use crate::name::{StateName, SCRIPT_NAME_MAX};

/// The longest line of a request other than `execute`, whose chunk may be as long as a script.
pub const LINE_MAX: usize = 512;

/// A growable byte buffer whose growth can fail.
pub trait Buffer {
    /// Appends all of `bytes` or nothing.
    fn append(&mut self, bytes: &[u8]) -> Result;
    /// What was appended since the last `clear`.
    fn bytes(&self) -> &[u8];
    /// Forgets the contents; large memory is given back.
    fn clear(&mut self);
}

/// One request, borrowed from the buffers of its [`Assembler`].
#[derive(Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// `create NAME [MAXALLOC] [marked] [percpu]`, the limit in bytes.
    Create { name: StateName, maxalloc: Option<u64>, marked: bool, percpu: bool },
    /// `destroy NAME`
    Destroy { name: StateName },
    /// `execute NAME CHUNK`
    Execute { name: StateName, chunk: &'a [u8] },
    /// `run NAME LENGTH [SCRIPTNAME]` and its bytes; the name is the rest of the line.
    Run { name: StateName, chunk: &'a [u8], script: &'a [u8] },
    /// `cancel NAME`
    Cancel { name: StateName },
    /// `list`
    List,
    /// `bind [PORT]`
    Bind { port: Option<u32> },
    /// `message NAME LENGTH` and its bytes.
    Message { name: StateName, bytes: &'a [u8] },
    /// `receive`
    Receive,
    /// `mark NAME`
    Mark { name: StateName },
    /// `unmark NAME`
    Unmark { name: StateName },
}

/// The first line of a request whose bytes are being gathered.
struct Header {
    name: StateName,
    length: usize,
    script: [u8; SCRIPT_NAME_MAX],
    /// Bytes of the script's name; `None` for a `message`.
    script_len: Option<usize>,
}

/// Gathers requests over as many writes as it takes.
pub struct Assembler<B> {
    line: B,
    body: B,
    header: Option<Header>,
    script_max: usize,
}

/// What [`Assembler::feed`] made of its input.
#[derive(Debug, PartialEq, Eq)]
pub enum Fed<'a> {
    /// All input was taken; a request is incomplete.
    More,
    /// So many bytes were taken and this request is complete.
    Request(usize, Request<'a>),
    /// So many bytes were taken and were a blank line, or the first line of a `run` or `message`.
    Nothing(usize),
}

impl<B: Buffer> Assembler<B> {
    /// `line` and `body` are empty buffers; `script_max` is the longest script in bytes.
    pub fn new(line: B, body: B, script_max: usize) -> Self {
        Self { line, body, header: None, script_max }
    }

    /// True when a request was begun and is not complete.
    pub fn is_midway(&self) -> bool {
        self.header.is_some() || !self.line.bytes().is_empty()
    }

    /// Forgets an incomplete request.
    pub fn reset(&mut self) {
        self.header = None;
        self.line.clear();
        self.body.clear();
    }

    /// Takes input up to the end of the next request.
    ///
    /// `exists` tells whether a state exists: bytes for one that does not are refused at their first
    /// line. Errors: [`Error::Invalid`], [`Error::NameTooLong`], [`Error::NotFound`],
    /// [`Error::TooBig`], [`Error::MessageSize`], [`Error::NoMemory`]; after an error the assembler is as new.
    pub fn feed(&mut self, input: &[u8], exists: impl Fn(&StateName) -> bool) -> Result<Fed<'_>> {
        if self.header.is_some() {
            return self.feed_body(input);
        }
        // The line of the request before this one was kept until now for its borrower.
        if self.line.bytes().last() == Some(&b'\n') {
            self.line.clear();
        }
        let (part, complete) = match input.iter().position(|b| *b == b'\n') {
            Some(end) => (input.get(..=end).unwrap_or(input), true),
            None => (input, false),
        };
        let line_max = self.script_max.saturating_add(LINE_MAX);
        if self.line.bytes().len().saturating_add(part.len()) > line_max {
            self.reset();
            return Err(Error::TooBig);
        }
        if let Err(error) = self.line.append(part) {
            self.reset();
            return Err(error);
        }
        if !complete {
            return Ok(Fed::More);
        }
        self.complete_line(part.len(), exists)
    }

    /// Ends a line that was left without a newline, as the last close does.
    pub fn finish(&mut self, exists: impl Fn(&StateName) -> bool) -> Result<Fed<'_>> {
        if self.header.is_some() {
            self.reset();
            return Err(Error::Invalid);
        }
        if self.line.bytes().is_empty() || self.line.bytes().last() == Some(&b'\n') {
            return Ok(Fed::Nothing(0));
        }
        if let Err(error) = self.line.append(b"\n") {
            self.reset();
            return Err(error);
        }
        self.complete_line(0, exists)
    }

    fn complete_line(&mut self, taken: usize, exists: impl Fn(&StateName) -> bool) -> Result<Fed<'_>> {
        match verb_of(self.line.bytes()) {
            b"" => {
                self.line.clear();
                Ok(Fed::Nothing(taken))
            }
            b"run" | b"message" => self.begin_body(taken, exists),
            // `line` is lent to what is returned; with its newline it goes when more comes, after an error, too.
            _ => Ok(Fed::Request(taken, parse_request(self.line.bytes(), self.script_max)?)),
        }
    }

    fn begin_body(&mut self, taken: usize, exists: impl Fn(&StateName) -> bool) -> Result<Fed<'_>> {
        let header = parse_header(self.line.bytes(), self.script_max);
        self.reset();
        let header = header?;
        if !exists(&header.name) {
            return Err(Error::NotFound);
        }
        let empty = header.length == 0;
        self.header = Some(header);
        if empty {
            return match self.feed_body(&[])? {
                Fed::Request(_, request) => Ok(Fed::Request(taken, request)),
                other => Ok(other),
            };
        }
        Ok(Fed::Nothing(taken))
    }

    fn feed_body(&mut self, input: &[u8]) -> Result<Fed<'_>> {
        let Some(header) = self.header.take() else {
            return Err(Error::Invalid);
        };
        let missing = header.length.saturating_sub(self.body.bytes().len());
        let part = input.get(..missing).unwrap_or(input);
        if let Err(error) = self.body.append(part) {
            self.reset();
            return Err(error);
        }
        if part.len() < missing {
            self.header = Some(header);
            return Ok(Fed::More);
        }
        let Some(script_len) = header.script_len else {
            return Ok(Fed::Request(part.len(), Request::Message { name: header.name, bytes: self.body.bytes() }));
        };
        // The script's name moves into the line buffer, to be borrowed together with the bytes.
        self.line.clear();
        self.line.append(header.script.get(..script_len).unwrap_or(&[]))?;
        self.line.append(b"\n")?;
        let script = self.line.bytes().split_last().map_or(&[][..], |(_, rest)| rest);
        Ok(Fed::Request(part.len(), Request::Run { name: header.name, chunk: self.body.bytes(), script }))
    }

    /// Gives the memory of a request back that was carried out.
    pub fn done(&mut self) {
        self.line.clear();
        self.body.clear();
    }
}

/// The first word of a line.
fn verb_of(line: &[u8]) -> &[u8] {
    word(line.strip_suffix(b"\n").unwrap_or(line)).0
}

/// A line with more bytes behind it.
fn parse_header(line: &[u8], script_max: usize) -> Result<Header> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.len() > LINE_MAX {
        return Err(Error::Invalid);
    }
    let (verb, rest) = word(line);
    let (name, rest) = word(rest);
    let (length, rest) = word(rest);
    if verb == b"run" {
        let script = trimmed(rest);
        let name = StateName::new(name)?;
        let length = usize::try_from(parse_number(length)?).map_err(|_| Error::TooBig)?;
        if length > script_max {
            return Err(Error::TooBig);
        }
        if script.len() > SCRIPT_NAME_MAX {
            return Err(Error::NameTooLong);
        }
        let mut header = Header { name, length, script: [0; SCRIPT_NAME_MAX], script_len: Some(script.len()) };
        for (to, from) in header.script.iter_mut().zip(script) {
            *to = *from;
        }
        return Ok(header);
    }
    let name = StateName::new(name)?;
    let length = usize::try_from(parse_number(length)?).map_err(|_| Error::MessageSize)?;
    nothing_more(rest)?;
    if length == 0 {
        return Err(Error::Invalid);
    }
    if length > DATA_MAX {
        return Err(Error::MessageSize);
    }
    Ok(Header { name, length, script: [0; SCRIPT_NAME_MAX], script_len: None })
}

/// A line that is a whole request.
fn parse_request(line: &[u8], script_max: usize) -> Result<Request<'_>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (verb, rest) = word(line);
    if verb != b"execute" && line.len() > LINE_MAX {
        return Err(Error::Invalid);
    }
    let request = match verb {
        b"create" => {
            let (name, rest) = word(rest);
            let name = StateName::new(name)?;
            let (size, after) = word(rest);
            let (maxalloc, mut rest) = match size {
                b"" | b"marked" | b"percpu" => (None, rest),
                size => (Some(parse_size(size)?), after),
            };
            let (mut marked, mut percpu) = (false, false);
            loop {
                let (option, after) = word(rest);
                match option {
                    b"" => break,
                    b"marked" if !marked => marked = true,
                    b"percpu" if !percpu => percpu = true,
                    _ => return Err(Error::Invalid),
                }
                rest = after;
            }
            Request::Create { name, maxalloc, marked, percpu }
        }
        b"destroy" => Request::Destroy { name: only_name(rest)? },
        b"cancel" => Request::Cancel { name: only_name(rest)? },
        b"list" => {
            nothing_more(rest)?;
            Request::List
        }
        b"execute" => {
            let (name, chunk) = word(rest);
            let name = StateName::new(name)?;
            let chunk = chunk.strip_prefix(b" ").unwrap_or(chunk);
            if chunk.len() > script_max {
                return Err(Error::TooBig);
            }
            Request::Execute { name, chunk }
        }
        b"bind" => {
            let (port, rest) = word(rest);
            nothing_more(rest)?;
            let number = |port| u32::try_from(parse_number(port)?).map_err(|_| Error::Invalid);
            Request::Bind { port: if port.is_empty() { None } else { Some(number(port)?) } }
        }
        b"receive" => {
            nothing_more(rest)?;
            Request::Receive
        }
        b"mark" => Request::Mark { name: only_name(rest)? },
        b"unmark" => Request::Unmark { name: only_name(rest)? },
        _ => return Err(Error::Invalid),
    };
    Ok(request)
}

fn is_blank(b: &u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r')
}

/// The first word of `text` and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let start = text.iter().position(|b| !is_blank(b)).unwrap_or(text.len());
    let text = text.get(start..).unwrap_or(&[]);
    let end = text.iter().position(is_blank).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

/// `text` without the blanks at its ends.
fn trimmed(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| !is_blank(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !is_blank(b)).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or(&[])
}

fn nothing_more(rest: &[u8]) -> Result {
    if rest.iter().all(is_blank) { Ok(()) } else { Err(Error::Invalid) }
}

fn only_name(rest: &[u8]) -> Result<StateName> {
    let (name, rest) = word(rest);
    nothing_more(rest)?;
    StateName::new(name)
}

/// A decimal number; [`Error::Invalid`] for anything else and past 2^64.
fn parse_number(digits: &[u8]) -> Result<u64> {
    if digits.is_empty() {
        return Err(Error::Invalid);
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        if !digit.is_ascii_digit() {
            return Err(Error::Invalid);
        }
        number.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit - b'0'))).ok_or(Error::Invalid)
    })
}

/// A size in bytes, or with `K`, `M` or `G` (either case) in units of 1024, 1024², 1024³.
///
/// Errors: [`Error::Invalid`] for anything else and past 2^64.
pub fn parse_size(text: &[u8]) -> Result<u64> {
    let (digits, shift) = match text.split_last() {
        Some((b'k' | b'K', digits)) => (digits, 10),
        Some((b'm' | b'M', digits)) => (digits, 20),
        Some((b'g' | b'G', digits)) => (digits, 30),
        _ => (text, 0),
    };
    parse_number(digits)?.checked_mul(1 << shift).ok_or(Error::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Buffer for Vec<u8> {
        fn append(&mut self, bytes: &[u8]) -> Result {
            self.extend_from_slice(bytes);
            Ok(())
        }
        fn bytes(&self) -> &[u8] {
            self
        }
        fn clear(&mut self) {
            Vec::clear(self);
        }
    }

    const SCRIPT_MAX: usize = 4096;

    /// Everything that `text` asks for when it is written in pieces of the given length.
    fn requests(text: &[u8], piece: usize) -> Vec<String> {
        let mut out = Vec::new();
        let mut assembler = Assembler::new(Vec::new(), Vec::new(), SCRIPT_MAX);
        for chunk in text.chunks(piece) {
            let mut input = chunk;
            while !input.is_empty() {
                match assembler.feed(input, |name| name.as_str() != "absent") {
                    Ok(Fed::More) => break,
                    Ok(Fed::Nothing(n)) => input = &input[n..],
                    Ok(Fed::Request(n, request)) => {
                        out.push(format!("{request:?}"));
                        input = &input[n..];
                    }
                    Err(error) => {
                        out.push(format!("{error:?}"));
                        return out;
                    }
                }
            }
        }
        if assembler.is_midway() {
            match assembler.finish(|_| true) {
                Ok(Fed::Request(_, request)) => out.push(format!("{request:?}")),
                Ok(Fed::Nothing(_) | Fed::More) => {}
                Err(error) => out.push(format!("{error:?}")),
            }
        }
        out
    }

    #[test]
    fn cuts_do_not_matter() {
        let text = b"create fw 64K\n\n  \nlist\nexecute fw return 1,  2 \nrun fw 11 my.lua\nprint\n\nlist\nrun fw 0\ndestroy fw\ncancel x";
        let whole = requests(text, text.len());
        assert_eq!(whole.len(), 7, "{whole:?}");
        for piece in 1..text.len() {
            assert_eq!(requests(text, piece), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn requests_as_the_table_says() {
        let name = |n: &str| StateName::new(n.as_bytes()).unwrap();
        let mut a = Assembler::new(Vec::new(), Vec::new(), SCRIPT_MAX);
        let mut one = |text: &[u8], expected: Request<'_>| {
            let fed = a.feed(text, |_| true);
            assert_eq!(fed, Ok(Fed::Request(text.len(), expected)));
        };
        one(b"create a\n", Request::Create { name: name("a"), maxalloc: None, marked: false, percpu: false });
        one(b"create a marked\n", Request::Create { name: name("a"), maxalloc: None, marked: true, percpu: false });
        one(b"create a 64K  marked\n", Request::Create { name: name("a"), maxalloc: Some(65536), marked: true, percpu: false });
        one(b"create a 65536\n", Request::Create { name: name("a"), maxalloc: Some(65536), marked: false, percpu: false });
        one(b"create\ta 2m \n", Request::Create { name: name("a"), maxalloc: Some(2 << 20), marked: false, percpu: false });
        one(b"create a percpu\n", Request::Create { name: name("a"), maxalloc: None, marked: false, percpu: true });
        one(b"create a 64K percpu marked\n", Request::Create { name: name("a"), maxalloc: Some(65536), marked: true, percpu: true });
        one(b"create a 1G\r\n", Request::Create { name: name("a"), maxalloc: Some(1 << 30), marked: false, percpu: false });
        one(b"execute a  return 1 \n", Request::Execute { name: name("a"), chunk: b" return 1 " });
        one(b"execute a\n", Request::Execute { name: name("a"), chunk: b"" });
        one(b"destroy a\n", Request::Destroy { name: name("a") });
        one(b"cancel a\n", Request::Cancel { name: name("a") });
        one(b"list\n", Request::List);
        one(b"bind\n", Request::Bind { port: None });
        one(b"bind 0\n", Request::Bind { port: Some(0) });
        one(b"bind 4294967295\n", Request::Bind { port: Some(u32::MAX) });
        one(b"receive\n", Request::Receive);
        one(b"mark a\n", Request::Mark { name: name("a") });
        one(b"unmark a\n", Request::Unmark { name: name("a") });
    }

    #[test]
    fn message_takes_its_bytes_whatever_they_are() {
        let mut a = Assembler::new(Vec::new(), Vec::new(), SCRIPT_MAX);
        assert_eq!(a.feed(b"message s 7\n", |_| true), Ok(Fed::Nothing(12)));
        assert_eq!(a.feed(b"\nli", |_| true), Ok(Fed::More));
        let expected = Request::Message { name: StateName::new(b"s").unwrap(), bytes: b"\nlist\n\0" };
        assert_eq!(a.feed(b"st\n\0list\n", |_| true), Ok(Fed::Request(4, expected)));
        a.done();
        assert_eq!(a.feed(b"list\n", |_| true), Ok(Fed::Request(5, Request::List)));
    }

    #[test]
    fn a_script_name_is_the_rest_of_the_line() {
        let longest = "n".repeat(SCRIPT_NAME_MAX);
        for (given, script) in
            [("", ""), (" \t", ""), (" lua in kernel", "lua in kernel"), ("\t a  b \r", "a  b"), (" =x", "=x"), (&*format!(" {longest}"), &*longest)]
        {
            let mut a = Assembler::new(Vec::new(), Vec::new(), SCRIPT_MAX);
            let line = format!("run s 0{given}\n");
            let expected = Request::Run { name: StateName::new(b"s").unwrap(), chunk: b"", script: script.as_bytes() };
            assert_eq!(a.feed(line.as_bytes(), |_| true), Ok(Fed::Request(line.len(), expected)), "{line:?}");
        }
        let mut a = Assembler::new(Vec::new(), Vec::new(), SCRIPT_MAX);
        assert_eq!(a.feed(format!("run s 0 {longest}x\n").as_bytes(), |_| true), Err(Error::NameTooLong));
    }

    #[test]
    fn run_takes_its_bytes_whatever_they_are() {
        let mut a = Assembler::new(Vec::new(), Vec::new(), SCRIPT_MAX);
        assert_eq!(a.feed(b"run s 9 name\n", |_| true), Ok(Fed::Nothing(13)));
        assert!(a.is_midway());
        assert_eq!(a.feed(b"a\nb\0", |_| true), Ok(Fed::More));
        let rest = b"list\nXlist\n";
        let expected = Request::Run { name: StateName::new(b"s").unwrap(), chunk: b"a\nb\0list\n", script: b"name" };
        assert_eq!(a.feed(rest, |_| true), Ok(Fed::Request(5, expected)));
        a.done();
        assert!(!a.is_midway());
    }

    #[test]
    fn refusals() {
        for (text, error) in [
            (&b"bogus\n"[..], "Invalid"),
            (b"create\n", "Invalid"),
            (b"create a/b\n", "Invalid"),
            (b"create a 12x\n", "Invalid"),
            (b"create a 1 2\n", "Invalid"),
            (b"create a -1\n", "Invalid"),
            (b"create a K\n", "Invalid"),
            (b"create a 99999999999999999999\n", "Invalid"),
            (b"create a 17179869184G\n", "Invalid"),
            (b"list x\n", "Invalid"),
            (b"destroy\n", "Invalid"),
            (b"destroy a b\n", "Invalid"),
            (b"run a\n", "Invalid"),
            (b"run a x\n", "Invalid"),
            (b"run a 5 b c\n", "Invalid"),
            (b"run a 4097\n", "TooBig"),
            (b"run absent 1\n", "NotFound"),
            (b"run a 5\n1234", "Invalid"),
            (b"create a 64K 64K\n", "Invalid"),
            (b"create a marked marked\n", "Invalid"),
            (b"create a marked 64K\n", "Invalid"),
            (b"bind x\n", "Invalid"),
            (b"bind -1\n", "Invalid"),
            (b"bind 1 2\n", "Invalid"),
            (b"bind 4294967296\n", "Invalid"),
            (b"receive x\n", "Invalid"),
            (b"mark\n", "Invalid"),
            (b"unmark a b\n", "Invalid"),
            (b"message a\n", "Invalid"),
            (b"message a 0\n", "Invalid"),
            (b"message a 1 2\n", "Invalid"),
            (b"message a 32769\n", "MessageSize"),
            (b"message absent 1\n", "NotFound"),
            (b"message a 2\n1", "Invalid"),
        ] {
            assert_eq!(requests(text, text.len()), [error], "{:?}", String::from_utf8_lossy(text));
        }
        let long = format!("create {}\n", "x".repeat(64));
        assert_eq!(requests(long.as_bytes(), 7), ["NameTooLong"]);
        let long = format!("list {}\n", " ".repeat(LINE_MAX));
        assert_eq!(requests(long.as_bytes(), 100), ["Invalid"]);
        let long = format!("execute a {}\n", "x".repeat(SCRIPT_MAX + 1));
        assert_eq!(requests(long.as_bytes(), 100), ["TooBig"]);
        let endless = vec![b'x'; SCRIPT_MAX + LINE_MAX + 1];
        assert_eq!(requests(&endless, 100), ["TooBig"]);
    }
}
