//! GeoJSON as CDF takes it: one feature in two dimensions.
//!
//! Owns the rules of CDF's API reference for the six geometries. Promises the place of what is
//! wrong, as a path from the value's root, `$`. Never looks at the feature's properties.

use super::json_forms::unfit;
use crate::diagnostic::Diagnostic;
use serde_json::Value;

/// How the numbers of a geometry lie in lists.
#[derive(Clone, Copy)]
enum Shape {
    /// Two numbers.
    Position,
    /// A list of at least so many.
    ListOf(&'static Shape, usize),
}

const LINE: Shape = Shape::ListOf(&Shape::Position, 2);
/// CDF's reference wants two lines of a polygon in its words and takes one in its examples.
const POLYGON: Shape = Shape::ListOf(&LINE, 1);

static GEOMETRIES: [(&str, Shape); 6] = [
    ("Point", Shape::Position),
    ("LineString", LINE),
    ("Polygon", POLYGON),
    ("MultiPoint", Shape::ListOf(&Shape::Position, 0)),
    ("MultiLineString", Shape::ListOf(&LINE, 0)),
    ("MultiPolygon", Shape::ListOf(&POLYGON, 0)),
];

/// Checks a feature.
///
/// # Errors
/// 22023.
pub fn check_geo_location(value: &Value) -> Result<(), Box<Diagnostic>> {
    if !value.is_object() {
        return Err(with_example(unfit("$", "must be a JSON object")));
    }
    if value["type"] != "Feature" {
        return Err(with_example(unfit("$.type", "must be \"Feature\"")));
    }
    let geometry = &value["geometry"];
    let kind = geometry["type"].as_str().unwrap_or_default();
    let Some((_, shape)) = GEOMETRIES.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<&str> = GEOMETRIES.iter().map(|(name, _)| *name).collect();
        let what = format!("must be one of {}", names.join(", "));
        return Err(with_example(unfit("$.geometry.type", &what)));
    };
    check_shape(
        &geometry["coordinates"],
        *shape,
        "$.geometry.coordinates".to_owned(),
    )
}

fn with_example(refusal: Box<Diagnostic>) -> Box<Diagnostic> {
    Box::new(refusal.with_hint(
        "Write {\"type\": \"Feature\", \"geometry\": {\"type\": \"Point\", \"coordinates\": [4.3, 60.2]}}.",
    ))
}

fn check_shape(value: &Value, shape: Shape, place: String) -> Result<(), Box<Diagnostic>> {
    let Value::Array(elements) = value else {
        return Err(unfit(&place, "must be a JSON array"));
    };
    match shape {
        Shape::Position if elements.len() == 2 && elements.iter().all(Value::is_number) => Ok(()),
        Shape::Position => Err(unfit(&place, "must be two numbers")),
        Shape::ListOf(_, least) if elements.len() < least => Err(unfit(
            &place,
            &format!("must have {least} elements or more"),
        )),
        Shape::ListOf(inner, _) => elements
            .iter()
            .enumerate()
            .try_for_each(|(index, element)| {
                check_shape(element, *inner, format!("{place}[{index}]"))
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn feature(kind: &str, coordinates: &Value) -> Value {
        json!({"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}})
    }

    #[test]
    fn each_geometry_has_its_depth() {
        let line = json!([[1, 2], [3.5, 4]]);
        let ring = json!([[0, 0], [0, 1], [1, 1], [0, 0]]);
        for (kind, coordinates) in [
            ("Point", json!([1, -2.5])),
            ("LineString", line.clone()),
            ("Polygon", json!([ring])),
            ("MultiPoint", line.clone()),
            ("MultiLineString", json!([line, line])),
            ("MultiPolygon", json!([[ring, ring]])),
        ] {
            let taken = check_geo_location(&feature(kind, &coordinates));
            assert!(taken.is_ok(), "{kind}: {taken:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (value, said) in [
            (json!([1]), "$ must be a JSON object"),
            (
                json!({"type": "Point", "coordinates": [1, 2]}),
                "$.type must be",
            ),
            (json!({"type": "Feature"}), "$.geometry.type must be one of"),
            (
                feature("Circle", &json!([1, 2])),
                "$.geometry.type must be one of",
            ),
            (
                feature("Point", &json!("1 2")),
                "$.geometry.coordinates must be a JSON array",
            ),
            (
                feature("Point", &json!([1, 2, 3])),
                "$.geometry.coordinates must be two numbers",
            ),
            (
                feature("LineString", &json!([[1, 2], [1, "2"]])),
                "$.geometry.coordinates[1] must be two numbers",
            ),
            (
                feature("LineString", &json!([[1, 2]])),
                "$.geometry.coordinates must have 2",
            ),
        ] {
            let refusal = check_geo_location(&value).expect_err(said);
            assert_eq!(refusal.sqlstate.code(), "22023");
            assert!(refusal.message.starts_with(said), "{}", refusal.message);
        }
    }
}
