package io.periscan.zap.page;

import io.periscan.zap.RuleStats;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.parosproxy.paros.network.HttpMessage;

/** One request with its answer, as the rules read it: bodies that are no text are empty, long ones are cut. */
public final class Page {
    /** What the rules read of a body. */
    public static final int MOST_BYTES = 1 << 20;

    private static final Pattern TEXT_TYPE = Pattern.compile("text/.*|.*[/+](json|xml|javascript|ecmascript|x-javascript)|application/(xhtml\\+xml|x-www-form-urlencoded|x-sh|x-httpd-php|sql)");
    private static final Pattern SCRIPT_TYPE = Pattern.compile(".*/(x-)?(javascript|ecmascript)|text/css");
    private static final ThreadLocal<Page> LATEST = new ThreadLocal<>();

    private final HttpMessage message;
    private final Deadline deadline = new Deadline();
    private final String type;
    private String text;
    private List<Tag> tags;
    private List<Cookie> cookies;

    private Page(HttpMessage message) {
        this.message = message;
        this.type = header("Content-Type").split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
    }

    /** The rules look at a message one after the other in one thread, so the last page read is kept. */
    public static Page of(HttpMessage message) {
        Page latest = LATEST.get();
        if (latest == null || latest.message != message) LATEST.set(latest = new Page(message));
        latest.deadline.restart();
        return latest;
    }

    /** An answer to a rule's own request; not kept. */
    public static Page ofAnswer(HttpMessage message) {
        Page page = new Page(message);
        page.deadline.restart();
        return page;
    }

    public HttpMessage message() {
        return message;
    }

    public String url() {
        return message.getRequestHeader().getURI().toString();
    }

    public String host() {
        return message.getRequestHeader().getHostName().toLowerCase(Locale.ROOT);
    }

    public boolean https() {
        return message.getRequestHeader().isSecure();
    }

    public int status() {
        return message.getResponseHeader().getStatusCode();
    }

    public boolean isOk() {
        return status() >= 200 && status() < 300;
    }

    public boolean isRedirect() {
        return status() >= 300 && status() < 400 && !header("Location").isEmpty();
    }

    /** The content type without its parameters, in lower case; empty where the answer names none. */
    public String type() {
        return type;
    }

    public boolean isHtml() {
        return (type.equals("text/html") || type.equals("application/xhtml+xml")) && !text().isBlank();
    }

    /** A page that a browser shows, as opposed to an error, a redirect or a file. */
    public boolean isDocument() {
        return isHtml() && isOk();
    }

    public boolean isScriptOrStyle() {
        return SCRIPT_TYPE.matcher(type).matches();
    }

    /** All values of a header joined by commas, as RFC 9110 reads them; empty where it is absent. */
    public String header(String name) {
        return String.join(", ", headers(name));
    }

    public List<String> headers(String name) {
        return message.getResponseHeader().getHeaderValues(name);
    }

    public List<Cookie> cookies() {
        if (cookies == null) cookies = headers("Set-Cookie").stream().limit(50).map(Cookie::parse).filter((cookie) -> !cookie.isRemoval()).toList();
        return cookies;
    }

    public List<Tag> tags() {
        if (tags == null) tags = isHtml() ? TagReader.read(text()) : List.of();
        return tags;
    }

    /** The body as text, at most MOST_BYTES of it; empty where it is no text. */
    public String text() {
        if (text == null) text = readText();
        return text;
    }

    private String readText() {
        if (!type.isEmpty() && !TEXT_TYPE.matcher(type).matches()) return "";
        byte[] bytes = message.getResponseBody().getContent();
        // Only of an answer without a type: a page that calls itself text is shown as such, and a NUL in it would hide it from every rule.
        for (int i = 0; type.isEmpty() && i < Math.min(bytes.length, 8192); i++) if (bytes[i] == 0) return "";
        if (bytes.length > MOST_BYTES) {
            RuleStats.cut();
            bytes = Arrays.copyOf(bytes, MOST_BYTES);
        }
        return new String(bytes, charset());
    }

    private Charset charset() {
        try {
            return Charset.forName(message.getResponseHeader().getCharset());
        } catch (IllegalArgumentException noneOrUnknown) {
            return StandardCharsets.UTF_8;
        }
    }

    /** A matcher over any text of this page that gives up when the rule's time is over. */
    public Matcher match(Pattern pattern, CharSequence over) {
        return pattern.matcher(new BoundedText(over, deadline));
    }

    /** The first match in the body; null where there is none. */
    public String find(Pattern pattern) {
        return find(pattern, text());
    }

    public String find(Pattern pattern, CharSequence over) {
        Matcher matcher = match(pattern, over);
        return matcher.find() ? matcher.group() : null;
    }
}
