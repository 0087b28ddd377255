//! What the pipeline promises: rows once each and in order, within budgets, and a verdict for
//! every row, whatever happens to requests and actors.

mod actors;
mod behaviour;
mod cdf;
mod emulated;
mod model;
mod rows;
mod world;
