//! What a statement is, and the fast reader of INSERT.
