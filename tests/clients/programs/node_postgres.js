"use strict";
// What programs do with node-postgres and pg-copy-streams, one thing a run: the first argument says which;
// where to connect is in libpq's environment variables, which node-postgres reads. Owns no expectation: it
// prints JSON, one line, and test_node_postgres.py judges. What goes wrong ends it with code 1.

const { pipeline } = require("node:stream/promises");
const { Readable, Writable } = require("node:stream");
const { Client, Pool } = require("pg");
const copy = require("pg-copy-streams");

const INSERT = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)";
const COPY = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN";
const START = Date.parse("2026-11-01T00:00:00Z");

const moment = (second) => new Date(START + 1000 * second);

const scenarios = {
  async connect(client) {
    const { rows } = await client.query("SELECT current_user AS name, 1 + 1 AS two, version() AS version");
    return { ...rows[0], version: rows[0].version.split(" ")[0] };
  },

  async insert(client, series, count) {
    let written = 0;
    for (let second = 0; second < Number(count); second++) {
      written += (await client.query(INSERT, [series, moment(second), second / 2])).rowCount;
    }
    return written;
  },

  async named(client, series, count) {
    let written = 0;
    for (let second = 0; second < Number(count); second++) {
      const values = [series, moment(second), second / 2];
      written += (await client.query({ name: "insert point", text: INSERT, values })).rowCount;
    }
    return written;
  },

  async many(client, series, count) {
    const places = [];
    const values = [];
    for (let second = 0; second < Number(count); second++) {
      places.push(`($${3 * second + 1}, $${3 * second + 2}, $${3 * second + 3})`);
      values.push(series, moment(second), second / 2);
    }
    const text = `INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ${places.join(", ")}`;
    return (await client.query(text, values)).rowCount;
  },

  async copy(client, series, count, options) {
    const separator = options ? "," : "\t";
    function* lines() {
      for (let second = 0; second < Number(count); second++) {
        yield [series, moment(second).toISOString(), second / 2].join(separator) + "\n";
      }
    }
    const stream = client.query(copy.from(options ? `${COPY} WITH (${options})` : COPY));
    await pipeline(Readable.from(lines()), stream);
    return stream.rowCount;
  },

  async "copy given up"(client, series) {
    const stream = client.query(copy.from(COPY));
    stream.write(`${series}\t2026-11-01Z\t1\n`);
    const told = new Promise((resolve) => stream.on("error", resolve));
    stream.destroy(new Error("enough"));
    const error = await told;
    return { message: error.message, one: (await client.query("SELECT 1 AS one")).rows[0].one };
  },

  async "copy failed"(client, series) {
    const stream = client.query(copy.from(COPY));
    try {
      await pipeline(Readable.from([`${series}\t2026-11-01Z\tone\n`]), stream);
      return null;
    } catch (error) {
      return { code: error.code, where: error.where, one: (await client.query("SELECT 1 AS one")).rows[0].one };
    }
  },

  async "copy out"(client) {
    const stream = client.query(copy.to("COPY (SELECT n, n * n FROM generate_series(1, 1000) AS n) TO STDOUT"));
    let text = "";
    await pipeline(
      stream,
      new Writable({
        write(chunk, _, done) {
          text += chunk;
          done();
        },
      }),
    );
    return text.split("\n").length - 1;
  },

  async errors(client) {
    const found = [];
    for (const text of [
      "INSERT INTO nowhere VALUES (1)",
      "INSERT INTO double_datapoints (nonsense) VALUES (1)",
      "INSERT INTO double_datapoints (value) VALUES ('one')",
      "SELECT relname FROM pg_class GROUP relkind",
    ]) {
      const error = await client.query(text).then(
        () => ({}),
        (error) => error,
      );
      found.push([error.code, error.severity, error.position ?? null]);
    }
    found.push((await client.query("SELECT 1 AS one")).rows[0].one);
    return found;
  },

  async "time out"(client, series) {
    await client.query("SET statement_timeout = 500");
    const error = await client.query(INSERT, [series, moment(0), 1]).catch((error) => error);
    await client.query("SET statement_timeout = 0");
    return { code: error.code, one: (await client.query("SELECT 1 AS one")).rows[0].one };
  },

  async cancel(client, series) {
    const running = client.query(INSERT, [series, moment(0), 1]).catch((error) => error);
    // node-postgres cancels what it sees running, through a connection of another client.
    process.stdout.write("running\n");
    await new Promise((resolve) => process.stdin.once("data", resolve));
    const canceller = new Client();
    await new Promise((resolve) => {
      canceller.connection.once("end", resolve);
      canceller.connection.on("connect", () => canceller.connection.cancel(client.processID, client.secretKey));
      canceller.connection.connect(Number(process.env.PGPORT), process.env.PGHOST);
    });
    const error = await running;
    process.stdin.destroy();
    return { code: error.code, one: (await client.query("SELECT 1 AS one")).rows[0].one };
  },

  async transaction(client, series) {
    await client.query("BEGIN");
    await client.query(INSERT, [series, moment(0), 1]);
    await client.query("ROLLBACK");
    await client.query("BEGIN");
    await client.query(INSERT, [series, moment(0), 2]);
    await client.query("SAVEPOINT s");
    const error = await client.query("INSERT INTO nowhere VALUES ($1)", [1]).catch((error) => error);
    await client.query("ROLLBACK TO SAVEPOINT s");
    await client.query(INSERT, [series, moment(1), 4]);
    return [error.code, (await client.query("COMMIT")).command];
  },

  async reconnect(client) {
    const pool = new Pool({ max: 1 });
    const ended = new Promise((resolve) => pool.on("error", resolve));
    const first = (await pool.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
    await pool.query("SET idle_session_timeout = 100");
    const { code } = await ended;
    const second = (await pool.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
    await pool.end();
    return { code, another: first !== second };
  },

  async types(client, statements) {
    const { insert, select, values, key, names } = JSON.parse(statements);
    const given = names.map((name) => (name === "some_bytes" ? Buffer.from(values[name], "hex") : values[name]));
    const { rowCount } = await client.query(insert, [key, ...given]);
    const result = await client.query(select, [key]);
    const [row] = result.rows;
    row.some_bytes = row.some_bytes.toString("hex");
    const oids = Object.fromEntries(result.fields.map((field) => [field.name, field.dataTypeID]));
    return { rowCount, row, oids };
  },
};

async function main([name, ...words]) {
  const client = new Client();
  await client.connect();
  try {
    process.stdout.write(JSON.stringify(await scenarios[name](client, ...words)) + "\n");
  } finally {
    await client.end();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
