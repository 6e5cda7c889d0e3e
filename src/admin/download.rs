//! An answer that is written while it is made, in large pieces.

use std::io::{self, ErrorKind, Write};

use crate::http::{ClientGone, EventStream};

const PIECE_BYTES: usize = 64 << 10;

pub(super) struct Download {
    stream: EventStream,
    piece: Vec<u8>,
}

impl Download {
    pub(super) fn new(stream: EventStream) -> Self {
        Self { stream, piece: Vec::with_capacity(PIECE_BYTES) }
    }

    /// The regular end. Dropped without it, the connection is closed and the browser sees that something is missing.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.queue();
        self.stream.finish().map_err(gone)
    }

    fn queue(&mut self) {
        if !self.piece.is_empty() {
            self.stream.queue_bytes(&self.piece);
            self.piece.clear();
        }
    }
}

impl Write for Download {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.queue();
            self.stream.flush().map_err(gone)?;
        }
        Ok(bytes.len())
    }

    /// What is left goes with the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gone(_: ClientGone) -> io::Error {
    ErrorKind::BrokenPipe.into()
}
