//! Records and segments from outside: what is written is read again, and damage is noticed.

use super::envelope::Envelope;
use super::record::{Draft, HEADER_BYTES, Header};
use super::segment::{Found, NotASegment, SEGMENT_HEADER_BYTES, Scan, SegmentHeader};
use crate::catalog::{self, Table};
use crate::rows::{
    Action, ActionKind, DatapointBatch, DatapointValues, ObjectBatch, ObjectColumn, ObjectValues,
    PointStatus, RawAction, RawBatch, RawDestination, RowBatch, RowNumbers, SeriesKey,
    SeriesReference, TextColumn, TimeSpan, hash_key, row_key_hash,
};
use proptest::prelude::*;
use std::sync::Arc;

const KEY: u64 = 0x1234_5678_9abc_def0;

fn texts(values: &[String]) -> TextColumn {
    let mut column = TextColumn::default();
    for value in values {
        column.push(value.as_bytes());
    }
    column
}

fn numbers(rows: usize) -> impl Strategy<Value = RowNumbers> {
    prop_oneof![
        any::<u64>().prop_map(RowNumbers::From),
        prop::collection::vec(any::<u64>(), rows).prop_map(RowNumbers::Listed),
    ]
}

fn reference() -> impl Strategy<Value = SeriesReference> {
    prop_oneof![
        any::<i64>().prop_map(SeriesReference::Id),
        "\\PC{0,9}".prop_map(|name| SeriesReference::ExternalId(name.into())),
        ("\\PC{1,9}", "\\PC{1,9}")
            .prop_map(|(space, name)| SeriesReference::instance(&space, &name)),
    ]
}

fn status() -> impl Strategy<Value = PointStatus> {
    (any::<u32>(), any::<bool>())
        .prop_map(|(code, has_no_value)| PointStatus { code, has_no_value })
}

/// Points of 1 to 300 series, so that every width of the index is met but the widest.
fn points() -> impl Strategy<Value = RowBatch> {
    (1_usize..300, 0_usize..40).prop_flat_map(|(series, more)| {
        let rows = series + more;
        (
            prop::collection::vec(reference(), series),
            prop::collection::vec(0..series, more),
            prop::collection::vec(i64::MIN..i64::MAX - 70_000, rows),
            prop_oneof![
                prop::collection::vec(-1e100_f64..1e100, rows).prop_map(DatapointValues::Double),
                prop::collection::vec("\\PC{0,5}", rows)
                    .prop_map(|values| DatapointValues::Text(texts(&values))),
            ],
            prop_oneof![
                Just(Vec::new()),
                prop::collection::vec(status(), rows..=rows),
            ],
            prop::option::weighted(0.3, prop::collection::vec(1_u16.., rows)),
            any::<bool>(),
            numbers(rows),
        )
            .prop_map(
                |(
                    references,
                    more,
                    timestamps_ms,
                    values,
                    statuses,
                    widths,
                    changes,
                    row_numbers,
                )| {
                    let deletes = widths.is_some();
                    let (values, action) = match (widths, changes) {
                        (Some(widths), _) => {
                            let ends = timestamps_ms.iter().zip(widths);
                            let ends = ends.map(|(begin, width)| begin + i64::from(width));
                            (DatapointValues::Deleted(ends.collect()), ActionKind::Delete)
                        }
                        (None, true) => (values, ActionKind::Update),
                        (None, false) => (values, ActionKind::Create),
                    };
                    let statuses = if deletes { Vec::new() } else { statuses };
                    let last_ms: Vec<i64> = match &values {
                        DatapointValues::Deleted(ends) => ends.iter().map(|end| end - 1).collect(),
                        _ => timestamps_ms.clone(),
                    };
                    let series: Vec<_> = references
                        .into_iter()
                        .map(|reference| Arc::new(SeriesKey::new(reference)))
                        .collect();
                    let series_index: Vec<u32> = (0..series.len())
                        .chain(more)
                        .map(|index| index as u32)
                        .collect();
                    let spans = (0..series.len() as u32)
                        .map(|series| {
                            let of = |times: &[i64]| -> Vec<i64> {
                                let all = series_index.iter().zip(times);
                                let own = all.filter(|(index, _)| **index == series);
                                own.map(|(_, at)| *at).collect()
                            };
                            TimeSpan {
                                first_ms: of(&timestamps_ms).into_iter().min().unwrap_or_default(),
                                last_ms: of(&last_ms).into_iter().max().unwrap_or_default(),
                            }
                        })
                        .collect();
                    RowBatch::Datapoints(DatapointBatch {
                        table: match values {
                            DatapointValues::Text(_) => catalog::STRING_DATAPOINTS,
                            _ => catalog::CDF_DOUBLE_DATAPOINTS,
                        },
                        action,
                        series,
                        spans,
                        series_index,
                        timestamps_ms,
                        values,
                        statuses,
                        row_numbers,
                    })
                },
            )
    })
}

fn raw_rows() -> impl Strategy<Value = RowBatch> {
    (1_usize..30).prop_flat_map(|rows| {
        (
            ("\\PC{1,9}", "\\PC{1,9}"),
            prop::collection::vec("\\PC{1,9}", rows),
            prop::collection::vec("\\PC{0,30}", rows),
            numbers(rows),
            prop::sample::select(RawAction::ALL.to_vec()),
        )
            .prop_map(|((database, table), keys, columns, row_numbers, action)| {
                RowBatch::RawRows(RawBatch {
                    action,
                    destination: Arc::new(RawDestination {
                        database: database.into(),
                        table: table.into(),
                    }),
                    key_hashes: keys.iter().map(|key| hash_key(key.as_bytes())).collect(),
                    keys: texts(&keys),
                    columns: texts(&columns),
                    row_numbers,
                })
            })
    })
}

fn column(
    rows: usize,
    values: impl Strategy<Value = ObjectValues>,
) -> impl Strategy<Value = (ObjectValues, Vec<bool>)> {
    (values, prop::collection::vec(any::<bool>(), rows))
}

/// One column of each type; types need not fit the catalog's, the codec goes by the values.
fn objects() -> impl Strategy<Value = RowBatch> {
    (1_usize..20).prop_flat_map(|rows| {
        (
            column(
                rows,
                prop::collection::vec("\\PC{0,9}", rows)
                    .prop_map(|values| ObjectValues::Text(texts(&values))),
            ),
            column(
                rows,
                prop::collection::vec(any::<bool>(), rows).prop_map(ObjectValues::Bool),
            ),
            column(
                rows,
                prop::collection::vec(any::<i64>(), rows).prop_map(ObjectValues::BigInt),
            ),
            column(
                rows,
                prop::collection::vec(-1.0_f64..1.0, rows).prop_map(ObjectValues::Double),
            ),
            column(
                rows,
                prop::collection::vec(any::<i64>(), rows).prop_map(ObjectValues::TimestampMs),
            ),
            column(
                rows,
                prop::collection::vec("\\PC{0,9}", rows)
                    .prop_map(|values| ObjectValues::Json(texts(&values))),
            ),
            column(
                rows,
                prop::collection::vec(prop::collection::vec(any::<i64>(), 0..4), rows)
                    .prop_map(ObjectValues::BigIntArray),
            ),
            numbers(rows),
        )
            .prop_map(
                move |(text, flag, integer, double, time, json, array, row_numbers)| {
                    let columns: Vec<ObjectColumn> =
                        [text, flag, integer, double, time, json, array]
                            .into_iter()
                            .enumerate()
                            .map(|(index, (values, present))| ObjectColumn {
                                column: index + 1,
                                values,
                                present,
                            })
                            .collect();
                    let table = table("time_series");
                    let find = |index: usize| columns.iter().find(|column| column.column == index);
                    RowBatch::Objects(ObjectBatch {
                        table,
                        action: Action::Create,
                        rows,
                        key_hashes: (0..rows)
                            .map(|row| row_key_hash(table, row, find))
                            .collect(),
                        columns: columns.clone(),
                        row_numbers,
                    })
                },
            )
    })
}

fn batch() -> impl Strategy<Value = RowBatch> {
    prop_oneof![points(), raw_rows(), objects()]
}

fn table(name: &str) -> &'static Table {
    catalog::table(None, name).expect("the catalog has it")
}

fn table_of(batch: &RowBatch) -> &'static Table {
    table(match batch {
        RowBatch::Datapoints(batch) => return batch.table,
        RowBatch::RawRows(_) => "raw_rows",
        RowBatch::Objects(_) => "time_series",
    })
}

fn draft(batch: &RowBatch) -> Draft {
    let table = table_of(batch);
    let envelope = Envelope {
        base_url: "https://cdf.example",
        project: "plant",
        identity: "writer",
        user: "ada",
        schema: table.schema,
        table: table.name,
    };
    Draft::new(&envelope, batch, 7, 0)
}

/// A segment with these batches, and where each record ends.
fn segment(batches: &[RowBatch]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = SegmentHeader {
        number: 3,
        key: KEY,
    }
    .encode()
    .to_vec();
    let mut ends = Vec::new();
    let mut rows = 0;
    for (sequence, batch) in batches.iter().enumerate() {
        let mut draft = draft(batch);
        draft.header.sequence = sequence as u64;
        draft.header.rows_before = rows;
        draft.seal(KEY);
        rows += batch.rows() as u64;
        bytes.extend_from_slice(&draft.bytes);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn sequences(found: &[Found]) -> Vec<u64> {
    let sequence = |found: &Found| match found {
        Found::Record(header, _) => Some(header.sequence),
        Found::Damage(..) | Found::CutShort(_) => None,
    };
    found.iter().filter_map(sequence).collect()
}

/// Batches have floats, which compare by value; here every bit counts.
fn same(a: &RowBatch, b: &RowBatch) -> bool {
    match (a, b) {
        (RowBatch::Datapoints(a), RowBatch::Datapoints(b)) => a == b,
        (RowBatch::RawRows(a), RowBatch::RawRows(b)) => a == b,
        (RowBatch::Objects(a), RowBatch::Objects(b)) => {
            std::ptr::eq(a.table, b.table)
                && a.rows == b.rows
                && a.columns == b.columns
                && a.key_hashes == b.key_hashes
                && a.row_numbers == b.row_numbers
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_kind_of_batch_is_read_as_it_was_written(batch in batch()) {
        let mut draft = draft(&batch);
        draft.seal(KEY);
        let header = Header::decode(&draft.bytes, KEY).expect("the header is sound");
        prop_assert_eq!(header.record_bytes(), draft.bytes.len());
        prop_assert!(header.fits(&draft.bytes));
        let contents = header.read(&draft.bytes).expect("the record is understood");
        prop_assert_eq!(contents.envelope.user, "ada");
        let (table, read) = contents.batch().expect("the rows are understood");
        prop_assert!(std::ptr::eq(table, table_of(&batch)));
        prop_assert!(same(&read, &batch), "{:?} became {:?}", batch, read);
    }

    #[test]
    fn a_flipped_bit_costs_its_record_and_no_other(
        batches in prop::collection::vec(batch(), 1..4),
        at in any::<prop::sample::Index>(),
    ) {
        let (mut bytes, ends) = segment(&batches);
        let bit = SEGMENT_HEADER_BYTES * 8 + at.index((bytes.len() - SEGMENT_HEADER_BYTES) * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let hit = ends.partition_point(|end| *end <= bit / 8) as u64;
        let found: Vec<Found> = Scan::new(&bytes, KEY).collect();
        let wanted: Vec<u64> = (0..batches.len() as u64).filter(|sequence| *sequence != hit).collect();
        prop_assert_eq!(sequences(&found), wanted);
        let is_damage = |found: &&Found| matches!(found, Found::Damage(..));
        prop_assert_eq!(found.iter().filter(is_damage).count(), 1, "{:?}", found);
        prop_assert!(!found.iter().any(|found| matches!(found, Found::CutShort(_))));
    }

    #[test]
    fn a_segment_cut_anywhere_keeps_the_records_before_the_cut(
        batches in prop::collection::vec(batch(), 1..4),
        at in any::<prop::sample::Index>(),
        zeros in 0_usize..9000,
    ) {
        let (mut bytes, ends) = segment(&batches);
        let cut = SEGMENT_HEADER_BYTES + at.index(bytes.len() - SEGMENT_HEADER_BYTES);
        bytes.truncate(cut);
        // The file may have been made longer before the bytes came.
        bytes.resize(cut + zeros, 0);
        let whole = ends.partition_point(|end| *end <= cut) as u64;
        let found: Vec<Found> = Scan::new(&bytes, KEY).collect();
        let sound = sequences(&found);
        prop_assert!(sound.starts_with(&(0..whole).collect::<Vec<_>>()));
        // The last bytes of a record may have been zeros themselves.
        prop_assert!(sound.len() as u64 <= whole + 1);
        if zeros == 0 {
            prop_assert!(!found.iter().any(|found| matches!(found, Found::Damage(..))), "{:?}", found);
        }
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed() {
    let mut keys = TextColumn::default();
    keys.push(b"k");
    let mut columns = TextColumn::default();
    columns.push(b"{\"a\":0}");
    let batch = RowBatch::RawRows(RawBatch {
        action: Default::default(),
        destination: Arc::new(RawDestination {
            database: "d".into(),
            table: "t".into(),
        }),
        keys,
        key_hashes: vec![hash_key(&b"k"[..])],
        columns,
        row_numbers: RowNumbers::From(1),
    });
    let (bytes, _) = segment(&[batch]);
    for bit in SEGMENT_HEADER_BYTES * 8..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let found: Vec<Found> = Scan::new(&bytes, KEY).collect();
        assert!(
            matches!(found.as_slice(), [Found::Damage(..)]),
            "bit {bit}: {found:?}"
        );
    }
}

#[test]
fn a_flipped_bit_in_the_header_of_a_segment_costs_nothing() {
    let header = SegmentHeader {
        number: 3,
        key: KEY,
    };
    let bytes = header.encode();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            SegmentHeader::decode(&bytes, 3),
            Ok((header, false)),
            "bit {bit}"
        );
    }
}

#[test]
fn a_segment_of_another_version_is_refused_and_one_under_another_name_too() {
    let header = SegmentHeader {
        number: 3,
        key: KEY,
    };
    assert_eq!(
        SegmentHeader::decode(&header.encode(), 4),
        Err(NotASegment::Damaged)
    );
    assert_eq!(
        SegmentHeader::decode(&[0; 100], 3),
        Err(NotASegment::Unfinished)
    );
    assert_eq!(SegmentHeader::decode(&[], 3), Err(NotASegment::Unfinished));
    let mut later = header.encode();
    for copy in [0, SEGMENT_HEADER_BYTES / 2] {
        later[copy + 8] = 2;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&later[copy..copy + 12]);
        hasher.update(&later[copy + 16..copy + 32]);
        let checksum = hasher.finalize();
        later[copy + 12..copy + 16].copy_from_slice(&checksum.to_le_bytes());
    }
    assert_eq!(
        SegmentHeader::decode(&later, 3),
        Err(NotASegment::OtherVersion(2))
    );
}

#[test]
fn bytes_that_look_like_a_record_of_another_segment_are_none() {
    let mut draft = draft(&RowBatch::RawRows(RawBatch {
        action: Default::default(),
        destination: Arc::new(RawDestination {
            database: "d".into(),
            table: "t".into(),
        }),
        keys: texts(&["k".to_owned()]),
        key_hashes: vec![hash_key(&b"k"[..])],
        columns: texts(&["{}".to_owned()]),
        row_numbers: RowNumbers::From(1),
    }));
    draft.seal(KEY + 1);
    assert_eq!(Header::decode(&draft.bytes[..HEADER_BYTES], KEY), None);
}
