//! The units that are served, and the systems of them.
//!
//! Owns their reading; `catalog.json` holds them in the form of answers. A value in a unit
//! is turned into the base unit of its quantity by adding `offset` and multiplying by
//! `multiplier`. External ids and names are those of CDF's catalog.

use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// A unit of a quantity.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    pub external_id: String,
    name: String,
    long_name: String,
    symbol: String,
    alias_names: Vec<String>,
    quantity: String,
    conversion: Conversion,
}

#[derive(Debug, Serialize, Deserialize)]
struct Conversion {
    multiplier: f64,
    offset: f64,
}

/// The units that a system uses, one per quantity.
#[derive(Debug, Serialize, Deserialize)]
pub struct UnitSystem {
    name: String,
    quantities: Vec<Quantity>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Quantity {
    name: String,
    unit_external_id: String,
}

/// All units and systems.
#[derive(Debug, Deserialize)]
pub struct Catalog {
    pub units: Vec<Unit>,
    pub systems: Vec<UnitSystem>,
}

/// The catalog.
pub static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    serde_json::from_str(include_str!("catalog.json"))
        .expect("the catalog is part of the program, and a test reads it")
});

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_unit_of_a_system_is_in_the_catalog() {
        let units = CATALOG.units.iter().map(|unit| unit.external_id.as_str());
        let known: HashSet<&str> = units.collect();
        assert_eq!(known.len(), CATALOG.units.len());
        for quantity in CATALOG.systems.iter().flat_map(|one| &one.quantities) {
            let unit = quantity.unit_external_id.as_str();
            assert!(known.contains(unit), "{}: {unit}", quantity.name);
        }
    }
}
