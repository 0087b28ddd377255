//! What the pipeline promises: rows once each and in order, within budgets, and a verdict for
//! every row, whatever happens to requests and actors.

mod actors;
mod behaviour;
mod breaker;
mod budgets;
mod cdf;
mod directory;
mod emulated;
mod fairness;
mod figures;
mod model;
mod objects;
mod pacing;
mod parents;
mod plant;
mod point_changes;
mod raw_changes;
mod rows;
mod saturation;
mod two_names;
mod world;
