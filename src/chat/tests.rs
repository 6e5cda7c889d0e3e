//! Whole turns, against a real store and the builtin model.
