//! What one connection sends in a round: prebuilt bytes, cut into statements.
//!
//! Owns the building of messages. Promises that sending a round takes no encoding: every byte
//! is there before the clock starts. Never reads an answer.

use super::encoding::{COPY_BINARY_HEADER, COPY_BINARY_TRAILER, RowEncoder};
use super::rows::Dataset;
use super::{BenchError, Mode};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;

/// Bytes of one CopyData message: what a client with a large buffer sends. psql sends 8 KiB.
const COPY_DATA_BYTES: usize = 64 << 10;

/// The name of the prepared statement in mode prepared.
const STATEMENT: &str = "bench";

/// One request that waits for its answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Sent first; the rest follows when the server says that it copies in.
    pub opening: Option<Range<usize>>,
    pub body: Range<usize>,
    pub rows: u64,
}

/// Everything that one connection sends in a round.
#[derive(Debug)]
pub struct Load {
    pub bytes: Vec<u8>,
    pub exchanges: Vec<Exchange>,
    /// Sent once per connection, before the first round.
    pub preparation: Vec<u8>,
}

impl Load {
    /// Builds the messages for these rows.
    pub fn build(dataset: Dataset, mode: Mode, rows: Range<u64>, rows_per_sync: u64) -> Self {
        let mut builder = Builder {
            encoder: RowEncoder::new(dataset),
            bytes: Vec::new(),
            exchanges: Vec::new(),
            preparation: Vec::new(),
        };
        match mode {
            Mode::CopyText => builder.copy(rows, false),
            Mode::CopyBinary => builder.copy(rows, true),
            Mode::Insert1 => builder.inserts(rows, 1),
            Mode::Insert1000 => builder.inserts(rows, 1000),
            Mode::Prepared => builder.prepared(rows, rows_per_sync),
        }
        Load {
            bytes: builder.bytes,
            exchanges: builder.exchanges,
            preparation: builder.preparation,
        }
    }
}

struct Builder {
    encoder: RowEncoder,
    bytes: Vec<u8>,
    exchanges: Vec<Exchange>,
    preparation: Vec<u8>,
}

impl Builder {
    fn copy(&mut self, rows: Range<u64>, binary: bool) {
        if rows.is_empty() {
            return;
        }
        let count = rows.end - rows.start;
        let statement = copy_statement(&self.encoder, binary);
        let opening = self.message(b'Q', |_, out| push_text(out, &statement));
        let start = self.bytes.len();
        let mut data = Vec::with_capacity(COPY_DATA_BYTES + 1024);
        if binary {
            data.extend_from_slice(COPY_BINARY_HEADER);
        }
        for index in rows {
            match binary {
                true => self.encoder.push_copy_binary(index, &mut data),
                false => self.encoder.push_copy_text(index, &mut data),
            }
            if data.len() >= COPY_DATA_BYTES {
                // Cut anywhere, as clients do: a row may go on in the next message.
                let rest = data.split_off(COPY_DATA_BYTES);
                self.message(b'd', |_, out| out.extend_from_slice(&data));
                data = rest;
            }
        }
        if binary {
            data.extend_from_slice(COPY_BINARY_TRAILER);
        }
        if !data.is_empty() {
            self.message(b'd', |_, out| out.extend_from_slice(&data));
        }
        self.message(b'c', |_, _| {});
        self.exchanges.push(Exchange {
            opening: Some(opening),
            body: start..self.bytes.len(),
            rows: count,
        });
    }

    fn inserts(&mut self, rows: Range<u64>, rows_per_statement: u64) {
        for chunk in chunks(rows, rows_per_statement) {
            let count = chunk.end - chunk.start;
            let body = self.message(b'Q', |encoder, out| {
                push_insert(encoder, chunk, out);
                out.push(0);
            });
            self.exchanges.push(Exchange {
                opening: None,
                body,
                rows: count,
            });
        }
    }

    fn prepared(&mut self, rows: Range<u64>, rows_per_sync: u64) {
        let types = self.encoder.parameter_types();
        let parameters: Vec<String> = (1..=types.len()).map(|n| format!("${n}")).collect();
        let statement = format!(
            "INSERT INTO {} VALUES ({})",
            self.encoder.target(),
            parameters.join(", ")
        );
        self.message(b'P', |_, out| {
            push_text(out, STATEMENT);
            push_text(out, &statement);
            out.extend_from_slice(&(types.len() as u16).to_be_bytes());
            for oid in types {
                out.extend_from_slice(&oid.to_be_bytes());
            }
        });
        self.message(b'S', |_, _| {});
        self.preparation = std::mem::take(&mut self.bytes);
        for chunk in chunks(rows, rows_per_sync) {
            let count = chunk.end - chunk.start;
            let start = self.bytes.len();
            for index in chunk {
                self.bind(index, types.len());
            }
            self.message(b'S', |_, _| {});
            self.exchanges.push(Exchange {
                opening: None,
                body: start..self.bytes.len(),
                rows: count,
            });
        }
    }

    /// Bind with binary parameters, and Execute.
    fn bind(&mut self, index: u64, parameters: usize) {
        self.message(b'B', |encoder, out| {
            push_text(out, "");
            push_text(out, STATEMENT);
            // One format for all parameters: binary.
            out.extend_from_slice(&[0, 1, 0, 1]);
            out.extend_from_slice(&(parameters as u16).to_be_bytes());
            encoder.push_binary_values(index, out);
            // No format for results: there are none.
            out.extend_from_slice(&[0, 0]);
        });
        self.message(b'E', |_, out| {
            push_text(out, "");
            out.extend_from_slice(&[0; 4]);
        });
    }

    /// Appends a message and returns where it stands.
    fn message(
        &mut self,
        tag: u8,
        body: impl FnOnce(&mut RowEncoder, &mut Vec<u8>),
    ) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[tag, 0, 0, 0, 0]);
        body(&mut self.encoder, &mut self.bytes);
        let length = (self.bytes.len() - start - 1) as u32;
        self.bytes[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
        start..self.bytes.len()
    }
}

fn copy_statement(encoder: &RowEncoder, binary: bool) -> String {
    let options = if binary { " WITH (FORMAT binary)" } else { "" };
    format!("COPY {} FROM STDIN{options}", encoder.target())
}

fn push_insert(encoder: &mut RowEncoder, rows: Range<u64>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"INSERT INTO ");
    out.extend_from_slice(encoder.target().as_bytes());
    out.extend_from_slice(b" VALUES ");
    for index in rows {
        encoder.push_literals(index, out);
        out.push(b',');
    }
    // The comma behind the last row.
    out.pop();
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn chunks(rows: Range<u64>, size: u64) -> impl Iterator<Item = Range<u64>> {
    let end = rows.end;
    (rows.start..end)
        .step_by(usize::try_from(size).unwrap_or(usize::MAX))
        .map(move |start| start..end.min(start + size))
}

/// Writes the rows of one round to `path`: COPY data, or INSERT statements one a line.
///
/// # Errors
/// The file cannot be written, or the mode has no form outside of the protocol.
pub fn write_file(dataset: &Dataset, mode: Mode, path: &Path) -> Result<(), BenchError> {
    let failed = || BenchError::io(format!("{}", path.display()));
    let mut file = BufWriter::new(File::create(path).map_err(failed())?);
    let mut encoder = RowEncoder::new(*dataset);
    let mut out = Vec::new();
    if mode == Mode::CopyBinary {
        out.extend_from_slice(COPY_BINARY_HEADER);
    }
    let rows_per_piece = if mode == Mode::Insert1 { 1 } else { 1000 };
    for chunk in chunks(0..dataset.rows, rows_per_piece) {
        match mode {
            Mode::CopyText => chunk.for_each(|index| encoder.push_copy_text(index, &mut out)),
            Mode::CopyBinary => chunk.for_each(|index| encoder.push_copy_binary(index, &mut out)),
            Mode::Insert1 | Mode::Insert1000 => {
                push_insert(&mut encoder, chunk, &mut out);
                out.extend_from_slice(b";\n");
            }
            Mode::Prepared => {
                return Err(BenchError::Arguments(
                    "prepared statements cannot be written to a file".to_owned(),
                ));
            }
        }
        file.write_all(&out).map_err(failed())?;
        out.clear();
    }
    if mode == Mode::CopyBinary {
        file.write_all(COPY_BINARY_TRAILER).map_err(failed())?;
    }
    file.flush().map_err(failed())
}

#[cfg(test)]
mod tests {
    use super::super::TargetTable;
    use super::*;

    const DATASET: Dataset = Dataset {
        table: TargetTable::DoubleDatapoints,
        rows: 5000,
        series: 10,
    };

    /// Tags and bodies of the messages in `bytes`.
    fn messages(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
        let mut messages = Vec::new();
        while !bytes.is_empty() {
            let length: [u8; 4] = bytes[1..5].try_into().expect("a message has a length");
            let end = 1 + u32::from_be_bytes(length) as usize;
            messages.push((bytes[0], &bytes[5..end]));
            bytes = &bytes[end..];
        }
        messages
    }

    #[test]
    fn copy_data_put_together_is_the_file() {
        for mode in [Mode::CopyText, Mode::CopyBinary] {
            let load = Load::build(DATASET, mode, 0..5000, 1);
            assert_eq!(load.exchanges.len(), 1);
            let exchange = &load.exchanges[0];
            let body = messages(&load.bytes[exchange.body.clone()]);
            assert_eq!(body.last(), Some(&(b'c', &[][..])));
            let data: Vec<u8> = body
                .iter()
                .filter(|(tag, _)| *tag == b'd')
                .flat_map(|(_, data)| data.iter().copied())
                .collect();
            let path =
                std::env::temp_dir().join(format!("penstock-load-{}-{mode:?}", std::process::id()));
            write_file(&DATASET, mode, &path).expect("the file can be written");
            assert!(
                std::fs::read(&path).expect("the file is there") == data,
                "{mode:?}"
            );
            std::fs::remove_file(&path).expect("the file can be removed");
        }
    }

    #[test]
    fn inserts_cover_every_row_once() {
        for (mode, statements, last) in [(Mode::Insert1, 2500, 1), (Mode::Insert1000, 3, 500)] {
            let load = Load::build(DATASET, mode, 0..2500, 1);
            assert_eq!(load.exchanges.len(), statements);
            assert_eq!(
                load.exchanges.last().map(|exchange| exchange.rows),
                Some(last)
            );
            let rows: u64 = load.exchanges.iter().map(|exchange| exchange.rows).sum();
            assert_eq!(rows, 2500);
            let all = messages(&load.bytes);
            assert!(
                all.iter()
                    .all(|(tag, body)| *tag == b'Q' && body.ends_with(b")\0"))
            );
        }
    }

    #[test]
    fn a_pipeline_ends_with_one_sync() {
        let load = Load::build(DATASET, Mode::Prepared, 0..250, 100);
        let rows: Vec<u64> = load
            .exchanges
            .iter()
            .map(|exchange| exchange.rows)
            .collect();
        assert_eq!(rows, [100, 100, 50]);
        for exchange in &load.exchanges {
            let tags: Vec<u8> = messages(&load.bytes[exchange.body.clone()])
                .iter()
                .map(|(tag, _)| *tag)
                .collect();
            assert_eq!(tags.len() as u64, 2 * exchange.rows + 1);
            assert_eq!(tags.iter().filter(|tag| **tag == b'S').count(), 1);
            assert_eq!(tags.last(), Some(&b'S'));
        }
        let tags: Vec<u8> = messages(&load.preparation)
            .iter()
            .map(|(tag, _)| *tag)
            .collect();
        assert_eq!(tags, [b'P', b'S']);
    }
}
