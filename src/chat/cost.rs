//! What a turn took, in tokens: as its model reports, within reason, and estimated where nobody reports. Pure.

use super::budget::estimated_tokens_of;
use crate::domain::conversation::Usage;
use crate::model::Unreported;

/// Other tokenisers and templates make more of a prompt than we estimate, and a model that thinks may pass its limit; but
/// a report beyond so many times what was reserved is a mistake, and must not spend an agent's day.
const TIMES_RESERVED_MAX: u64 = 4;

/// What may be used for one answer, as it was estimated when the message was accepted.
#[derive(Clone, Copy)]
pub(super) struct Reserved {
    pub(super) input_tokens: u64,
    pub(super) answer_tokens: u64,
}

impl Reserved {
    /// What `reported` is taken for, and whether that is less.
    pub(super) fn believable(self, reported: Usage) -> (Usage, bool) {
        let input_max = self.input_tokens.saturating_mul(TIMES_RESERVED_MAX);
        let output_max = self.answer_tokens.saturating_mul(TIMES_RESERVED_MAX);
        if reported.total() <= input_max.saturating_add(output_max) {
            return (reported, false);
        }
        let believed = Usage {
            input_tokens: reported.input_tokens.min(narrow(input_max)),
            output_tokens: reported.output_tokens.min(narrow(output_max)),
        };
        (believed, true)
    }

    /// What the calls took that told nothing of it.
    pub(super) fn estimate(self, unreported: Unreported) -> Usage {
        let output_tokens = match unreported.output_bytes {
            0 => 0,
            bytes => estimated_tokens_of(bytes),
        };
        Usage {
            input_tokens: narrow(self.input_tokens.saturating_mul(u64::from(unreported.calls))),
            output_tokens: narrow(output_tokens),
        }
    }
}

fn narrow(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVED: Reserved = Reserved { input_tokens: 100, answer_tokens: 800 };

    fn usage(input_tokens: u32, output_tokens: u32) -> Usage {
        Usage { input_tokens, output_tokens }
    }

    #[test]
    fn reports_are_believed_within_reason() {
        for (reported, expected) in [
            (usage(20, 10), usage(20, 10)),
            (usage(1000, 900), usage(1000, 900)),
            (usage(0, 3600), usage(0, 3600)),
            (usage(u32::MAX, 10), usage(400, 10)),
            (usage(20, u32::MAX), usage(20, 3200)),
            (usage(u32::MAX, u32::MAX), usage(400, 3200)),
        ] {
            assert_eq!(RESERVED.believable(reported), (expected, reported != expected), "{reported:?}");
        }
    }

    #[test]
    fn each_call_without_a_report_takes_the_question_and_what_it_said() {
        for (calls, output_bytes, expected) in
            [(0, 0, usage(0, 0)), (1, 0, usage(100, 0)), (1, 30, usage(100, 14)), (3, 30, usage(300, 14))]
        {
            assert_eq!(RESERVED.estimate(Unreported { calls, output_bytes }), expected);
        }
    }
}
