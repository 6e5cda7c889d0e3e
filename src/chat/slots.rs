//! One generation at a time for each conversation.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::id::ConversationId;

/// The conversations that are being answered. Bounded by the generation permits: who takes a slot holds one.
#[derive(Clone, Default)]
pub(super) struct Slots(Arc<Mutex<HashSet<ConversationId>>>);

impl Slots {
    /// The conversation's slot, or `None` while somebody has it.
    pub(super) fn try_take(&self, conversation: ConversationId) -> Option<Slot> {
        self.0.lock().insert(conversation).then(|| Slot { slots: self.clone(), conversation })
    }
}

/// Given back when dropped.
pub(super) struct Slot {
    slots: Slots,
    conversation: ConversationId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.0.lock().remove(&self.conversation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_conversation_has_one_slot_and_gets_it_back() {
        let slots = Slots::default();
        let [one, two] = [1, 2].map(|ms| ConversationId::new(Timestamp::from_ms(ms)));
        let taken = slots.try_take(one);
        assert!(taken.is_some());
        assert!(slots.try_take(one).is_none());
        assert!(slots.try_take(two).is_some());
        drop(taken);
        assert!(slots.try_take(one).is_some());
    }
}
