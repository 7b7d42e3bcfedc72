package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Cookie;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.parosproxy.paros.network.HtmlParameter;

/** Who may read an answer, how it is labelled and kept, and whether it crosses the network openly. WSTG-CLNT-07, WSTG-ATHN-01, -06, WSTG-CONF-07. */
final class TransferRules {
    private static final Pattern MARKUP_START = Pattern.compile("(?i)^\\s{0,200}<(!doctype html|html[\\s>])");
    private static final Pattern JSON = Pattern.compile("^\\s{0,200}(\\{\\s{0,50}\"|\\[\\s{0,50}\\{)");
    private static final Pattern NOT_SHARED = Pattern.compile("(?i)no-store|private|no-cache|max-age\\s{0,5}=\\s{0,5}0(?!\\d)");

    private TransferRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910016, "Every site may read the answers (CORS)", Level.LOW, 942, TransferRules::everySite),
                rule(910017, "CORS lets an untrustworthy origin act with the user's login", Level.MEDIUM, Confidence.HIGH, 942, TransferRules::untrustworthyOrigin),
                rule(910018, "HTML page names no character encoding", Level.NONE, 116, TransferRules::noCharset),
                rule(910019, "Content type does not fit the content", Level.LOW, 436, TransferRules::wrongType),
                rule(910020, "Answer to a logged-in user may be kept by caches", Level.LOW, 525, TransferRules::cacheable),
                rule(910021, "Login by HTTP Basic over an unencrypted connection", Level.MEDIUM, Confidence.HIGH, 522, TransferRules::basicLogin),
                rule(910022, "HTTPS address sends the browser on to HTTP", Level.LOW, Confidence.HIGH, 319, TransferRules::downgrade));
    }

    private static void everySite(Page page, Report report) {
        if (page.isOk() && !page.isScriptOrStyle() && !page.text().isBlank() && page.header("Access-Control-Allow-Origin").equals("*"))
            report.raise("Access-Control-Allow-Origin", "*");
    }

    private static void untrustworthyOrigin(Page page, Report report) {
        String origin = page.header("Access-Control-Allow-Origin").toLowerCase(Locale.ROOT);
        boolean credentials = page.header("Access-Control-Allow-Credentials").equalsIgnoreCase("true");
        boolean untrustworthy = origin.equals("null") || (page.https() && origin.startsWith("http://"));
        if (credentials && untrustworthy) report.raise("Access-Control-Allow-Origin", page.header("Access-Control-Allow-Origin"));
    }

    private static void noCharset(Page page, Report report) {
        if (!page.isDocument() || page.header("Content-Type").toLowerCase(Locale.ROOT).contains("charset=") || page.text().startsWith("\uFEFF")) return;
        for (Tag tag : page.tags())
            if (tag.is("meta") && (tag.has("charset") || tag.word("content").contains("charset="))) return;
        report.raise("Content-Type", page.header("Content-Type"));
    }

    private static void wrongType(Page page, Report report) {
        if (!page.isOk() || page.text().isBlank()) return;
        String head = page.text().substring(0, Math.min(1000, page.text().length()));
        boolean markup = page.find(MARKUP_START, head) != null;
        boolean json = page.find(JSON, head) != null;
        boolean saysHtml = page.type().equals("text/html") || page.type().equals("application/xhtml+xml");
        boolean wrong = page.type().isEmpty() || (saysHtml ? json : markup && !page.type().endsWith("xml"));
        if (wrong) report.raise("Content-Type", page.header("Content-Type"));
    }

    /** Over HTTP too, where any cache on the way may keep it. */
    private static void cacheable(Page page, Report report) {
        if (!page.isOk() || page.text().isBlank() || page.isScriptOrStyle() || !page.message().getRequestHeader().getMethod().equals("GET")) return;
        String control = page.header("Cache-Control");
        if (!page.match(NOT_SHARED, control).find() && isPersonal(page)) report.raise("Cache-Control", control);
    }

    private static boolean isPersonal(Page page) {
        if (page.message().getRequestHeader().getHeader("Authorization") != null) return true;
        for (HtmlParameter cookie : page.message().getRequestHeader().getCookieParams()) if (Cookie.isSessionName(cookie.getName())) return true;
        return page.cookies().stream().anyMatch(Cookie::isSession);
    }

    private static void basicLogin(Page page, Report report) {
        String wanted = page.header("WWW-Authenticate");
        if (!page.https() && page.status() == 401 && wanted.toLowerCase(Locale.ROOT).contains("basic")) report.raise("WWW-Authenticate", wanted);
    }

    private static void downgrade(Page page, Report report) {
        String location = page.header("Location");
        if (page.https() && page.isRedirect() && location.toLowerCase(Locale.ROOT).startsWith("http://")) report.raise("Location", location);
    }
}
