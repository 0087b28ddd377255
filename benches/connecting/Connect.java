import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.util.Properties;

/**
 * Connects again and again by pgjdbc, and asks for a table's metadata.
 *
 * Arguments: URL, user, password, how often. Prints a line for each time: microseconds of the
 * connect, and of the questions after it.
 */
public final class Connect {
    private Connect() {}

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", arguments[1]);
        properties.setProperty("password", arguments[2]);
        int times = Integer.parseInt(arguments[3]);
        for (int time = 0; time < times; time++) {
            long began = System.nanoTime();
            try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
                long connected = System.nanoTime();
                DatabaseMetaData metadata = connection.getMetaData();
                int rows = count(metadata.getTables(null, "public", "%", new String[] {"TABLE"}));
                rows += count(metadata.getColumns(null, "public", "time_series", "%"));
                rows += count(metadata.getPrimaryKeys(null, "public", "time_series"));
                if (rows == 0) {
                    throw new IllegalStateException("no metadata came");
                }
                long asked = System.nanoTime();
                System.out.println((connected - began) / 1000 + " " + (asked - connected) / 1000);
            }
        }
    }

    private static int count(ResultSet rows) throws Exception {
        int count = 0;
        try (rows) {
            while (rows.next()) {
                count++;
            }
        }
        return count;
    }
}
