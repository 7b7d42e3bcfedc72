package io.periscan.zap.active;

import io.periscan.zap.page.Page;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;

/** Files that are left where a site is served from, and how each is told from a page that answers everything. */
final class ExposedFiles {
    /** @param content what the file holds and a page does not; over the first bytes of the answer, one character a byte */
    record File(String path, Pattern content) {
        boolean is(Page answer) {
            if (answer.status() != 200 && answer.status() != 206) return false;
            byte[] bytes = answer.message().getResponseBody().getContent();
            String head = new String(bytes, 0, Math.min(bytes.length, HEAD_BYTES), StandardCharsets.ISO_8859_1);
            return answer.find(content, head) != null;
        }
    }

    /** Asked for with a Range header as well, so that a dump of gigabytes stays where it is. */
    static final int HEAD_BYTES = 4096;

    /** They hold secrets, or the way to all of the source. */
    static final List<File> SECRET = List.of(
            file(".git/HEAD", "^(?:ref: refs/|[0-9a-f]{40}\\s)"),
            file(".svn/wc.db", "^SQLite format 3"),
            file(".hg/requires", "^(?:[a-z0-9-]{3,40}\\n){0,20}?(?:revlogv[12]|store|generaldelta)\\n"),
            file(".env", "(?m)^[A-Z][A-Z0-9_]{2,40}=[^<\\n]{0,200}\\n(?:.{0,200}\\n){0,20}?[A-Z][A-Z0-9_]{2,40}="),
            file(".htpasswd", "(?m)^[\\w.@-]{1,60}:(?:\\$apr1\\$|\\$2[aby]\\$|\\{SHA\\}|\\$[156]\\$)"),
            file(".npmrc", "_authToken\\s{0,5}=|_password\\s{0,5}="),
            file(".aws/credentials", "aws_secret_access_key"),
            file("id_rsa", "^-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY"),
            file("web.config", "(?s)^[^<]{0,10}<\\?xml.{0,500}<configuration[\\s>]"),
            file("appsettings.json", "\"(?:ConnectionStrings|Logging)\"\\s{0,5}:"),
            file("docker-compose.yml", "(?m)^services:\\s{0,5}$"),
            file("backup.sql", "(?i)^-- (?:MySQL|MariaDB|PostgreSQL)[^\\n]{0,40}dump|^(?:CREATE TABLE|INSERT INTO)\\s"),
            file("dump.sql", "(?i)^-- (?:MySQL|MariaDB|PostgreSQL)[^\\n]{0,40}dump|^(?:CREATE TABLE|INSERT INTO)\\s"));

    /** They tell an attacker about the server. */
    static final List<File> TELLTALE = List.of(
            file(".DS_Store", "^\\x00\\x00\\x00\\x01Bud1"),
            file("phpinfo.php", "<title>phpinfo\\(\\)</title>|PHP Version"),
            file("info.php", "<title>phpinfo\\(\\)</title>"),
            file("server-status", "<title>Apache Status</title>|Apache Server Status for"),
            file("server-info", "<title>Server Information</title>"),
            file("actuator/env", "\"propertySources\"\\s{0,5}:|\"systemProperties\"\\s{0,5}:"),
            file("debug/pprof/", "<title>/debug/pprof/</title>|Types of profiles available"),
            file("elmah.axd", "Error Log for"),
            file("trace.axd", "Application Trace"));

    private ExposedFiles() {}

    private static File file(String path, String content) {
        return new File(path, Pattern.compile(content));
    }
}
