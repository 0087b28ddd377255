//! Dead letters: the store by itself, and the way from a refused row to its replay, from
//! outside.

mod custom_tables;
mod letters;
mod rejected;
mod store;
