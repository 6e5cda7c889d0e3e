//! The pages of the admin page: what they show, and what their forms do.
