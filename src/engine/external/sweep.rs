//! What gateways left on a server that are no more.
//!
//! Owns how such things are found: by their names, and by the lock of their gateway that nobody holds.
//! Promises that what a gateway has that lives is left alone, and so is a database that somebody is
//! connected to. Never takes away what has another name.

use super::administration::Administration;
use super::names::{GATEWAY_AT, LOCK, PATTERN};
use super::server::ServerFault;
use crate::engine::dressing::identifier;

/// Takes away what nobody has any more. What cannot be dropped now is met again by the next sweep.
///
/// # Errors
/// `Away` when the server is.
pub(super) async fn sweep(administration: &Administration) -> Result<(), ServerFault> {
    let is_left = |name: &str| {
        format!(
            "{name} ~ '{PATTERN}' AND substr({name}, {GATEWAY_AT}, 8) NOT IN (SELECT \
             lpad(to_hex(objid::bigint), 8, '0') FROM pg_catalog.pg_locks WHERE locktype = 'advisory' \
             AND classid::bigint = {LOCK} AND objsubid = 2 AND granted)"
        )
    };
    let databases = administration
        .run(&format!(
            "SELECT datname FROM pg_catalog.pg_database d WHERE {} AND NOT EXISTS (SELECT FROM \
             pg_catalog.pg_stat_activity a WHERE a.datname = d.datname)",
            is_left("datname")
        ))
        .await?;
    drop_each(administration, "DATABASE", databases).await?;
    let roles = administration
        .run(&format!(
            "SELECT rolname FROM pg_catalog.pg_roles r WHERE {} AND NOT EXISTS (SELECT FROM \
             pg_catalog.pg_database d WHERE d.datname ~ '{PATTERN}' AND substr(d.datname, \
             {GATEWAY_AT}, 8) = substr(r.rolname, {GATEWAY_AT}, 8))",
            is_left("rolname")
        ))
        .await?;
    drop_each(administration, "ROLE", roles).await
}

/// Takes away all that the gateway of these digits has.
///
/// # Errors
/// `Away` when the server is.
pub(super) async fn remove_all(
    administration: &Administration,
    gateway: &str,
) -> Result<(), ServerFault> {
    let names = administration
        .run(&format!(
            "SELECT datname FROM pg_catalog.pg_database WHERE datname ~ '{PATTERN}' AND \
             substr(datname, {GATEWAY_AT}, 8) = '{gateway}'"
        ))
        .await?;
    for name in names.into_iter().flatten() {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(&name));
        tolerate(administration.run(&sql).await, &name)?;
    }
    let roles = administration
        .run(&format!(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname ~ '{PATTERN}' AND substr(rolname, \
             {GATEWAY_AT}, 8) = '{gateway}'"
        ))
        .await?;
    drop_each(administration, "ROLE", roles).await
}

async fn drop_each(
    administration: &Administration,
    kind: &str,
    names: Vec<Vec<String>>,
) -> Result<(), ServerFault> {
    for name in names.into_iter().flatten() {
        let sql = format!("DROP {kind} IF EXISTS {}", identifier(&name));
        tolerate(administration.run(&sql).await, &name)?;
    }
    Ok(())
}

/// Somebody else may be dropping the same, or have connected meanwhile.
fn tolerate<T>(dropped: Result<T, ServerFault>, name: &str) -> Result<(), ServerFault> {
    match dropped {
        Err(fault @ ServerFault::Refused { .. }) => {
            tracing::debug!(name, %fault, "something of a gateway stays behind");
            Ok(())
        }
        Err(fault) => Err(fault),
        Ok(_) => Ok(()),
    }
}
