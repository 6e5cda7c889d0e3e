//! Bytes to events, as the model's stream comes in (WHATWG HTML, "Interpreting an event stream"). Pure.
//!
//! Works on bytes and decodes UTF-8 on whole lines only, so that it makes no difference where a read cuts them. Lines end
//! in LF, CR LF or CR.

use memchr::memchr2;

use crate::model::ModelError;

/// Of one line: an endless one must not fill the memory. Whole answers in one event are known up to 4 MB elsewhere;
/// an answer of ours is cut at a fraction of this.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Of the data lines of one event.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// One event that had data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    /// Its `data` lines, joined by LF.
    pub(super) data: String,
    /// How many there were.
    pub(super) lines: usize,
}

#[derive(Debug, Default)]
pub(super) struct Events {
    /// A line that the last bytes left unfinished.
    line: Vec<u8>,
    event: Event,
    /// The event was given out: the next line begins another one.
    is_complete: bool,
    /// A LF that comes next belongs to the CR before it.
    after_cr: bool,
    has_begun: bool,
}

impl Events {
    /// The next event that `bytes` complete, and takes off them what it used; `None` when it has used them all.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<&Event>, ModelError> {
        self.begin_event();
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            *bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            let (line, mut rest) = (&bytes[..end], &bytes[end + 1..]);
            if bytes[end] == b'\r' {
                self.after_cr = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            *bytes = rest;
            self.whole_line(line)?;
            if self.is_complete {
                return Ok(Some(&self.event));
            }
        }
        self.extend_line(bytes)?;
        *bytes = &[];
        Ok(None)
    }

    /// What a stream leaves that ended without an empty line.
    pub(super) fn finish(mut self) -> Result<Option<Event>, ModelError> {
        self.begin_event();
        if !self.line.is_empty() {
            self.whole_line(b"")?;
        }
        Ok((self.event.lines > 0).then_some(self.event))
    }

    fn begin_event(&mut self) {
        if std::mem::take(&mut self.is_complete) {
            self.clear_event();
        }
    }

    fn clear_event(&mut self) {
        self.event.name.clear();
        self.event.data.clear();
        self.event.lines = 0;
    }

    /// A line that ends with `line`; it is copied only if it came in several reads.
    fn whole_line(&mut self, line: &[u8]) -> Result<(), ModelError> {
        if self.line.is_empty() {
            return self.end_line(line);
        }
        self.extend_line(line)?;
        let mut whole = std::mem::take(&mut self.line);
        let ended = self.end_line(&whole);
        whole.clear();
        self.line = whole;
        ended
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        if self.line.len() + bytes.len() > LINE_BYTES_MAX {
            return Err(ModelError::TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, mut line: &[u8]) -> Result<(), ModelError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(ModelError::TooLong);
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            if self.event.lines == 0 {
                self.clear_event();
            } else {
                self.is_complete = true;
            }
            return Ok(());
        }
        let text = String::from_utf8_lossy(line);
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.add_data(value)?,
            "event" => value.clone_into(&mut self.event.name),
            // llama.cpp before September 2025 sent errors as a field (ggml-org/llama.cpp#16109).
            "error" => {
                self.event.name = "error".into();
                self.add_data(value)?;
            }
            // A comment (an empty name), `id`, `retry`, and what we do not know.
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &str) -> Result<(), ModelError> {
        let Event { data, lines, .. } = &mut self.event;
        if data.len() + value.len() + *lines > EVENT_BYTES_MAX {
            return Err(ModelError::TooLong);
        }
        if *lines > 0 {
            data.push('\n');
        }
        data.push_str(value);
        *lines += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<(String, String)> {
        let mut events = Events::default();
        let mut read = all(&mut events, bytes).unwrap();
        read.extend(events.finish().unwrap());
        read.into_iter().map(|event| (event.name, event.data.replace('\n', "|"))).collect()
    }

    fn all(events: &mut Events, mut bytes: &[u8]) -> Result<Vec<Event>, ModelError> {
        let mut read = Vec::new();
        while let Some(event) = events.next(&mut bytes)? {
            read.push(event.clone());
        }
        Ok(read)
    }

    fn check(bytes: impl AsRef<[u8]>, expected: &[&str]) {
        let data: Vec<_> = read(bytes.as_ref()).into_iter().map(|(_, data)| data).collect();
        assert_eq!(data, expected, "{}", String::from_utf8_lossy(bytes.as_ref()));
    }

    #[test]
    fn framing_quirks() {
        check("data: a\n\ndata: b\n\n", &["a", "b"]);
        check("data:a\n\n", &["a"]); // gateways without the space (openai/openai-python#498)
        check("data:  a\n\n", &[" a"]); // exactly one space goes
        check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]); // sse-starlette
        check("data: a\r\rdata: b\r\r", &["a", "b"]);
        check("\u{feff}data: a\n\n", &["a"]);
        check(": OPENROUTER PROCESSING\n\n:\n\ndata: a\n\n", &["a"]); // OpenRouter, llama.cpp
        check("data: a\ndata: b\n\n", &["a|b"]);
        check("id: 7\nretry: 1\nx\nevent: e\ndata: a\n\n", &["a"]);
        check("data: a\n\ndata: b", &["a", "b"]); // cut by the peer
        check("event: only a name\n\n", &[]);
        check("data\n\n", &[""]);
        check("", &[]);
        assert_eq!(read(b"error: {\"x\":1}\n\n"), [("error".into(), "{\"x\":1}".into())]);
        check(b"data: \xff\n\n", &["\u{fffd}"]);
    }

    #[test]
    fn endless_lines_and_events_are_cut_off() {
        let mut events = Events::default();
        assert_eq!(all(&mut events, &vec![b'x'; LINE_BYTES_MAX + 1]), Err(ModelError::TooLong));
        let mut events = Events::default();
        let lines = "data: 0123456789\n".repeat(EVENT_BYTES_MAX / 10);
        assert_eq!(all(&mut events, lines.as_bytes()), Err(ModelError::TooLong));
    }

    proptest! {
        /// Wherever the reads cut the bytes, in a CR LF or in a character, the events are the same.
        #[test]
        fn cuts_make_no_difference(cuts in prop::collection::vec(1_usize..9, 1..80)) {
            let wire = "\u{feff}data: h\u{e9}llo \u{1f600}\r\n\r\n: c\r\rdata: x\ndata: y\r\n\nevent: error\rdata: z\r\r\n".as_bytes();
            let mut events = Events::default();
            let mut read = Vec::new();
            let mut rest = wire;
            for cut in cuts.iter().cycle() {
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                read.extend(all(&mut events, head).unwrap());
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            let mut whole = Events::default();
            prop_assert_eq!(read, all(&mut whole, wire).unwrap());
        }
    }
}
