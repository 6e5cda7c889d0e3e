//! A table in CSV (RFC 4180) that is safe to open in a spreadsheet.
//!
//! A spreadsheet takes a cell that begins like a formula for one, whatever is quoted, and visitors choose what stands in
//! cells. Such a cell gets a `'` before it, as OWASP has it ("CSV Injection"): all prefixes that it names, also after
//! spaces. The cell is still readable: `'+49 30 123`. Pure.

use std::borrow::Cow;
use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

/// The full-width forms are signs of formulas too, in spreadsheets of languages that type them.
const PREFIXES: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

pub(crate) struct CsvTable<W: Write>(Box<Writer<W>>);

impl<W: Write> CsvTable<W> {
    /// Writes the line of names.
    pub(crate) fn new(out: W, columns: &[&str]) -> io::Result<Self> {
        let writer = WriterBuilder::new().quote_style(QuoteStyle::Always).terminator(Terminator::CRLF).from_writer(out);
        let mut table = Self(Box::new(writer));
        table.0.write_record(columns)?;
        Ok(table)
    }

    pub(crate) fn row(&mut self, cells: &[String]) -> io::Result<()> {
        self.0.write_record(cells.iter().map(|cell| safe(cell).into_owned()))?;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The cell, so that no spreadsheet computes it.
fn safe(cell: &str) -> Cow<'_, str> {
    let is_blank = |c: char| (c.is_whitespace() && !PREFIXES.contains(&c)) || c == '\0' || c == '\u{feff}';
    if cell.trim_start_matches(is_blank).starts_with(PREFIXES) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_formula_is_defused_also_after_spaces() {
        for prefix in PREFIXES {
            for before in ["", " ", "   ", "\u{a0}", "\u{b} ", "\u{feff}", "\0"] {
                let cell = format!("{before}{prefix}1+1");
                assert_eq!(safe(&cell), format!("'{cell}"), "{cell:?}");
            }
        }
    }

    #[test]
    fn what_is_no_formula_stays_as_it_is() {
        for cell in ["", "a", "1", "a=b", "ann@example.com", "'quoted'", "2026-11-25", " a", "{\"a\":\"=1\"}", "Ä"] {
            assert_eq!(safe(cell), cell);
        }
        assert_eq!(safe("+49 30 123"), "'+49 30 123");
    }

    #[test]
    fn all_cells_are_quoted_and_lines_end_as_the_rfc_says() {
        let mut out = Vec::new();
        let mut table = CsvTable::new(&mut out, &["a", "b"]).unwrap();
        table.row(&["x \"y\", z".into(), "=1\r\n2".into()]).unwrap();
        table.row(&[String::new(), "ü".into()]).unwrap();
        table.finish().unwrap();
        let expected = "\"a\",\"b\"\r\n\"x \"\"y\"\", z\",\"'=1\r\n2\"\r\n\"\",\"ü\"\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
