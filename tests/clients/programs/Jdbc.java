import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Properties;
import java.util.StringJoiner;
import org.postgresql.PGConnection;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;

/**
 * What programs do with pgjdbc, one thing a run: the first argument says which, URL, user and password
 * are in the environment. Owns no expectation: it prints what it was told, a line for each thing, and
 * test_pgjdbc.py judges. An exception that the scenario does not expect ends it with code 1.
 */
public final class Jdbc {
    private static final String INSERT =
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES (?, ?, ?)";
    private static final OffsetDateTime START = OffsetDateTime.parse("2026-11-01T00:00:00Z");

    private Jdbc() {}

    public static void main(String[] words) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("JDBC_USER"));
        properties.setProperty("password", System.getenv("JDBC_PASSWORD"));
        String url = System.getenv("JDBC_URL");
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            switch (words[0]) {
                case "connect" -> connect(connection);
                case "insert" -> insert(connection, words[1], Integer.parseInt(words[2]));
                case "batch" -> batch(connection, words[1], Integer.parseInt(words[2]));
                case "copy-text" -> copyText(connection, words[1], Integer.parseInt(words[2]));
                case "copy-csv" -> copyCsv(connection, words[1], Integer.parseInt(words[2]));
                case "copy-given-up" -> copyGivenUp(connection, words[1]);
                case "copy-out" -> copyOut(connection, words[1]);
                case "errors" -> errors(connection);
                case "bad-batch" -> badBatch(connection, words[1]);
                case "time-out" -> timeOut(connection, words[1]);
                case "transaction" -> transaction(connection, words[1]);
                case "reconnect" -> reconnect(connection, url, properties);
                case "types" -> types(connection, words[1], Arrays.copyOfRange(words, 2, words.length));
                case "fetch" -> fetch(connection);
                case "describe" -> describe(connection, words[1]);
                case "metadata" -> metadata(connection);
                case "columns" -> columns(connection, words[1]);
                default -> throw new IllegalArgumentException(words[0]);
            }
        }
    }

    private static void say(Object... parts) {
        StringJoiner line = new StringJoiner("|");
        for (Object part : parts) {
            line.add(String.valueOf(part));
        }
        System.out.println(line);
    }

    private static OffsetDateTime moment(int second) {
        return START.plusSeconds(second);
    }

    private static void bind(PreparedStatement statement, String series, int second, double value)
            throws SQLException {
        statement.setString(1, series);
        statement.setObject(2, moment(second));
        statement.setDouble(3, value);
    }

    private static void connect(Connection connection) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        say("product", about.getDatabaseProductName(), about.getDatabaseMajorVersion() >= 14);
        say("driver", about.getDriverVersion());
        say("valid", connection.isValid(10));
        say("catalog", connection.getCatalog());
        say("schema", connection.getSchema());
        say("isolation", connection.getTransactionIsolation() == Connection.TRANSACTION_READ_COMMITTED);
        say("read only", connection.isReadOnly());
    }

    private static void insert(Connection connection, String series, int count) throws SQLException {
        // From the fifth use on the driver keeps the statement by a name.
        try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
            int written = 0;
            for (int second = 0; second < count; second++) {
                bind(statement, series, second, second / 2.0);
                written += statement.executeUpdate();
            }
            say(written);
        }
    }

    private static void batch(Connection connection, String series, int count) throws SQLException {
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
            for (int second = 0; second < count; second++) {
                bind(statement, series, second, second / 2.0);
                statement.addBatch();
            }
            int[] counts = statement.executeBatch();
            boolean areGood =
                    Arrays.stream(counts).allMatch(one -> one == 1 || one == Statement.SUCCESS_NO_INFO);
            say(counts.length, areGood);
        }
        connection.commit();
    }

    private static void copyText(Connection connection, String series, int count) throws Exception {
        StringBuilder lines = new StringBuilder();
        for (int second = 0; second < count; second++) {
            lines.append(series + "\t" + moment(second) + "\t" + second + "\n");
        }
        byte[] bytes = lines.toString().getBytes(StandardCharsets.UTF_8);
        String copy = "COPY double_datapoints (external_id, timestamp, value) FROM STDIN";
        say(connection.unwrap(PGConnection.class).getCopyAPI().copyIn(copy, new ByteArrayInputStream(bytes)));
    }

    private static void copyCsv(Connection connection, String series, int count) throws Exception {
        StringBuilder lines = new StringBuilder("series,time,value\n");
        for (int second = 0; second < count; second++) {
            lines.append("\"" + series + "\"," + moment(second) + "," + second + "\n");
        }
        String copy =
                "COPY double_datapoints (external_id, timestamp, value) FROM STDIN WITH (FORMAT CSV, HEADER)";
        StringReader reader = new StringReader(lines.toString());
        say(connection.unwrap(PGConnection.class).getCopyAPI().copyIn(copy, reader, 1000));
    }

    private static void copyGivenUp(Connection connection, String series) throws Exception {
        var copy = connection.unwrap(PGConnection.class).getCopyAPI().copyIn(
                "COPY double_datapoints (external_id, timestamp, value) FROM STDIN");
        byte[] line = (series + "\t2026-11-01Z\t1\n").getBytes(StandardCharsets.UTF_8);
        copy.writeToCopy(line, 0, line.length);
        copy.cancelCopy();
        say("active", copy.isActive());
        say("valid", connection.isValid(10));
    }

    private static void copyOut(Connection connection, String key) throws Exception {
        var writer = new java.io.StringWriter();
        String copy = "COPY (SELECT name, a_bigint FROM every_type WHERE name = '" + key + "') TO STDOUT";
        say(connection.unwrap(PGConnection.class).getCopyAPI().copyOut(copy, writer));
        System.out.print(writer);
    }

    private static void errors(Connection connection) throws SQLException {
        for (String sql : new String[] {
            "INSERT INTO nowhere VALUES (1)",
            "INSERT INTO double_datapoints (nonsense) VALUES (1)",
            "INSERT INTO double_datapoints (value) VALUES ('one')",
            "SELECT relname FROM pg_class GROUP relkind",
            "SELECT 1 / (n - n) FROM generate_series(1, 2) AS n",
        }) {
            try (Statement statement = connection.createStatement()) {
                statement.execute(sql);
                say("nothing", sql);
            } catch (PSQLException error) {
                var about = error.getServerErrorMessage();
                say(error.getSQLState(), about.getSeverity(), about.getPosition());
            }
        }
        say("valid", connection.isValid(10));
    }

    private static void badBatch(Connection connection, String series) throws SQLException {
        connection.setAutoCommit(false);
        String insert = "INSERT INTO string_datapoints (external_id, timestamp, value) VALUES (?, ?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            for (int second = 0; second < 5; second++) {
                statement.setString(1, series);
                statement.setObject(2, moment(second));
                statement.setString(3, second == 3 ? "x".repeat(300) : "good");
                statement.addBatch();
            }
            statement.executeBatch();
            say("nothing");
        } catch (BatchUpdateException error) {
            say(error.getSQLState());
        }
        connection.rollback();
        say("valid", connection.isValid(10));
    }

    private static void timeOut(Connection connection, String series) throws SQLException {
        // The driver cancels the statement through a second connection.
        try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
            statement.setQueryTimeout(1);
            bind(statement, series, 0, 1.0);
            statement.executeUpdate();
            say("nothing");
        } catch (SQLException error) {
            say(error.getSQLState());
        }
        say("valid", connection.isValid(10));
    }

    private static void transaction(Connection connection, String series) throws SQLException {
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
            bind(statement, series, 0, 1.0);
            statement.executeUpdate();
            connection.rollback();
            bind(statement, series, 0, 2.0);
            statement.executeUpdate();
            Savepoint before = connection.setSavepoint("before");
            bind(statement, series, 1, 3.0);
            statement.executeUpdate();
            connection.rollback(before);
            bind(statement, series, 1, 4.0);
            statement.executeUpdate();
            Savepoint after = connection.setSavepoint();
            connection.releaseSavepoint(after);
            connection.commit();
        }
        connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        connection.setReadOnly(true);
        try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
            bind(statement, series, 2, 5.0);
            statement.executeUpdate();
            say("nothing");
        } catch (SQLException error) {
            say(error.getSQLState());
        }
        connection.rollback();
    }

    private static void reconnect(Connection connection, String url, Properties properties) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET idle_session_timeout = 100");
        }
        while (connection.isValid(10)) {
            Thread.sleep(300);
        }
        say("closed", connection.isClosed());
        try (Connection again = DriverManager.getConnection(url, properties)) {
            say("valid", again.isValid(10));
        }
    }

    /** Values come in the order of every_type.COLUMNS, as texts. */
    private static void types(Connection connection, String key, String[] texts) throws SQLException {
        String insert =
                "INSERT INTO every_type (name, a_text, a_varchar, a_bool, a_bigint, a_double, a_real, a_time,"
                        + " a_json, some_bytes, texts, varchars, bools, bigints, doubles, reals, jsons)"
                        + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            statement.setString(1, key);
            statement.setString(2, texts[0]);
            statement.setString(3, texts[1]);
            statement.setBoolean(4, Boolean.parseBoolean(texts[2]));
            statement.setLong(5, Long.parseLong(texts[3]));
            statement.setDouble(6, Double.parseDouble(texts[4]));
            statement.setFloat(7, Float.parseFloat(texts[5]));
            statement.setObject(8, OffsetDateTime.parse(texts[6]));
            statement.setObject(9, json(texts[7]));
            statement.setBytes(10, HexFormat.of().parseHex(texts[8]));
            statement.setArray(11, connection.createArrayOf("text", new String[] {"a", "b \"c\", {d}", "", "\\"}));
            statement.setArray(12, connection.createArrayOf("varchar", new String[] {"x", "NULL"}));
            statement.setArray(13, connection.createArrayOf("bool", new Boolean[] {true, false}));
            statement.setArray(14, connection.createArrayOf("int8", new Long[] {1L, -(1L << 62)}));
            statement.setArray(15, connection.createArrayOf("float8", new Double[] {0.1, -1e300}));
            statement.setArray(16, connection.createArrayOf("float4", new Float[] {0.5f, -0.25f}));
            statement.setArray(17, connection.createArrayOf("json", new String[] {"{\"a\": 1}", "[2, null]"}));
            say(statement.executeUpdate());
        }
        String select =
                "SELECT a_text, a_varchar, a_bool, a_bigint, a_double, a_real, a_time, a_json, some_bytes, texts,"
                        + " varchars, bools, bigints, doubles, reals, jsons FROM every_type WHERE name = ?";
        try (PreparedStatement statement = connection.prepareStatement(select)) {
            // Again and again: from the fifth time on results come in binary where the driver can read it.
            for (int turn = 0; turn < 8; turn++) {
                statement.setString(1, key);
                try (ResultSet row = statement.executeQuery()) {
                    row.next();
                    StringJoiner line = new StringJoiner("\u0001");
                    line.add(row.getString(1)).add(row.getString(2));
                    line.add(String.valueOf(row.getBoolean(3))).add(String.valueOf(row.getLong(4)));
                    line.add(String.valueOf(row.getDouble(5))).add(String.valueOf(row.getFloat(6)));
                    line.add(row.getObject(7, OffsetDateTime.class).toInstant().toString());
                    line.add(row.getString(8)).add(HexFormat.of().formatHex(row.getBytes(9)));
                    for (int column = 10; column <= 16; column++) {
                        Array array = row.getArray(column);
                        line.add(array.getBaseTypeName() + Arrays.toString((Object[]) array.getArray()));
                    }
                    System.out.print(line + "\u0002");
                }
            }
        }
    }

    private static PGobject json(String text) throws SQLException {
        PGobject value = new PGobject();
        value.setType("json");
        value.setValue(text);
        return value;
    }

    private static void fetch(Connection connection) throws SQLException {
        // Without autocommit rows come through a portal, as many at a time as the fetch size says.
        connection.setAutoCommit(false);
        try (PreparedStatement statement =
                connection.prepareStatement("SELECT n FROM generate_series(1, ?) AS n")) {
            statement.setFetchSize(100);
            statement.setInt(1, 1050);
            long sum = 0;
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    sum += rows.getInt(1);
                }
            }
            say(sum);
        }
        connection.commit();
    }

    private static void describe(Connection connection, String table) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT * FROM " + table + " WHERE 1=0")) {
            ResultSetMetaData about = rows.getMetaData();
            for (int column = 1; column <= about.getColumnCount(); column++) {
                say(
                        about.getColumnName(column),
                        about.getColumnTypeName(column),
                        about.getColumnClassName(column),
                        about.getPrecision(column),
                        about.isNullable(column) == ResultSetMetaData.columnNoNulls ? "required" : "nullable",
                        about.isAutoIncrement(column),
                        about.getTableName(column));
            }
        }
    }

    private static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        print("catalog", about.getCatalogs(), "TABLE_CAT");
        print("schema", about.getSchemas(), "TABLE_SCHEM");
        print("table type", about.getTableTypes(), "TABLE_TYPE");
        String[] tables = {"TABLE"};
        print("table", about.getTables(null, "public", "%", tables), "TABLE_NAME", "TABLE_TYPE", "REMARKS");
        print("cdf table", about.getTables(null, "cdf", "%", tables), "TABLE_NAME", "TABLE_TYPE", "REMARKS");
        print("key", about.getPrimaryKeys(null, "public", "assets"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME");
        print(
                "index",
                about.getIndexInfo(null, "public", "assets", true, true),
                "INDEX_NAME",
                "COLUMN_NAME",
                "NON_UNIQUE");
        print(
                "best row",
                about.getBestRowIdentifier(null, "public", "assets", DatabaseMetaData.bestRowSession, true),
                "COLUMN_NAME");
        print("imported", about.getImportedKeys(null, "public", "assets"), "FKCOLUMN_NAME");
        print("exported", about.getExportedKeys(null, "public", "assets"), "FKCOLUMN_NAME");
        print("type", about.getTypeInfo(), "TYPE_NAME");
        print("function", about.getFunctions(null, "pg_catalog", "lower"), "FUNCTION_NAME");
        print("procedure", about.getProcedures(null, "public", "%"), "PROCEDURE_NAME");
        print("privilege", about.getTablePrivileges(null, "public", "assets"), "GRANTEE", "PRIVILEGE");
        print("version column", about.getVersionColumns(null, "public", "assets"), "COLUMN_NAME");
        say("keywords", about.getSQLKeywords().length() > 100);
        say("name length", about.getMaxColumnNameLength());
    }

    private static void columns(Connection connection, String table) throws SQLException {
        print(
                "column",
                connection.getMetaData().getColumns(null, "public", table, "%"),
                "COLUMN_NAME",
                "TYPE_NAME",
                "DATA_TYPE",
                "COLUMN_SIZE",
                "NULLABLE",
                "ORDINAL_POSITION",
                "IS_AUTOINCREMENT");
    }

    private static void print(String what, ResultSet rows, String... names) throws SQLException {
        try (rows) {
            while (rows.next()) {
                Object[] line = new Object[names.length + 1];
                line[0] = what;
                for (int place = 0; place < names.length; place++) {
                    line[place + 1] = rows.getString(names[place]);
                }
                say(line);
            }
        }
    }
}
