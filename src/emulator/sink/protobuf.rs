//! Datapoints in protobuf, read while they arrive.
//!
//! Owns a push reader of `DataPointInsertionRequest`: every chunk of the body goes through
//! once, nothing of it is kept but the few bytes of an element that a chunk cuts in two.
//! Each point is checked and summed, by `elements`. Memory is bounded by one element,
//! whatever the body says about its length.

use super::elements::{
    ELEMENT_BYTES_MAX, Hashed, USUAL_POINT_BYTES, instance_id, length, next_point, numeric_point,
    text, text_point, usual_point,
};
use super::wire_format::{self, Broken, WireType};
use crate::emulator::answer::Refusal;
use crate::emulator::call::Tally;
use crate::emulator::datapoints::{SERIES_MAX, check_points};
use crate::emulator::json::check_items;
use crate::emulator::reference::{Reference, refuse_doubled};
use std::collections::HashSet;

/// Bytes taken from a chunk at a time to complete an element that was cut.
const CARRY_STEP_BYTES: usize = 64;

/// The outcome of a whole body.
#[derive(Debug)]
pub struct StreamedPoints {
    pub tally: Tally,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numeric,
    Text,
}

/// Reads one body.
#[derive(Debug, Default)]
pub struct PointStream {
    /// The start of an element that the last chunk cut off.
    carry: Vec<u8>,
    /// Bytes of an unknown field still to pass over.
    skip_left: u64,
    /// Bytes left of the item being read; `None` between items.
    item_left: Option<u64>,
    /// Bytes left of the item's list of points.
    points_left: u64,
    kind: Option<Kind>,
    reference: Option<Reference>,
    /// Sum over the points of the item, not yet multiplied by its series.
    item_sum: u64,
    /// Factors of the series seen, which stand for their references.
    seen: HashSet<u64, foldhash::fast::FixedState>,
    span: Span,
    tally: Tally,
}

/// The time range of the points.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
}

impl Default for Span {
    fn default() -> Self {
        Self {
            first: i64::MAX,
            last: i64::MIN,
        }
    }
}

impl PointStream {
    /// Reads the next chunk.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let mut at = 0;
        while !self.carry.is_empty() {
            let step = CARRY_STEP_BYTES.min(chunk.len() - at);
            if step == 0 {
                return Ok(());
            }
            let mut carry = std::mem::take(&mut self.carry);
            let before = carry.len();
            carry.extend_from_slice(&chunk[at..at + step]);
            let used = self.read(&carry)?;
            if used == 0 {
                at += step;
                self.carry = carry;
            } else {
                // The carry alone held no whole element: what was read ends in this chunk.
                at += used - before;
            }
        }
        let used = self.read(&chunk[at..])?;
        self.carry.extend_from_slice(&chunk[at + used..]);
        Ok(())
    }

    /// Ends the body.
    pub fn finish(mut self) -> Result<StreamedPoints, Refusal> {
        if !self.carry.is_empty() || self.skip_left > 0 || self.item_left.is_some() {
            return Err(Broken.into());
        }
        check_items("time series", self.tally.items as usize, SERIES_MAX)?;
        if self.span.first <= self.span.last {
            self.tally.cover(self.span.first, self.span.last);
        }
        Ok(StreamedPoints { tally: self.tally })
    }

    /// Reads whole elements from the start of `input`; returns how many bytes they took.
    fn read(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            let used = if self.skip_left > 0 {
                let used = self.skip_left.min(rest.len() as u64);
                self.skip_left -= used;
                used as usize
            } else if self.points_left > 0 {
                self.read_points(rest)?
            } else if self.item_left.is_some() {
                self.read_item_field(rest)?
            } else {
                self.read_top_field(rest)?
            };
            at += used;
            self.end_item()?;
            if used == 0 {
                return Ok(at);
            }
        }
    }

    fn read_top_field(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let Some(((field, wire_type), header)) = wire_format::header(input)? else {
            return Ok(0);
        };
        if field != 1 {
            return self.pass_over(wire_type, input, header);
        }
        let Some((length, used)) = length(wire_type, &input[header..])? else {
            return Ok(0);
        };
        self.item_left = Some(length);
        Ok(header + used)
    }

    fn read_item_field(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let Some(((field, wire_type), header)) = wire_format::header(input)? else {
            return Ok(0);
        };
        let used = match field {
            1 => {
                if wire_type != WireType::Varint {
                    return Err(Broken.into());
                }
                let Some((id, used)) = wire_format::varint(&input[header..])? else {
                    return Ok(0);
                };
                self.reference = Some(Reference::from_fields(Some(id as i64), None, None)?);
                header + used
            }
            2 | 5 => {
                let Some((length, used)) = length(wire_type, &input[header..])? else {
                    return Ok(0);
                };
                check_element(length)?;
                let start = header + used;
                let Some(bytes) = input.get(start..start + length as usize) else {
                    return Ok(0);
                };
                self.reference = Some(if field == 2 {
                    Reference::from_fields(None, Some(text(bytes)?.to_owned()), None)?
                } else {
                    Reference::from_fields(None, None, Some(instance_id(bytes)?))?
                });
                start + length as usize
            }
            3 | 4 => {
                let Some((length, used)) = length(wire_type, &input[header..])? else {
                    return Ok(0);
                };
                let kind = if field == 3 {
                    Kind::Numeric
                } else {
                    Kind::Text
                };
                if self.kind.is_some_and(|known| known != kind) {
                    return Err(Refusal::invalid("An item has to have points of one type"));
                }
                self.kind = Some(kind);
                self.points_left = length;
                // The list's bytes are taken off the item one point at a time.
                header + used
            }
            6 => {
                return Err(Refusal::invalid(
                    "State datapoints are not served by this local CDF",
                ));
            }
            _ => self.pass_over(wire_type, input, header)?,
        };
        self.take_from_item(used as u64)?;
        if self.points_left.max(self.skip_left) > self.item_left.unwrap_or(0) {
            return Err(Broken.into());
        }
        if self.skip_left > 0 {
            // Skipped bytes are counted here at once: the skipping itself knows no level.
            self.take_from_item(self.skip_left)?;
        }
        Ok(used)
    }

    /// Passes over an unknown field; what it says about its length is skipped later.
    fn pass_over(
        &mut self,
        wire_type: WireType,
        input: &[u8],
        header: usize,
    ) -> Result<usize, Refusal> {
        let used = match wire_type {
            WireType::Varint => wire_format::varint(&input[header..])?.map(|(_, used)| used),
            WireType::Fixed64 => (input.len() >= header + 8).then_some(8),
            WireType::Fixed32 => (input.len() >= header + 4).then_some(4),
            WireType::Length => {
                let read = wire_format::varint(&input[header..])?;
                read.map(|(length, used)| {
                    self.skip_left = length;
                    used
                })
            }
        };
        Ok(used.map_or(0, |used| header + used))
    }

    fn read_points(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let own =
            usize::try_from(self.points_left).map_or(input.len(), |left| left.min(input.len()));
        let list = &input[..own];
        let (used, count) = match self.kind {
            Some(Kind::Text) => self.add_points(list, |_| None, text_point)?,
            _ => self.add_points(list, usual_point, numeric_point)?,
        };
        self.tally.points += count;
        check_points(self.tally.points)?;
        self.points_left -= used as u64;
        self.take_from_item(used as u64)?;
        if used < own && own as u64 == self.points_left + used as u64 {
            // All of the list is here, and its last point is not whole.
            return Err(Broken.into());
        }
        Ok(used)
    }

    /// Adds up the whole points at the start of a list.
    fn add_points(
        &mut self,
        list: &[u8],
        usual: impl Fn(&[u8; USUAL_POINT_BYTES]) -> Option<Hashed>,
        any: impl Fn(&[u8]) -> Result<Hashed, Refusal>,
    ) -> Result<(usize, u64), Refusal> {
        // Locals, so that the loop keeps them in registers.
        let (mut at, mut count, mut sum, mut span) = (0, 0, self.item_sum, self.span);
        while at < list.len() {
            let rest = &list[at..];
            let (used, (timestamp, hash)) = match rest.first_chunk().and_then(&usual) {
                Some(hashed) => (USUAL_POINT_BYTES, hashed),
                None => match next_point(rest)? {
                    Some((point, used)) => (used, any(point)?),
                    None => break,
                },
            };
            sum = sum.wrapping_add(hash);
            span.first = span.first.min(timestamp);
            span.last = span.last.max(timestamp);
            at += used;
            count += 1;
        }
        (self.item_sum, self.span) = (sum, span);
        Ok((at, count))
    }

    fn take_from_item(&mut self, used: u64) -> Result<(), Refusal> {
        let left = self.item_left.ok_or(Broken)?;
        self.item_left = Some(left.checked_sub(used).ok_or(Broken)?);
        Ok(())
    }

    /// Closes the item when its last byte was read.
    fn end_item(&mut self) -> Result<(), Refusal> {
        if self.item_left != Some(0) || self.skip_left > 0 {
            return Ok(());
        }
        self.item_left = None;
        self.kind = None;
        let reference = match self.reference.take() {
            Some(reference) => reference,
            None => Reference::from_fields(None, None, None)?,
        };
        let factor = reference.checksum_factor();
        if !self.seen.insert(factor) {
            refuse_doubled(vec![reference.to_json()])?;
        }
        if self.tally.wants_keys() {
            self.tally.keys.push(reference.label());
        }
        let sum = std::mem::take(&mut self.item_sum).wrapping_mul(factor);
        self.tally.points_sum = self.tally.points_sum.wrapping_add(sum);
        self.tally.items += 1;
        if self.tally.items > SERIES_MAX as u64 {
            check_items("time series", self.tally.items as usize, SERIES_MAX)?;
        }
        Ok(())
    }
}

fn check_element(length: u64) -> Result<(), Refusal> {
    if length > ELEMENT_BYTES_MAX {
        return Err(Refusal::invalid(
            "externalId: size must be at most 255 characters",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
