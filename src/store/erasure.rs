//! Deleting a conversation: its messages and events go with it, its words leave the search index, its leads stay.

use super::{Commit, Store, StoreError, message_search};
use crate::domain::id::ConversationId;
use rusqlite::Connection;

impl Store {
    /// Deletes a conversation with its messages and events; a lead that was left in it stays. False: there is none.
    pub(crate) fn delete_conversation(&self, conversation: ConversationId) -> Commit<bool> {
        self.write(move |connection| delete_conversation(connection, conversation))
    }
}

fn delete_conversation(connection: &Connection, conversation: ConversationId) -> Result<bool, StoreError> {
    message_search::leave(connection, conversation)?;
    let deleted =
        connection.prepare_cached("delete from conversations where id = ?1")?.execute([conversation.as_bytes()])?;
    Ok(deleted > 0)
}
