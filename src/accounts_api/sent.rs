//! The body of a request, as it was sent.
//!
//! Owns the taking apart of it: gzip, which Cognite's SDKs always use, and JSON. Promises that it is
//! not waited for without end, and that no more is unpacked than a body may have. Never looks at what it says.

use super::BODY_BYTES_MAX;
use super::fault::ApiFault;
use crate::http_server::Place;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_ENCODING;
use libdeflater::{DecompressionError, Decompressor};
use serde_json::Value;

/// What was sent; read once the caller is known.
pub(super) struct Sent {
    bytes: Bytes,
    is_packed: bool,
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = ApiFault;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiFault> {
        let encoding = request.headers().get(CONTENT_ENCODING);
        let is_packed = match encoding.map(|encoding| encoding.as_bytes()) {
            None | Some(b"" | b"identity") => false,
            Some(encoding) if encoding.eq_ignore_ascii_case(b"gzip") => true,
            Some(_) => return Err(ApiFault::invalid("Content-Encoding must be gzip or absent")),
        };
        let place = request.extensions().get::<Place>().cloned();
        let reading = Bytes::from_request(request, state);
        let bytes = match place {
            Some(place) => place
                .receive(reading)
                .await
                .map_err(|_| ApiFault::too_slow("the body of the request did not come in time"))?,
            None => reading.await,
        };
        let bytes = bytes.map_err(|rejection| match rejection.status().as_u16() {
            413 => too_large(),
            _ => ApiFault::bad(rejection.body_text()),
        })?;
        Ok(Sent { bytes, is_packed })
    }
}

impl Sent {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn read(&self) -> Result<Value, ApiFault> {
        let read = if self.is_packed {
            serde_json::from_slice(&self.unpacked()?)
        } else {
            serde_json::from_slice(&self.bytes)
        };
        read.map_err(|error| ApiFault::bad(format!("the body is no JSON: {error}")))
    }

    fn unpacked(&self) -> Result<Vec<u8>, ApiFault> {
        let mut unpacked = vec![0; BODY_BYTES_MAX];
        match Decompressor::new().gzip_decompress(&self.bytes, &mut unpacked) {
            Ok(length) => {
                unpacked.truncate(length);
                Ok(unpacked)
            }
            Err(DecompressionError::InsufficientSpace) => Err(too_large()),
            Err(DecompressionError::BadData) => Err(ApiFault::bad("the body is no gzip")),
        }
    }
}

fn too_large() -> ApiFault {
    ApiFault::too_large(format!("the body has more than {BODY_BYTES_MAX} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use libdeflater::{CompressionLvl, Compressor};

    fn packed(bytes: &[u8]) -> Sent {
        let mut compressor = Compressor::new(CompressionLvl::best());
        let mut packed = vec![0; compressor.gzip_compress_bound(bytes.len())];
        let length = compressor
            .gzip_compress(bytes, &mut packed)
            .expect("there is room");
        packed.truncate(length);
        Sent {
            bytes: packed.into(),
            is_packed: true,
        }
    }

    #[test]
    fn a_packed_body_is_read_and_a_bomb_is_not_unpacked() {
        let read = packed(br#"{"items": []}"#).read().expect("JSON");
        assert_eq!(read, serde_json::json!({"items": []}));
        assert!(packed(&vec![b' '; BODY_BYTES_MAX + 1]).read().is_err());
        let torn = Sent {
            bytes: Bytes::from_static(b"\x1f\x8b\x08\x00"),
            is_packed: true,
        };
        assert!(torn.read().is_err());
    }
}
