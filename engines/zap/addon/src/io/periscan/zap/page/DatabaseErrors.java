package io.periscan.zap.page;

import java.util.List;
import java.util.regex.Pattern;

/** What databases and their drivers say when a statement is broken, as their manuals print it. */
public final class DatabaseErrors {
    private static final List<String> TEXTS = List.of(
            "You have an error in your SQL syntax",
            "MySqlException",
            "com.mysql.cj.jdbc.exceptions",
            "com.mysql.jdbc.exceptions",
            "mysqli_sql_exception",
            "syntax error at or near \"",
            "unterminated quoted string at or near",
            "org.postgresql.util.PSQLException",
            "PG::SyntaxError",
            "psycopg2.errors.",
            "Npgsql.PostgresException",
            "Unclosed quotation mark after the character string",
            "Incorrect syntax near '",
            "System.Data.SqlClient.SqlException",
            "Microsoft.Data.SqlClient.SqlException",
            "com.microsoft.sqlserver.jdbc.SQLServerException",
            "[ODBC SQL Server Driver]",
            "Microsoft OLE DB Provider for SQL Server",
            "quoted string not properly terminated",
            "oracle.jdbc.driver",
            "SQLite3::SQLException",
            "sqlite3.OperationalError",
            "System.Data.SQLite.SQLiteException",
            "SQLITE_ERROR:",
            "DB2 SQL error: SQLCODE",
            "[IBM][CLI Driver][DB2",
            "org.h2.jdbc.JdbcSQL",
            "org.hsqldb.HsqlException",
            "java.sql.SQLSyntaxErrorException",
            "[Microsoft][ODBC Microsoft Access Driver]",
            "Dynamic SQL Error",
            "com.informix.jdbc",
            "com.sybase.jdbc",
            "SQLSTATE[42000]",
            "SQLSTATE[HY000]");

    private static final List<Pattern> SHAPES =
            List.of(Pattern.compile("ORA-\\d{5}: "), Pattern.compile("near \"[^\"\\n]{1,60}\": syntax error"), Pattern.compile("unrecognized token: \"[^\"\\n]{0,60}\""));

    private DatabaseErrors() {}

    /** The first of them in the page; null where there is none. */
    public static String find(Page page) {
        for (String text : TEXTS) if (page.text().contains(text)) return text;
        for (Pattern shape : SHAPES) {
            String found = page.find(shape);
            if (found != null) return found;
        }
        return null;
    }
}
