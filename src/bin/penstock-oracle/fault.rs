//! What goes wrong, one thing at a time.
//!
//! Owns the kinds of faults and how each begins and ends. Promises that after the end of a
//! fault nothing stands in the way of writes any more. Never looks at rows.

use crate::disk::Disk;
use crate::journal_files;
use crate::plant::{Plant, REQUEST_TIMEOUT_S, STALE_WRITE_GUARD_MS};
use crate::process::Signal;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, then the same gateway again.
    Kill,
    /// SIGKILL in the middle of a write: half a record at the end of the journal.
    TornTail,
    /// SIGKILL, and a bit of the journal is not what it was.
    BitFlip,
    /// SIGSTOP for a while.
    Freeze,
    /// SIGTERM under load, then a new gateway.
    Restart,
    /// CDF answers nothing but 503.
    CdfDown,
    /// CDF hangs.
    CdfFrozen,
    /// 429 for a while, some with Retry-After.
    Throttled,
    /// 500, 502, 504 here and there.
    ServerErrors,
    /// The connection breaks before CDF has done its work.
    ResetBefore,
    /// The connection breaks after it.
    ResetAfter,
    /// CDF does it, and answers when nobody waits any more.
    LateAnswers,
    /// CDF does it later than the gateway waits.
    LateWrites,
    /// RAW writes the first rows of a request and refuses.
    PartialWrites,
    /// CDF refuses what it should take: journaled rows become dead letters.
    Refusals,
    /// Every token expires.
    TokenExpiry,
    /// No byte more for the journal.
    FullDisk,
    /// The gateway's clock jumps.
    ClockStep,
}

impl Fault {
    pub const ALL: [Fault; 18] = [
        Fault::Kill,
        Fault::TornTail,
        Fault::BitFlip,
        Fault::Freeze,
        Fault::Restart,
        Fault::CdfDown,
        Fault::CdfFrozen,
        Fault::Throttled,
        Fault::ServerErrors,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::LateAnswers,
        Fault::LateWrites,
        Fault::PartialWrites,
        Fault::Refusals,
        Fault::TokenExpiry,
        Fault::FullDisk,
        Fault::ClockStep,
    ];

    /// The name on the command line and in the output.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Kill => "kill",
            Fault::TornTail => "torn-tail",
            Fault::BitFlip => "bit-flip",
            Fault::Freeze => "freeze",
            Fault::Restart => "restart",
            Fault::CdfDown => "cdf-down",
            Fault::CdfFrozen => "cdf-frozen",
            Fault::Throttled => "throttled",
            Fault::ServerErrors => "server-errors",
            Fault::ResetBefore => "reset-before",
            Fault::ResetAfter => "reset-after",
            Fault::LateAnswers => "late-answers",
            Fault::LateWrites => "late-writes",
            Fault::PartialWrites => "partial-writes",
            Fault::Refusals => "refusals",
            Fault::TokenExpiry => "token-expiry",
            Fault::FullDisk => "full-disk",
            Fault::ClockStep => "clock-step",
        }
    }

    /// Why it cannot be had on this machine.
    pub fn obstacle(self, plant: &Plant, disk: &Disk) -> Option<&'static str> {
        match self {
            Fault::ClockStep if !plant.has_clock() => Some("libfaketime is not installed"),
            Fault::FullDisk if !disk.is_small() => Some("no permission to mount a small disk"),
            _ => None,
        }
    }

    /// Lets it happen.
    pub async fn begin(
        self,
        plant: &mut Plant,
        disk: &mut Disk,
        random: &mut StdRng,
    ) -> anyhow::Result<()> {
        match self {
            Fault::Kill => {
                plant.kill_gateway()?;
                plant.start_gateway()
            }
            Fault::TornTail => {
                plant.kill_gateway()?;
                journal_files::tear_tail(&plant.journal(), random)?;
                plant.start_gateway()
            }
            Fault::BitFlip => {
                plant.kill_gateway()?;
                journal_files::flip_bit(&plant.journal(), random)?;
                plant.start_gateway()
            }
            Fault::Freeze => plant.gateway()?.signal(Signal::Stop),
            Fault::Restart => plant.restart_gateway().await,
            Fault::CdfFrozen => plant.cdf.signal(Signal::Stop),
            Fault::TokenExpiry => plant.expire_tokens().await,
            Fault::FullDisk => disk.fill(),
            Fault::ClockStep => plant.step_clock(random.random_range(-7_200..7_200)),
            Fault::CdfDown
            | Fault::Throttled
            | Fault::ServerErrors
            | Fault::ResetBefore
            | Fault::ResetAfter
            | Fault::LateAnswers
            | Fault::LateWrites
            | Fault::PartialWrites
            | Fault::Refusals => plant.inject(self.rules(random)).await,
        }
    }

    /// Ends it.
    pub async fn end(self, plant: &mut Plant, disk: &mut Disk) -> anyhow::Result<()> {
        match self {
            Fault::Freeze => plant.gateway()?.signal(Signal::Continue),
            Fault::CdfFrozen => plant.cdf.signal(Signal::Continue),
            Fault::FullDisk => disk.empty(),
            Fault::ClockStep => plant.step_clock(0),
            _ => plant.clear_faults().await,
        }
    }

    /// The rules by which the CDF misbehaves.
    fn rules(self, random: &mut StdRng) -> serde_json::Value {
        let timeout_ms = REQUEST_TIMEOUT_S * 1_000;
        let status =
            |status: u16, count: u32| json!({"kind": "status", "status": status, "count": count});
        match self {
            Fault::CdfDown => json!([{"kind": "status", "status": 503}]),
            Fault::Throttled => json!([
                {"kind": "status", "status": 429, "count": 20},
                {"kind": "status", "status": 429, "count": 2, "headers": {"Retry-After": "1"}},
            ]),
            Fault::ServerErrors => json!([
                status([500, 502, 504][random.random_range(0..3)], 8),
                {"kind": "status", "status": 500, "count": 3, "after_commit": true},
            ]),
            Fault::ResetBefore => json!([{"kind": "reset_before_commit", "count": 12}]),
            Fault::ResetAfter => json!([{"kind": "reset_after_commit", "count": 12}]),
            Fault::LateAnswers => json!([
                {"kind": "late_answer", "delay_ms": timeout_ms + 500, "count": 3},
            ]),
            // Later than the gateway waits for an answer, but within the time that it guards the keys
            // of a request whose connection broke.
            Fault::LateWrites => json!([{
                "kind": "delay",
                "delay_ms": STALE_WRITE_GUARD_MS - 200,
                "count": 3,
            }]),
            Fault::PartialWrites => json!([{
                "kind": "partial_write", "operation": "raw.rows.insert", "rows": 1,
                "status": 503, "count": 8,
            }]),
            Fault::Refusals => json!([{
                "kind": "status", "status": 400, "message": "refused by the oracle",
                "path_contains": "tables/table-shared0-0/",
            }]),
            _ => json!([]),
        }
    }
}
