//! Pieces of an answer that came together: one read of a fast model's stream brings dozens of them.

/// Texts in their order, in one buffer that is used again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
    text: String,
    /// Where each piece ends.
    ends: Vec<usize>,
}

impl Pieces {
    /// Adds a piece; an empty one is none.
    pub(crate) fn push(&mut self, piece: &str) {
        if !piece.is_empty() {
            self.text.push_str(piece);
            self.ends.push(self.text.len());
        }
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All of it, as it reads.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }
}

impl From<&str> for Pieces {
    fn from(piece: &str) -> Self {
        let mut pieces = Self::default();
        pieces.push(piece);
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_bounds() {
        let mut pieces = Pieces::from("Hé");
        for piece in ["", "llo", " ", "😀"] {
            pieces.push(piece);
        }
        assert_eq!(pieces.iter().collect::<Vec<_>>(), ["Hé", "llo", " ", "😀"]);
        assert_eq!(pieces.text(), "Héllo 😀");
        pieces.clear();
        assert!(pieces.is_empty() && pieces.iter().next().is_none());
    }
}
