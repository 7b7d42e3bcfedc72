package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Scripts: whose, how old, and what they do with the address. WSTG-CLNT-01, -04, -10, -14, WSTG-CONF-01; ASVS 3.6.1, 15.2.1. */
final class ScriptRules {
    private static final Pattern OPEN_SOCKET = Pattern.compile("(?i)(?<![a-z])new\\s{1,5}WebSocket\\s{0,5}\\(\\s{0,5}[\"'`](ws://[^\"'`\\s]{1,200})");
    /** What runs or draws its text; what a visitor's address can hold. */
    private static final Pattern SINK =
            Pattern.compile("(?:\\.(?:innerHTML|outerHTML)\\s{0,5}\\+?=(?!=)|document\\.write(?:ln)?\\s{0,5}\\(|\\.insertAdjacentHTML\\s{0,5}\\(|(?<![\\w.])eval\\s{0,5}\\()");
    private static final Pattern SOURCE = Pattern.compile("location\\.(?:hash|search|href)|document\\.(?:URL|documentURI|referrer)|window\\.name");
    /** Encoding the address first makes it harmless. */
    private static final Pattern ENCODED = Pattern.compile("(?i)encodeURI|escape|sanitize|parseInt|Number\\s{0,5}\\(");
    private static final int MOST_SINKS = 300;
    private static final int STATEMENT = 200;

    private ScriptRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910035, "Script or style of another site without an integrity hash", Level.LOW, Confidence.HIGH, 353, ScriptRules::withoutIntegrity),
                rule(910036, "Link opens a window that can steer this one", Level.NONE, 1022, ScriptRules::opener),
                rule(910037, "HTTPS page opens an unencrypted WebSocket", Level.MEDIUM, Confidence.HIGH, 319, ScriptRules::openSocket),
                rule(910038, "JavaScript library with published vulnerabilities", Level.MEDIUM, 1395, (page, report) -> Libraries.find(page, report::raise)),
                rule(910039, "Script writes the address of the page into the page", Level.MEDIUM, Confidence.LOW, 79, ScriptRules::addressIntoPage));
    }

    private static void withoutIntegrity(Page page, Report report) {
        for (Tag tag : page.tags()) {
            String address = tag.is("script") ? tag.text("src") : tag.is("link") && tag.word("rel").equals("stylesheet") ? tag.text("href") : "";
            if (isForeign(address, page) && tag.text("integrity").isEmpty()) report.raise(tag.name(), address);
        }
    }

    /** Hosts below the same registered name are taken for the site's own: the last two labels, three where the second last is short. */
    private static boolean isForeign(String address, Page page) {
        Matcher host = Pattern.compile("(?i)^(?:https?:)?//([^/?#:]{1,253})").matcher(address);
        return host.find() && !family(host.group(1).toLowerCase(Locale.ROOT)).equals(family(page.host()));
    }

    private static String family(String host) {
        String[] labels = host.split("\\.");
        if (labels.length < 3 || host.matches("[\\d.]+|.*:.*")) return host;
        int kept = labels[labels.length - 2].length() <= 3 ? 3 : 2;
        return String.join(".", List.of(labels).subList(labels.length - kept, labels.length));
    }

    /** Browsers since 2021 need no rel="noopener"; one that asks for the opener gets it. */
    private static void opener(Page page, Report report) {
        for (Tag tag : page.tags())
            if (tag.is("a") && tag.word("target").equals("_blank") && isForeign(tag.text("href"), page) && !tag.word("rel").matches(".*\\bno(opener|referrer)\\b.*"))
                report.raise(tag.text("href"), tag.text("href"));
    }

    private static void openSocket(Page page, Report report) {
        if (!page.https()) return;
        for (String script : scripts(page)) {
            Matcher socket = page.match(OPEN_SOCKET, script);
            while (socket.find()) report.raise(socket.group(1), socket.group(1));
        }
    }

    private static void addressIntoPage(Page page, Report report) {
        for (String script : scripts(page)) {
            Matcher sink = page.match(SINK, script);
            for (int i = 0; i < MOST_SINKS && sink.find(); i++) {
                String statement = statement(script, sink.end());
                String source = page.find(SOURCE, statement);
                if (source != null && page.find(ENCODED, statement) == null) report.raise(source, sink.group());
            }
        }
    }

    private static String statement(String script, int from) {
        int to = Math.min(script.length(), from + STATEMENT);
        for (int i = from; i < to; i++) if (script.charAt(i) == ';' || script.charAt(i) == '\n') return script.substring(from, i);
        return script.substring(from, to);
    }

    private static List<String> scripts(Page page) {
        if (page.isScriptOrStyle()) return List.of(page.text());
        return page.tags().stream().filter((tag) -> tag.is("script") && !tag.content().isBlank()).map(Tag::content).toList();
    }
}
