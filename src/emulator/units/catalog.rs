//! The units that are served, and the systems of them.
//!
//! Owns the figures: a value in a unit is turned into its quantity's base unit by adding
//! `offset` and multiplying by `multiplier`. External ids and names are those of CDF's
//! catalog.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::json;

/// A unit of a quantity.
#[derive(Debug)]
pub struct Unit {
    pub external_id: &'static str,
    name: &'static str,
    long_name: &'static str,
    symbol: &'static str,
    alias_names: &'static [&'static str],
    quantity: &'static str,
    multiplier: f64,
    offset: f64,
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let conversion = json!({"multiplier": self.multiplier, "offset": self.offset});
        let mut shown = serializer.serialize_struct("Unit", 7)?;
        shown.serialize_field("externalId", self.external_id)?;
        shown.serialize_field("name", self.name)?;
        shown.serialize_field("longName", self.long_name)?;
        shown.serialize_field("symbol", self.symbol)?;
        shown.serialize_field("aliasNames", self.alias_names)?;
        shown.serialize_field("quantity", self.quantity)?;
        shown.serialize_field("conversion", &conversion)?;
        shown.end()
    }
}

/// The units that a system uses, by quantity.
#[derive(Debug)]
pub struct UnitSystem {
    name: &'static str,
    quantities: &'static [(&'static str, &'static str)],
}

impl Serialize for UnitSystem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let quantities: Vec<_> = self
            .quantities
            .iter()
            .map(|(name, unit)| json!({"name": name, "unitExternalId": unit}))
            .collect();
        let mut shown = serializer.serialize_struct("UnitSystem", 2)?;
        shown.serialize_field("name", self.name)?;
        shown.serialize_field("quantities", &quantities)?;
        shown.end()
    }
}

const fn unit(
    (external_id, name): (&'static str, &'static str),
    (long_name, symbol): (&'static str, &'static str),
    alias_names: &'static [&'static str],
    quantity: &'static str,
    (multiplier, offset): (f64, f64),
) -> Unit {
    Unit {
        external_id,
        name,
        long_name,
        symbol,
        alias_names,
        quantity,
        multiplier,
        offset,
    }
}

/// All units.
pub const UNITS: [Unit; 62] = [
    unit(
        ("temperature:k", "K"),
        ("kelvin", "K"),
        &["kelvin", "Kelvin", "degK"],
        "Temperature",
        (1.0, 0.0),
    ),
    unit(
        ("temperature:deg_c", "DEG_C"),
        ("degree Celsius", "°C"),
        &["degC", "deg C", "celsius", "Celsius"],
        "Temperature",
        (1.0, 273.15),
    ),
    unit(
        ("temperature:deg_f", "DEG_F"),
        ("degree Fahrenheit", "°F"),
        &["degF", "deg F", "fahrenheit", "Fahrenheit"],
        "Temperature",
        (0.5555555555555556, 459.67),
    ),
    unit(
        ("pressure:pa", "PA"),
        ("pascal", "Pa"),
        &["pascal", "Pascal"],
        "Pressure",
        (1.0, 0.0),
    ),
    unit(
        ("pressure:kilopa", "KiloPA"),
        ("kilopascal", "kPa"),
        &["kilopascal"],
        "Pressure",
        (1000.0, 0.0),
    ),
    unit(
        ("pressure:megapa", "MegaPA"),
        ("megapascal", "MPa"),
        &["megapascal"],
        "Pressure",
        (1000000.0, 0.0),
    ),
    unit(
        ("pressure:bar", "BAR"),
        ("bar", "bar"),
        &["Bar", "bars"],
        "Pressure",
        (100000.0, 0.0),
    ),
    unit(
        ("pressure:millibar", "MilliBAR"),
        ("millibar", "mbar"),
        &["millibar"],
        "Pressure",
        (100.0, 0.0),
    ),
    unit(
        ("pressure:psi", "PSI"),
        ("pound force per square inch", "psi"),
        &["lbf/in2", "PSI"],
        "Pressure",
        (6894.757293168361, 0.0),
    ),
    unit(
        ("pressure:atm", "ATM"),
        ("standard atmosphere", "atm"),
        &["atmosphere"],
        "Pressure",
        (101325.0, 0.0),
    ),
    unit(
        ("length:m", "M"),
        ("metre", "m"),
        &["meter", "metre"],
        "Length",
        (1.0, 0.0),
    ),
    unit(
        ("length:millim", "MilliM"),
        ("millimetre", "mm"),
        &["millimeter"],
        "Length",
        (0.001, 0.0),
    ),
    unit(
        ("length:centim", "CentiM"),
        ("centimetre", "cm"),
        &["centimeter"],
        "Length",
        (0.01, 0.0),
    ),
    unit(
        ("length:kilom", "KiloM"),
        ("kilometre", "km"),
        &["kilometer"],
        "Length",
        (1000.0, 0.0),
    ),
    unit(
        ("length:ft", "FT"),
        ("foot", "ft"),
        &["feet", "foot"],
        "Length",
        (0.3048, 0.0),
    ),
    unit(
        ("length:in", "IN"),
        ("inch", "in"),
        &["inch", "inches"],
        "Length",
        (0.0254, 0.0),
    ),
    unit(
        ("mass:kilogm", "KiloGM"),
        ("kilogram", "kg"),
        &["kilogram"],
        "Mass",
        (1.0, 0.0),
    ),
    unit(
        ("mass:gm", "GM"),
        ("gram", "g"),
        &["gram"],
        "Mass",
        (0.001, 0.0),
    ),
    unit(
        ("mass:tonne", "TONNE"),
        ("tonne", "t"),
        &["metric ton"],
        "Mass",
        (1000.0, 0.0),
    ),
    unit(
        ("mass:lb", "LB"),
        ("pound mass", "lbm"),
        &["pound", "lb"],
        "Mass",
        (0.45359237, 0.0),
    ),
    unit(
        ("time:sec", "SEC"),
        ("second", "s"),
        &["sec", "second"],
        "Time",
        (1.0, 0.0),
    ),
    unit(
        ("time:min", "MIN"),
        ("minute", "min"),
        &["minute"],
        "Time",
        (60.0, 0.0),
    ),
    unit(
        ("time:hr", "HR"),
        ("hour", "h"),
        &["hour", "hr"],
        "Time",
        (3600.0, 0.0),
    ),
    unit(
        ("time:day", "DAY"),
        ("day", "d"),
        &["day"],
        "Time",
        (86400.0, 0.0),
    ),
    unit(
        ("volume:m3", "M3"),
        ("cubic metre", "m³"),
        &["m3", "cubic meter"],
        "Volume",
        (1.0, 0.0),
    ),
    unit(
        ("volume:l", "L"),
        ("litre", "L"),
        &["liter", "l"],
        "Volume",
        (0.001, 0.0),
    ),
    unit(
        ("volume:ft3", "FT3"),
        ("cubic foot", "ft³"),
        &["ft3", "cubic foot"],
        "Volume",
        (0.028316846592, 0.0),
    ),
    unit(
        ("volume_flow_rate:m3-per-sec", "M3-PER-SEC"),
        ("cubic metre per second", "m³/s"),
        &["m3/s"],
        "Volume Flow Rate",
        (1.0, 0.0),
    ),
    unit(
        ("volume_flow_rate:m3-per-hr", "M3-PER-HR"),
        ("cubic metre per hour", "m³/h"),
        &["m3/h"],
        "Volume Flow Rate",
        (0.0002777777777777778, 0.0),
    ),
    unit(
        ("volume_flow_rate:ft3-per-sec", "FT3-PER-SEC"),
        ("cubic foot per second", "ft³/s"),
        &["ft3/s"],
        "Volume Flow Rate",
        (0.028316846592, 0.0),
    ),
    unit(
        ("mass_flow_rate:kilogm-per-sec", "KiloGM-PER-SEC"),
        ("kilogram per second", "kg/s"),
        &["kg/s"],
        "Mass Flow Rate",
        (1.0, 0.0),
    ),
    unit(
        ("mass_flow_rate:kilogm-per-hr", "KiloGM-PER-HR"),
        ("kilogram per hour", "kg/h"),
        &["kg/h"],
        "Mass Flow Rate",
        (0.0002777777777777778, 0.0),
    ),
    unit(
        ("mass_flow_rate:lb-per-sec", "LB-PER-SEC"),
        ("pound mass per second", "lbm/s"),
        &["lb/s"],
        "Mass Flow Rate",
        (0.45359237, 0.0),
    ),
    unit(
        ("velocity:m-per-sec", "M-PER-SEC"),
        ("metre per second", "m/s"),
        &["m/s"],
        "Velocity",
        (1.0, 0.0),
    ),
    unit(
        ("velocity:kilom-per-hr", "KiloM-PER-HR"),
        ("kilometre per hour", "km/h"),
        &["km/h"],
        "Velocity",
        (0.2777777777777778, 0.0),
    ),
    unit(
        ("velocity:ft-per-sec", "FT-PER-SEC"),
        ("foot per second", "ft/s"),
        &["ft/s"],
        "Velocity",
        (0.3048, 0.0),
    ),
    unit(
        ("area:m2", "M2"),
        ("square metre", "m²"),
        &["m2"],
        "Area",
        (1.0, 0.0),
    ),
    unit(
        ("area:ft2", "FT2"),
        ("square foot", "ft²"),
        &["ft2"],
        "Area",
        (0.09290304, 0.0),
    ),
    unit(
        ("density:kilogm-per-m3", "KiloGM-PER-M3"),
        ("kilogram per cubic metre", "kg/m³"),
        &["kg/m3"],
        "Density",
        (1.0, 0.0),
    ),
    unit(
        ("density:lb-per-ft3", "LB-PER-FT3"),
        ("pound mass per cubic foot", "lbm/ft³"),
        &["lb/ft3"],
        "Density",
        (16.01846337396014, 0.0),
    ),
    unit(
        ("power:w", "W"),
        ("watt", "W"),
        &["watt"],
        "Power",
        (1.0, 0.0),
    ),
    unit(
        ("power:kilow", "KiloW"),
        ("kilowatt", "kW"),
        &["kilowatt"],
        "Power",
        (1000.0, 0.0),
    ),
    unit(
        ("power:megaw", "MegaW"),
        ("megawatt", "MW"),
        &["megawatt"],
        "Power",
        (1000000.0, 0.0),
    ),
    unit(
        ("power:hp", "HP"),
        ("horsepower", "hp"),
        &["horsepower"],
        "Power",
        (745.6998715822702, 0.0),
    ),
    unit(
        ("energy:j", "J"),
        ("joule", "J"),
        &["joule"],
        "Energy",
        (1.0, 0.0),
    ),
    unit(
        ("energy:kilow-hr", "KiloW-HR"),
        ("kilowatt hour", "kWh"),
        &["kilowatt hour"],
        "Energy",
        (3600000.0, 0.0),
    ),
    unit(
        ("energy:btu_it", "BTU_IT"),
        ("British thermal unit", "Btu"),
        &["BTU"],
        "Energy",
        (1055.05585262, 0.0),
    ),
    unit(
        ("force:n", "N"),
        ("newton", "N"),
        &["newton"],
        "Force",
        (1.0, 0.0),
    ),
    unit(
        ("force:lb_f", "LB_F"),
        ("pound force", "lbf"),
        &["pound force"],
        "Force",
        (4.4482216152605, 0.0),
    ),
    unit(
        ("torque:n-m", "N-M"),
        ("newton metre", "N·m"),
        &["Nm"],
        "Torque",
        (1.0, 0.0),
    ),
    unit(
        ("torque:lb_f-ft", "LB_F-FT"),
        ("pound force foot", "lbf·ft"),
        &["lbf ft"],
        "Torque",
        (1.3558179483314003, 0.0),
    ),
    unit(
        ("electric_current:a", "A"),
        ("ampere", "A"),
        &["ampere", "amp"],
        "Electric Current",
        (1.0, 0.0),
    ),
    unit(
        ("electric_potential:v", "V"),
        ("volt", "V"),
        &["volt"],
        "Electric Potential",
        (1.0, 0.0),
    ),
    unit(
        ("resistance:ohm", "OHM"),
        ("ohm", "Ω"),
        &["ohm"],
        "Resistance",
        (1.0, 0.0),
    ),
    unit(
        ("frequency:hz", "HZ"),
        ("hertz", "Hz"),
        &["hertz"],
        "Frequency",
        (1.0, 0.0),
    ),
    unit(
        ("angular_velocity:rev-per-min", "REV-PER-MIN"),
        ("revolution per minute", "rpm"),
        &["rpm", "RPM"],
        "Angular Velocity",
        (0.10471975511965977, 0.0),
    ),
    unit(
        ("angular_velocity:rad-per-sec", "RAD-PER-SEC"),
        ("radian per second", "rad/s"),
        &["rad/s"],
        "Angular Velocity",
        (1.0, 0.0),
    ),
    unit(
        ("angle:deg", "DEG"),
        ("degree", "°"),
        &["degree"],
        "Angle",
        (0.017453292519943295, 0.0),
    ),
    unit(
        ("angle:rad", "RAD"),
        ("radian", "rad"),
        &["radian"],
        "Angle",
        (1.0, 0.0),
    ),
    unit(
        ("dimensionless:unitless", "UNITLESS"),
        ("unitless", ""),
        &["dimensionless"],
        "Dimensionless",
        (1.0, 0.0),
    ),
    unit(
        ("dimensionless_ratio:fraction", "FRACTION"),
        ("fraction", "fraction"),
        &["ratio"],
        "Dimensionless Ratio",
        (1.0, 0.0),
    ),
    unit(
        ("dimensionless_ratio:percent", "PERCENT"),
        ("percent", "%"),
        &["percent"],
        "Dimensionless Ratio",
        (0.01, 0.0),
    ),
];

/// All systems.
pub const SYSTEMS: [UnitSystem; 3] = [
    UnitSystem {
        name: "Default",
        quantities: &[
            ("Angle", "angle:deg"),
            ("Area", "area:m2"),
            ("Density", "density:kilogm-per-m3"),
            ("Dimensionless", "dimensionless:unitless"),
            ("Dimensionless Ratio", "dimensionless_ratio:fraction"),
            ("Electric Current", "electric_current:a"),
            ("Electric Potential", "electric_potential:v"),
            ("Energy", "energy:j"),
            ("Force", "force:n"),
            ("Frequency", "frequency:hz"),
            ("Length", "length:m"),
            ("Mass", "mass:kilogm"),
            ("Mass Flow Rate", "mass_flow_rate:kilogm-per-sec"),
            ("Power", "power:w"),
            ("Pressure", "pressure:bar"),
            ("Resistance", "resistance:ohm"),
            ("Temperature", "temperature:deg_c"),
            ("Time", "time:sec"),
            ("Torque", "torque:n-m"),
            ("Velocity", "velocity:m-per-sec"),
            ("Volume", "volume:m3"),
            ("Volume Flow Rate", "volume_flow_rate:m3-per-sec"),
        ],
    },
    UnitSystem {
        name: "SI",
        quantities: &[
            ("Angle", "angle:rad"),
            ("Area", "area:m2"),
            ("Density", "density:kilogm-per-m3"),
            ("Dimensionless", "dimensionless:unitless"),
            ("Dimensionless Ratio", "dimensionless_ratio:fraction"),
            ("Electric Current", "electric_current:a"),
            ("Electric Potential", "electric_potential:v"),
            ("Energy", "energy:j"),
            ("Force", "force:n"),
            ("Frequency", "frequency:hz"),
            ("Length", "length:m"),
            ("Mass", "mass:kilogm"),
            ("Mass Flow Rate", "mass_flow_rate:kilogm-per-sec"),
            ("Power", "power:w"),
            ("Pressure", "pressure:pa"),
            ("Resistance", "resistance:ohm"),
            ("Temperature", "temperature:k"),
            ("Time", "time:sec"),
            ("Torque", "torque:n-m"),
            ("Velocity", "velocity:m-per-sec"),
            ("Volume", "volume:m3"),
            ("Volume Flow Rate", "volume_flow_rate:m3-per-sec"),
        ],
    },
    UnitSystem {
        name: "Imperial",
        quantities: &[
            ("Area", "area:ft2"),
            ("Density", "density:lb-per-ft3"),
            ("Energy", "energy:btu_it"),
            ("Force", "force:lb_f"),
            ("Length", "length:ft"),
            ("Mass", "mass:lb"),
            ("Mass Flow Rate", "mass_flow_rate:lb-per-sec"),
            ("Power", "power:hp"),
            ("Pressure", "pressure:psi"),
            ("Temperature", "temperature:deg_f"),
            ("Torque", "torque:lb_f-ft"),
            ("Velocity", "velocity:ft-per-sec"),
            ("Volume", "volume:ft3"),
            ("Volume Flow Rate", "volume_flow_rate:ft3-per-sec"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_unit_of_a_system_is_in_the_catalog() {
        let known: HashSet<&str> = UNITS.iter().map(|unit| unit.external_id).collect();
        assert_eq!(known.len(), UNITS.len());
        for (quantity, unit) in SYSTEMS.iter().flat_map(|system| system.quantities) {
            assert!(known.contains(unit), "{quantity}: {unit}");
        }
    }
}
