import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.postgresql.util.PSQLException;

/**
 * One connection of pgjdbc, told line by line what to do: {@code support/jdbc_session.py} writes the lines
 * and reads the answers.
 *
 * <p>A line holds words parted by tabs; in a word {@code \t}, {@code \n} and {@code \\} stand for tab,
 * newline and backslash, and {@code \N} alone is no value. Each answer is one line of JSON. The first
 * line is the URL, then come the connection's properties in pairs.
 */
public class JdbcSession {
    private final Connection connection;

    private JdbcSession(String url, Properties properties) throws SQLException {
        connection = DriverManager.getConnection(url, properties);
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        JdbcSession session = null;
        String line;
        while ((line = lines.readLine()) != null) {
            List<String> words = words(line);
            String answer;
            try {
                if (session == null) {
                    session = new JdbcSession(words.get(0), properties(words));
                    answer = "{\"rows\":[],\"columns\":[]}";
                } else {
                    answer = session.answer(words);
                }
            } catch (SQLException error) {
                answer = failure(error);
            }
            answers.println(answer);
        }
        if (session != null) {
            session.connection.close();
        }
    }

    private static Properties properties(List<String> words) {
        Properties properties = new Properties();
        for (int index = 1; index + 1 < words.size(); index += 2) {
            properties.setProperty(words.get(index), words.get(index + 1));
        }
        return properties;
    }

    private String answer(List<String> words) throws Exception {
        List<String> rest = words.subList(1, words.size());
        switch (words.get(0)) {
            case "query":
                return query(Integer.parseInt(rest.get(0)), rest.get(1), rest.subList(2, rest.size()));
            case "cancelled":
                return cancelled(rest.get(0));
            case "metadata":
                return metadata(rest.get(0), rest.subList(1, rest.size()));
            case "autocommit":
                connection.setAutoCommit(Boolean.parseBoolean(rest.get(0)));
                return "{\"rows\":[],\"columns\":[]}";
            case "commit":
                connection.commit();
                return "{\"rows\":[],\"columns\":[]}";
            default:
                throw new IllegalArgumentException(words.get(0));
        }
    }

    /** A statement with parameters, each as {@code l:number} or {@code s:text}. */
    private String query(int fetchSize, String sql, List<String> parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setFetchSize(fetchSize);
            int number = 0;
            for (String parameter : parameters) {
                String value = parameter.substring(2);
                number += 1;
                if (parameter.startsWith("l:")) {
                    statement.setLong(number, Long.parseLong(value));
                } else {
                    statement.setString(number, value);
                }
            }
            if (statement.execute()) {
                return rows(statement.getResultSet());
            }
            return "{\"rows\":[],\"columns\":[],\"count\":" + statement.getUpdateCount() + "}";
        }
    }

    /** A query that is cancelled while it runs, as often as it takes: at first it may not have begun. */
    private String cancelled(String sql) throws Exception {
        try (Statement statement = connection.createStatement()) {
            Thread canceller = new Thread(() -> {
                try {
                    while (true) {
                        Thread.sleep(200);
                        statement.cancel();
                    }
                } catch (InterruptedException | SQLException end) {
                    Thread.currentThread().interrupt();
                }
            });
            canceller.start();
            try {
                return rows(statement.executeQuery(sql));
            } finally {
                canceller.interrupt();
                canceller.join();
            }
        }
    }

    /** A call of DatabaseMetaData by its name; arguments are texts, lists of texts, flags or numbers. */
    private String metadata(String name, List<String> arguments) throws Exception {
        DatabaseMetaData metadata = connection.getMetaData();
        for (Method method : DatabaseMetaData.class.getMethods()) {
            if (!method.getName().equals(name) || method.getParameterCount() != arguments.size()) {
                continue;
            }
            Object[] given = new Object[arguments.size()];
            for (int index = 0; index < given.length; index++) {
                given[index] = argument(method.getParameterTypes()[index], arguments.get(index));
            }
            Object said;
            try {
                said = method.invoke(metadata, given);
            } catch (InvocationTargetException error) {
                if (error.getCause() instanceof SQLException) {
                    throw (SQLException) error.getCause();
                }
                throw error;
            }
            if (said instanceof ResultSet) {
                return rows((ResultSet) said);
            }
            return "{\"columns\":[\"" + name + "\"],\"rows\":[[" + json(String.valueOf(said)) + "]]}";
        }
        throw new IllegalArgumentException(name);
    }

    private static Object argument(Class<?> type, String text) {
        if (type == boolean.class) {
            return Boolean.parseBoolean(text);
        }
        if (type == int.class) {
            return Integer.parseInt(text);
        }
        if (type == String[].class) {
            return text == null ? null : text.split(",");
        }
        return text;
    }

    private static String rows(ResultSet found) throws SQLException {
        try (ResultSet results = found) {
            ResultSetMetaData about = results.getMetaData();
            StringBuilder text = new StringBuilder("{\"columns\":[");
            for (int column = 1; column <= about.getColumnCount(); column++) {
                text.append(column > 1 ? "," : "").append(json(about.getColumnLabel(column)));
            }
            text.append("],\"types\":[");
            for (int column = 1; column <= about.getColumnCount(); column++) {
                text.append(column > 1 ? "," : "").append(json(about.getColumnTypeName(column)));
            }
            text.append("],\"rows\":[");
            boolean isFirst = true;
            while (results.next()) {
                text.append(isFirst ? "[" : ",[");
                isFirst = false;
                for (int column = 1; column <= about.getColumnCount(); column++) {
                    text.append(column > 1 ? "," : "").append(json(results.getString(column)));
                }
                text.append("]");
            }
            return text.append("]}").toString();
        }
    }

    private static String failure(SQLException error) {
        String position = "0";
        if (error instanceof PSQLException && ((PSQLException) error).getServerErrorMessage() != null) {
            position = String.valueOf(((PSQLException) error).getServerErrorMessage().getPosition());
        }
        return "{\"sqlstate\":" + json(error.getSQLState()) + ",\"message\":" + json(error.getMessage())
                + ",\"position\":" + position + "}";
    }

    private static List<String> words(String line) {
        List<String> words = new ArrayList<>();
        for (String word : line.split("\t", -1)) {
            words.add(word.equals("\\N") ? null : unescaped(word));
        }
        return words;
    }

    private static String unescaped(String word) {
        StringBuilder text = new StringBuilder();
        for (int index = 0; index < word.length(); index++) {
            char character = word.charAt(index);
            if (character != '\\' || index + 1 == word.length()) {
                text.append(character);
                continue;
            }
            index += 1;
            char next = word.charAt(index);
            text.append(next == 't' ? '\t' : next == 'n' ? '\n' : next);
        }
        return text.toString();
    }

    private static String json(String value) {
        if (value == null) {
            return "null";
        }
        StringBuilder text = new StringBuilder("\"");
        for (char character : value.toCharArray()) {
            if (character == '"' || character == '\\') {
                text.append('\\').append(character);
            } else if (character < ' ') {
                text.append(String.format("\\u%04x", (int) character));
            } else {
                text.append(character);
            }
        }
        return text.append('"').toString();
    }
}
