//! Questions to a person at a terminal, each asked again until its answer will do. They are asked on standard error, as
//! standard output may be a file.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use super::super::complain;

/// A line that is longer is no answer.
const LINE_BYTES_MAX: u64 = 4096;

/// Whether a person is there to be asked.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks until `take` takes the answer; its error says why not. An empty answer is the `default`, if there is one.
pub(super) fn ask<T>(
    question: &str,
    default: &str,
    mut take: impl FnMut(&str) -> Result<T, String>,
) -> Result<T, io::Error> {
    loop {
        let answer = line(question, default)?;
        let answer = if answer.is_empty() { default } else { &answer };
        match take(answer) {
            Ok(taken) => return Ok(taken),
            Err(why) => complain(format_args!("  {why}")),
        }
    }
}

/// Yes, unless the answer is no.
pub(super) fn confirm(question: &str) -> Result<bool, io::Error> {
    ask(question, "yes", |answer| match answer.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("please answer yes or no".to_owned()),
    })
}

fn line(question: &str, default: &str) -> Result<String, io::Error> {
    let mut terminal = io::stderr();
    match default {
        "" => write!(terminal, "{question}: ")?,
        default => write!(terminal, "{question} [{default}]: ")?,
    }
    terminal.flush()?;
    let mut bytes = Vec::new();
    io::stdin().lock().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        // Ctrl-D, which ends no line.
        writeln!(terminal)?;
        return Err(io::Error::other("the questions were not answered to the end; nothing was written"));
    }
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
