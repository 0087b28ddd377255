//! The look of one user's database, as a database of which engines are copies.
//!
//! Owns its roles: the owner of the tables, whom the gateway signs in as, and the role of statements.
//! Promises that all engines of a user with the same tables know these by the same numbers (OIDs), and
//! that nobody connects to the template. Never holds a row.

use super::administration::Administration;
use super::schema::schema;
use super::server::{Server, ServerFault};
use super::sign_in::SignIn;
use crate::engine::dressing::{Dressing, identifier, literal};
use crate::engine::fault::EngineFault;
use crate::engine::powers::Powers;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Locales of a database, in the order in which they are tried: the second is everywhere, and knows
/// upper and lower case of ASCII only.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// SQLSTATEs by which a server says that it has no such locale.
const NO_LOCALE: [&str; 2] = ["22023", "42809"];

/// A template. Whoever has an engine of it holds it.
pub(super) struct Template {
    pub dressing: Dressing,
    pub database: String,
    owner: String,
    user: String,
    password: String,
    used: Mutex<Instant>,
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds a password.
        formatter.write_str("Template")
    }
}

fn owner_of(database: &str) -> String {
    format!("{database}_owner")
}

fn user_of(database: &str) -> String {
    format!("{database}_user")
}

/// SQL that takes away a database, and the roles if it is a template, to be run one after the other.
pub(super) fn removal(database: &str) -> [String; 2] {
    let (owner, user) = (owner_of(database), user_of(database));
    [
        format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            identifier(database)
        ),
        format!(
            "DROP ROLE IF EXISTS {}, {}",
            identifier(&user),
            identifier(&owner)
        ),
    ]
}

impl Template {
    /// Makes it on the server.
    ///
    /// # Errors
    /// `Unavailable` with what went wrong; what was made is the caller's to take away.
    pub async fn make(
        server: &Arc<Server>,
        administration: &Administration,
        dressing: &Dressing,
        database: String,
    ) -> Result<Self, EngineFault> {
        let template = Template {
            dressing: dressing.clone(),
            owner: owner_of(&database),
            user: user_of(&database),
            database,
            password: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()),
            used: Mutex::new(Instant::now()),
        };
        template.make_database(administration).await?;
        let mut link = template
            .sign_in(&template.database)
            .connect(server, template.powers())
            .await?;
        link.run(&schema(dressing, &template.user)).await?;
        drop(link);
        let database = identifier(&template.database);
        administration
            .run(&format!(
                "ALTER DATABASE {database} ALLOW_CONNECTIONS false"
            ))
            .await?;
        Ok(template)
    }

    async fn make_database(&self, administration: &Administration) -> Result<(), ServerFault> {
        let (owner, user) = (identifier(&self.owner), identifier(&self.user));
        let database = identifier(&self.database);
        // The server is told what proves the password, not the password: statements are logged.
        let verifier = postgres_protocol::password::scram_sha_256(self.password.as_bytes());
        administration
            .run_each(&[
                format!("CREATE ROLE {owner} LOGIN PASSWORD {}", literal(&verifier)),
                format!("CREATE ROLE {user} NOLOGIN"),
                format!("GRANT {user} TO {owner} WITH SET TRUE, INHERIT TRUE"),
                format!("GRANT {owner} TO CURRENT_USER WITH SET TRUE, INHERIT TRUE"),
            ])
            .await?;
        let mut made = Ok(Vec::new());
        for locale in LOCALES {
            made = administration
                .run(&format!(
                    "CREATE DATABASE {database} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8' \
                     LOCALE_PROVIDER libc LOCALE '{locale}'"
                ))
                .await;
            match &made {
                Err(ServerFault::Refused { code, .. }) if NO_LOCALE.contains(&code.as_str()) => {}
                _ => break,
            }
        }
        made?;
        let sql = format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC");
        administration.run(&sql).await.map(drop)
    }

    /// Makes a copy of it.
    ///
    /// # Errors
    /// `Refused` with 3D000 when the template is gone.
    pub async fn copy(
        &self,
        administration: &Administration,
        name: &str,
    ) -> Result<(), ServerFault> {
        let (database, template) = (identifier(name), identifier(&self.database));
        let (owner, user) = (identifier(&self.owner), identifier(&self.user));
        administration
            .run_each(&[
                format!("CREATE DATABASE {database} OWNER {owner} TEMPLATE {template}"),
                // Rights are not copied.
                format!(
                    "REVOKE ALL ON DATABASE {database} FROM PUBLIC; GRANT TEMPORARY ON DATABASE \
                     {database} TO {user}"
                ),
            ])
            .await
    }

    /// Who connects to a database of that name.
    pub fn sign_in<'a>(&'a self, database: &'a str) -> SignIn<'a> {
        SignIn {
            database,
            role: &self.owner,
            password: &self.password,
        }
    }

    /// What the gateway may do in copies.
    pub fn powers(&self) -> Powers {
        Powers::Owner(self.user.as_str().into())
    }

    /// It is needed now.
    pub fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long nobody has needed it.
    pub fn rested(&self) -> Duration {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.elapsed()
    }
}
