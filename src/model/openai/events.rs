//! Bytes to events, as the model's stream comes in (WHATWG HTML, "Interpreting an event stream"). Pure.
//!
//! Works on bytes and decodes UTF-8 on whole lines only, so that it makes no difference where a read cuts them. Lines end
//! in LF, CR LF or CR.

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
    /// Its `data` lines.
    pub(super) data: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    event: Event,
    event_bytes: usize,
    /// A LF that comes next belongs to the CR before it.
    after_cr: bool,
    has_begun: bool,
}

impl Events {
    /// Takes what came, and gives the events that it completes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, ModelError> {
        let mut complete = Vec::new();
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.extend_line(&rest[..end])?;
            let is_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if is_cr {
                self.after_cr = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            complete.extend(self.end_line()?);
        }
        self.extend_line(rest)?;
        Ok(complete)
    }

    /// What a stream leaves that ended without an empty line.
    pub(super) fn finish(mut self) -> Result<Option<Event>, ModelError> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.dispatch())
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        if self.line.len() + bytes.len() > LINE_BYTES_MAX {
            return Err(ModelError::TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, ModelError> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.has_begun, true) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            return Ok(self.dispatch());
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
        Ok(None)
    }

    fn add_data(&mut self, value: &str) -> Result<(), ModelError> {
        self.event_bytes += value.len() + 1;
        if self.event_bytes > EVENT_BYTES_MAX {
            return Err(ModelError::TooLong);
        }
        self.event.data.push(value.to_owned());
        Ok(())
    }

    fn dispatch(&mut self) -> Option<Event> {
        self.event_bytes = 0;
        let event = std::mem::take(&mut self.event);
        (!event.data.is_empty()).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<(String, String)> {
        let mut events = Events::default();
        let mut read = events.take(bytes).unwrap();
        read.extend(events.finish().unwrap());
        read.into_iter().map(|event| (event.name, event.data.join("|"))).collect()
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
        assert_eq!(events.take(&vec![b'x'; LINE_BYTES_MAX + 1]), Err(ModelError::TooLong));
        let mut events = Events::default();
        let lines = "data: 0123456789\n".repeat(EVENT_BYTES_MAX / 10);
        assert_eq!(events.take(lines.as_bytes()), Err(ModelError::TooLong));
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
                read.extend(events.take(head).unwrap());
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            let mut whole = Events::default();
            prop_assert_eq!(read, whole.take(wire).unwrap());
        }
    }
}
