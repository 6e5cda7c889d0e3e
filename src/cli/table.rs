//! A table for people: columns aligned, the last one cut where the terminal ends. What visitors wrote cannot command the
//! terminal: control characters are not passed on.

use std::io::{IsTerminal, stdout};

use super::say;

/// What the last column is left at least.
const LAST_CHARS_MIN: usize = 12;

pub(super) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    pub(super) fn print(&self) {
        self.lines(terminal_columns()).iter().for_each(|line| say(format_args!("{line}")));
    }

    /// On lines of at most so many characters, if that is known: columns for which there is no room are left out, the last
    /// before the text first.
    fn lines(&self, chars_max: Option<usize>) -> Vec<String> {
        let names: Vec<String> = self.columns.iter().map(|name| (*name).to_owned()).collect();
        let all = || std::iter::once(&names).chain(&self.rows);
        let widest = |column: usize| all().map(|row| width(&row[column])).max().unwrap_or(0);
        let is_numeric = |column: usize| !self.rows.is_empty() && self.rows.iter().all(|row| is_number(&row[column]));
        let last = names.len().saturating_sub(1);
        let mut shown: Vec<(usize, usize, bool)> =
            (0..last).map(|column| (column, widest(column), is_numeric(column))).collect();
        let before_last = |shown: &[(usize, usize, bool)]| shown.iter().map(|(_, width, _)| width + 2).sum::<usize>();
        while shown.len() > 1 && chars_max.is_some_and(|most| before_last(&shown) + LAST_CHARS_MIN > most) {
            shown.pop();
        }
        let last_max = chars_max.map(|most| most.saturating_sub(before_last(&shown)).max(LAST_CHARS_MIN));
        shown.push((last, if is_numeric(last) { widest(last) } else { 0 }, is_numeric(last)));
        let cell = |row: &Vec<String>, &(column, wide, is_numeric): &(usize, usize, bool)| {
            let cell = if column == last { cut(&row[column], last_max) } else { row[column].clone() };
            let padding = " ".repeat(wide.saturating_sub(width(&cell)));
            if is_numeric { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
        };
        all()
            .map(|row| {
                shown.iter().map(|column| cell(row, column)).collect::<Vec<_>>().join("  ").trim_end().to_owned()
            })
            .collect()
    }
}

/// The terminal's columns; none if the output goes elsewhere, where nothing is to be cut.
fn terminal_columns() -> Option<usize> {
    if !stdout().is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// The text on one line, with nothing in it that a terminal would obey.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || is_command(c))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// As [`one_line`], but its own lines stay.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| line.chars().map(|c| if is_command(c) { ' ' } else { c }).collect())
}

/// Control characters, and those that turn the direction of what follows.
pub(super) fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_number(cell: &str) -> bool {
    cell.bytes().all(|b| b.is_ascii_digit() || b == b'.') && cell.bytes().any(|b| b.is_ascii_digit())
}

fn cut(text: &str, most: Option<usize>) -> String {
    let Some(most) = most.filter(|most| width(text) > *most) else {
        return text.to_owned();
    };
    let mut left = most - 1;
    let fits = |c: &char| {
        let wide = width_of(*c);
        let has_room = wide <= left;
        left = left.saturating_sub(wide);
        has_room
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// Characters of East Asia and pictures take two columns.
fn width_of(c: char) -> usize {
    let is_wide = matches!(c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}');
    1 + usize::from(is_wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["id", "messages", "question"]);
        table.row(["a".into(), "7".into(), "Where is\nmy order?".into()]);
        table.row(["longer".into(), "12".into(), "\u{1b}[31mred\u{202e} 日本語です".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_numbers_to_the_right() {
        let expected = [
            "id      messages  question",
            "a              7  Where is my order?",
            "longer        12  [31mred 日本語です",
        ];
        assert_eq!(table().lines(None), expected);
    }

    #[test]
    fn the_last_column_is_cut_where_the_terminal_ends() {
        let lines = table().lines(Some(32));
        assert_eq!(lines[1], "a              7  Where is my o…");
        assert_eq!(lines[2], "longer        12  [31mred 日本…");
        assert!(lines.iter().all(|line| width(line) <= 32));
    }

    #[test]
    fn columns_without_room_are_left_out_but_the_first_and_the_last() {
        assert_eq!(table().lines(Some(22))[1], "a       Where is my o…");
        assert_eq!(table().lines(Some(1))[1], "a       Where is my…");
    }

    #[test]
    fn lines_of_a_text_stay_and_command_nothing() {
        assert_eq!(lines("a\u{9b}b\r\n\tc").collect::<Vec<_>>(), ["a b", " c"]);
    }
}
