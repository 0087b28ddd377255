//! What Penstock promises, checked from outside: a real PostgreSQL client on one side, CDF's
//! API on the other, `penstock dev` between them.

#[path = "promises/custom_table_changes.rs"]
mod custom_table_changes;
#[path = "promises/custom_tables.rs"]
mod custom_tables;
#[path = "promises/dead_letters.rs"]
mod dead_letters;
#[path = "promises/delivery.rs"]
mod delivery;
#[path = "promises/dev_process.rs"]
mod dev_process;
#[path = "promises/faults.rs"]
mod faults;
#[path = "promises/gateway_process.rs"]
mod gateway_process;
#[path = "promises/journal.rs"]
mod journal;
#[path = "promises/journal_corners.rs"]
mod journal_corners;
#[path = "promises/letters_api.rs"]
mod letters_api;
#[path = "promises/order.rs"]
mod order;
#[path = "promises/point_changes.rs"]
mod point_changes;
#[path = "promises/poison.rs"]
mod poison;
#[path = "promises/tables.rs"]
mod tables;
#[path = "promises/tokio_postgres_client.rs"]
mod tokio_postgres_client;
#[path = "promises/transactions.rs"]
mod transactions;
