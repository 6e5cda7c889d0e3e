//! The body of a request, collected as it comes in: of a known length or in chunks (RFC 9112, section 7.1). Pure.

use super::head::{Framing, is_token};
use super::wire_error::WireError;

/// Hex digits of a chunk's size: what a `usize` holds.
const SIZE_DIGITS_MAX: usize = 16;
/// Of one line of chunk size and extensions, and of all trailers together; their content is thrown away.
const LINE_BYTES_MAX: usize = 1024;

/// A body under way.
#[derive(Debug)]
pub(super) struct Collector {
    body: Vec<u8>,
    bytes_max: usize,
    wants: Wants,
}

/// What must come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    /// So many bytes of a body of known length.
    Rest(usize),
    ChunkSize,
    /// So many bytes of a chunk.
    ChunkData(usize),
    /// CR LF after a chunk.
    ChunkEnd,
    /// Trailers up to an empty line; so many bytes of them have come.
    Trailers(usize),
    Nothing,
}

impl Collector {
    pub(super) fn new(framing: Framing, bytes_max: usize) -> Self {
        let wants = match framing {
            Framing::None => Wants::Nothing,
            Framing::Length(length) => Wants::Rest(length),
            Framing::Chunked => Wants::ChunkSize,
        };
        Self { body: Vec::new(), bytes_max, wants }
    }

    /// Takes what it can use of `input` and says how much that was. Bytes of a next request are left.
    pub(super) fn take(&mut self, input: &[u8]) -> Result<usize, WireError> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let taken = match self.wants {
                Wants::Nothing => return Ok(used),
                Wants::Rest(missing) => self.data(rest, missing, |missing| match missing {
                    0 => Wants::Nothing,
                    missing => Wants::Rest(missing),
                }),
                Wants::ChunkData(missing) => self.data(rest, missing, |missing| match missing {
                    0 => Wants::ChunkEnd,
                    missing => Wants::ChunkData(missing),
                }),
                Wants::ChunkSize => self.chunk_size(rest)?,
                Wants::ChunkEnd => self.chunk_end(rest)?,
                Wants::Trailers(before) => self.trailer(rest, before)?,
            };
            if taken == 0 && self.wants != Wants::Nothing {
                return Ok(used);
            }
            used += taken;
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.wants == Wants::Nothing
    }

    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.body.capacity()
    }

    fn data(&mut self, input: &[u8], missing: usize, next: fn(usize) -> Wants) -> usize {
        let taken = missing.min(input.len());
        self.body.extend_from_slice(&input[..taken]);
        self.wants = next(missing - taken);
        taken
    }

    fn chunk_size(&mut self, input: &[u8]) -> Result<usize, WireError> {
        let Some(line) = line(input)? else {
            return Ok(0);
        };
        let end = line.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t')).unwrap_or(line.len());
        let digits = &line[..end];
        let is_hex = (1..=SIZE_DIGITS_MAX).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex).ok_or(WireError::Chunk)?;
        let is_extension = line[end..].trim_ascii_start().first().is_none_or(|byte| *byte == b';');
        let size = usize::from_str_radix(digits, 16).map_err(|_| WireError::Chunk)?;
        if !is_extension || (end < line.len() && line[end] != b';' && line[end..].trim_ascii().is_empty()) {
            return Err(WireError::Chunk);
        }
        if size > self.bytes_max - self.body.len() {
            return Err(WireError::BodyTooLarge);
        }
        self.wants = if size == 0 { Wants::Trailers(0) } else { Wants::ChunkData(size) };
        Ok(line.len() + 2)
    }

    fn chunk_end(&mut self, input: &[u8]) -> Result<usize, WireError> {
        match input {
            [] | [b'\r'] => Ok(0),
            [b'\r', b'\n', ..] => {
                self.wants = Wants::ChunkSize;
                Ok(2)
            }
            _ => Err(WireError::Chunk),
        }
    }

    fn trailer(&mut self, input: &[u8], before: usize) -> Result<usize, WireError> {
        let Some(line) = line(input)? else {
            return Ok(0);
        };
        let bytes = before + line.len() + 2;
        if bytes > LINE_BYTES_MAX {
            return Err(WireError::HeadTooLarge);
        }
        // Another parser might take for a request what is no header here.
        let name = line.iter().position(|byte| *byte == b':').map(|colon| &line[..colon]);
        if !line.is_empty() && !name.is_some_and(is_token) {
            return Err(WireError::Chunk);
        }
        self.wants = if line.is_empty() { Wants::Nothing } else { Wants::Trailers(bytes) };
        Ok(line.len() + 2)
    }
}

/// The line at the start of `input`, once its CR LF has come.
fn line(input: &[u8]) -> Result<Option<&[u8]>, WireError> {
    for (at, byte) in input.iter().enumerate().take(LINE_BYTES_MAX) {
        match byte {
            b'\r' => {
                return match input.get(at + 1) {
                    None => Ok(None),
                    Some(b'\n') => Ok(Some(&input[..at])),
                    Some(_) => Err(WireError::Chunk),
                };
            }
            b'\t' | 0x20..=0x7e => {}
            _ => return Err(WireError::Chunk),
        }
    }
    if input.len() < LINE_BYTES_MAX { Ok(None) } else { Err(WireError::Chunk) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunked(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, WireError> {
        let mut collector = Collector::new(Framing::Chunked, 20);
        let used = collector.take(input)?;
        Ok(collector.is_complete().then(|| (collector.into_body(), used)))
    }

    #[test]
    fn chunks_are_joined_and_what_follows_is_left() {
        let read = chunked(b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET").unwrap();
        assert_eq!(read, Some((b"hello world".to_vec(), 44)));
        assert_eq!(chunked(b"0\r\n\r\n").unwrap(), Some((Vec::new(), 5)));
        assert_eq!(chunked(b"00000005\r\nhello\r\n0\r\n\r\n").unwrap().unwrap().0, b"hello");
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for bad in [
            &b"\r\n"[..],
            b"x\r\nhello\r\n0\r\n\r\n",
            b"-1\r\n",
            b"+5\r\nhello",
            b"0x5\r\nhello",
            b"5\nhello\r\n",
            b"5\rhello",
            b"5 \r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"5 x\r\nhello\r\n",
            b"00000000000000005\r\nhello\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello\r0\r\n\r\n",
            b"0\r\nTrailer\n\r\n",
            b"5;\0\r\nhello\r\n",
        ] {
            assert_eq!(chunked(bad), Err(WireError::Chunk), "{}", String::from_utf8_lossy(bad));
        }
        assert_eq!(chunked(&[b'1'; 2000]), Err(WireError::Chunk));
    }

    #[test]
    fn a_chunked_body_is_counted() {
        assert_eq!(chunked(b"15\r\n"), Err(WireError::BodyTooLarge));
        assert_eq!(chunked(b"14\r\naaaaaaaaaaaaaaaaaaaa\r\n1\r\n"), Err(WireError::BodyTooLarge));
        assert_eq!(chunked(b"ffffffffffffffff\r\n"), Err(WireError::BodyTooLarge));
        let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(300));
        assert_eq!(chunked(trailers.as_bytes()), Err(WireError::HeadTooLarge));
    }

    #[test]
    fn a_body_of_known_length_is_cut_off_there() {
        let mut collector = Collector::new(Framing::Length(5), 20);
        assert_eq!(collector.take(b"hel"), Ok(3));
        assert!(!collector.is_complete());
        assert_eq!(collector.take(b"loGET"), Ok(2));
        assert!(collector.is_complete());
        assert_eq!(collector.into_body(), b"hello");
    }

    proptest! {
        /// However a chunked body is cut up on its way, the same comes out.
        #[test]
        fn pieces_make_no_difference(cuts in prop::collection::vec(1_usize..7, 1..60)) {
            let wire = b"5;a=b\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nA: b\r\n\r\n";
            let mut collector = Collector::new(Framing::Chunked, 20);
            let (mut have, mut used) = (0, 0);
            for cut in cuts.iter().cycle() {
                have = (have + cut).min(wire.len());
                used += collector.take(&wire[used..have]).unwrap();
                if have == wire.len() {
                    break;
                }
            }
            prop_assert!(collector.is_complete());
            prop_assert_eq!(used, wire.len());
            prop_assert_eq!(collector.into_body(), b"hello world");
        }
    }
}
