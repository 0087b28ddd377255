//! The tables of the state store, and how they came to be.
//!
//! Owns the steps of the schema. Promises that a step that was released never changes. `{INTEGER}`
//! stands for 64 bits in either database, `{STRICT}` for SQLite's keeping to types.

/// What brings the schema from version i to i + 1.
pub(super) const STEPS: [&str; 5] = [
    "
    CREATE TABLE custom_tables (
        user_name TEXT NOT NULL,
        name TEXT NOT NULL,
        definition TEXT NOT NULL,
        created_ms {INTEGER} NOT NULL,
        PRIMARY KEY (user_name, name)
    ) {STRICT};
",
    "
    -- Version 1.0 of the tables API names tables by number.
    ALTER TABLE custom_tables ADD COLUMN number {INTEGER} NOT NULL DEFAULT 0;
    UPDATE custom_tables SET number = (
        SELECT count(*) FROM custom_tables AS earlier
        WHERE earlier.user_name < custom_tables.user_name
           OR (earlier.user_name = custom_tables.user_name AND earlier.name <= custom_tables.name)
    );
    CREATE UNIQUE INDEX custom_tables_number ON custom_tables (number);

    CREATE TABLE accounts (
        name TEXT NOT NULL PRIMARY KEY,
        base_url TEXT NOT NULL,
        project TEXT NOT NULL,
        dialect TEXT NOT NULL,
        verifier TEXT NOT NULL,
        principal TEXT NOT NULL,
        kind TEXT NOT NULL,
        token_url TEXT NOT NULL,
        client_id TEXT NOT NULL,
        scope TEXT NOT NULL,
        session_id {INTEGER} NOT NULL,
        sealed TEXT NOT NULL,
        created_ms {INTEGER} NOT NULL,
        updated_ms {INTEGER} NOT NULL
    ) {STRICT};
    CREATE INDEX accounts_project ON accounts (project, name);

    -- One row: grows with every change, so that others see that there was one.
    CREATE TABLE changes (
        one {INTEGER} NOT NULL PRIMARY KEY CHECK (one = 1),
        count {INTEGER} NOT NULL,
        last_number {INTEGER} NOT NULL
    ) {STRICT};
    INSERT INTO changes (one, count, last_number)
        SELECT 1, 0, coalesce(max(number), 0) FROM custom_tables;

    -- Who serves. Times are milliseconds since 1970-01-01 UTC.
    CREATE TABLE leases (
        name TEXT NOT NULL PRIMARY KEY,
        holder TEXT NOT NULL,
        epoch {INTEGER} NOT NULL,
        expires_ms {INTEGER} NOT NULL
    ) {STRICT};
",
    "
    -- The count of changes at which an account was made or changed last: others read those only.
    ALTER TABLE accounts ADD COLUMN changed {INTEGER} NOT NULL DEFAULT 0;
    CREATE INDEX accounts_changed ON accounts (changed, name);

    -- Likewise of custom tables, all together.
    ALTER TABLE changes ADD COLUMN tables_changed {INTEGER} NOT NULL DEFAULT 0;

    -- One row: a text that only the keys of the store open.
    CREATE TABLE seal (
        one {INTEGER} NOT NULL PRIMARY KEY CHECK (one = 1),
        sealed TEXT NOT NULL
    ) {STRICT};
",
    "
    -- Each exchange of a session keeps a new key: it must not read every account.
    CREATE INDEX accounts_session ON accounts (session_id) WHERE kind = 'session';
",
    "
    -- One row: what the salts of names are made of that nobody has. It is no secret to whoever reads
    -- the names.
    CREATE TABLE look_alikes (
        one {INTEGER} NOT NULL PRIMARY KEY CHECK (one = 1),
        seed TEXT NOT NULL
    ) {STRICT};
",
];
