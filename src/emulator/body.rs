//! Request bodies: reading them off the connection and decompressing them.
//!
//! Owns the bounds on their size. gzip is the one compression that CDF is known to take;
//! anything else is refused by name. Never looks inside.

use super::answer::Refusal;
use super::sink::{PointStream, StreamedPoints};
use axum::body::{Body, Bytes};
use futures::StreamExt;
use libdeflater::{DecompressionError, Decompressor};
use std::cell::RefCell;

/// Most bytes of a body on the wire. CDF documents no figure; this bounds memory.
pub const BODY_BYTES_MAX: usize = 64 << 20;

/// Most bytes of a body after decompression.
pub const DECODED_BYTES_MAX: usize = 256 << 20;

/// Why a body could not be read.
pub enum BodyFault {
    /// Say this to the client.
    Refused(Refusal),
    /// The client went away.
    Gone,
}

/// Reads a whole body.
pub async fn read_whole(body: Body, expected_bytes: usize) -> Result<Bytes, BodyFault> {
    let mut chunks = body.into_data_stream();
    let first = match chunks.next().await {
        None => return Ok(Bytes::new()),
        Some(chunk) => chunk.map_err(|_| BodyFault::Gone)?,
    };
    if first.len() >= expected_bytes && first.len() <= BODY_BYTES_MAX && expected_bytes > 0 {
        // The usual small body came in one piece: nothing to copy.
        return Ok(first);
    }
    let mut whole = Vec::with_capacity(expected_bytes.min(BODY_BYTES_MAX));
    whole.extend_from_slice(&first);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BodyFault::Gone)?;
        if whole.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(BodyFault::Refused(too_large(BODY_BYTES_MAX)));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

/// Reads datapoints while they arrive. After a refusal the rest is drained, so that the
/// client gets to read the answer.
pub async fn read_points(body: Body) -> Result<(u64, Result<StreamedPoints, Refusal>), BodyFault> {
    let mut chunks = body.into_data_stream();
    let mut stream = Ok(PointStream::default());
    let mut body_bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BodyFault::Gone)?;
        body_bytes += chunk.len();
        if body_bytes > BODY_BYTES_MAX {
            return Err(BodyFault::Refused(too_large(BODY_BYTES_MAX)));
        }
        stream = match stream {
            Ok(mut stream) => stream.push(&chunk).map(|()| stream),
            refused => refused,
        };
    }
    Ok((body_bytes as u64, stream.and_then(PointStream::finish)))
}

/// Undoes the `Content-Encoding`; the answer may be the body itself.
pub fn decode(body: Bytes, content_encoding: &str) -> Result<Bytes, Refusal> {
    match content_encoding {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => gunzip(&body).map(Bytes::from),
        other => Err(Refusal::UnsupportedMedia(format!(
            "Content-Encoding '{other}' is not supported; use gzip or none"
        ))),
    }
}

fn gunzip(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    thread_local! {
        static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
    }
    let refused = || Refusal::invalid("Request body is not valid gzip");
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Err(refused());
    }
    // The last four bytes say how long the content is; a lie shows as a failure below.
    let trailer: [u8; 4] = body.last_chunk().copied().ok_or_else(refused)?;
    let length = u32::from_le_bytes(trailer) as usize;
    if length > DECODED_BYTES_MAX {
        return Err(too_large(DECODED_BYTES_MAX));
    }
    let mut content = vec![0; length];
    let written = DECOMPRESSOR
        .with_borrow_mut(|decompressor| decompressor.gzip_decompress(body, &mut content));
    match written {
        Ok(written) if written == length => Ok(content),
        Ok(_) | Err(DecompressionError::BadData | DecompressionError::InsufficientSpace) => {
            Err(refused())
        }
    }
}

fn too_large(most: usize) -> Refusal {
    Refusal::TooLarge(format!("Request body is larger than {most} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use libdeflater::{CompressionLvl, Compressor};

    fn gzip(text: &[u8]) -> Bytes {
        let mut compressor = Compressor::new(CompressionLvl::fastest());
        let mut body = vec![0; compressor.gzip_compress_bound(text.len())];
        let length = compressor.gzip_compress(text, &mut body).unwrap_or(0);
        body.truncate(length);
        body.into()
    }

    #[test]
    fn a_gzipped_body_is_opened() {
        assert_eq!(
            decode(gzip(b"{\"items\":[]}"), "gzip"),
            Ok("{\"items\":[]}".into())
        );
    }

    #[test]
    fn a_damaged_gzip_body_is_a_400() {
        let mut body = gzip(b"{\"items\":[]}").to_vec();
        body[12] ^= 0xff;
        assert_eq!(
            decode(body.into(), "gzip").map_err(|r| r.status()),
            Err(400)
        );
        assert_eq!(
            decode("abc".into(), "gzip").map_err(|r| r.status()),
            Err(400)
        );
    }

    #[test]
    fn another_encoding_is_refused_by_name() {
        let refusal = decode("x".into(), "zstd").err();
        assert!(matches!(refusal, Some(Refusal::UnsupportedMedia(text)) if text.contains("zstd")));
    }
}
