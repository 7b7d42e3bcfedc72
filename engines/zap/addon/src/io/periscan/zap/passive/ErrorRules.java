package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.DatabaseErrors;
import io.periscan.zap.page.Page;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a site says when something went wrong. WSTG-ERRH-01, -02, WSTG-CONF-02, -04; ASVS 13.4, 16.5.1. */
final class ErrorRules {
    /** One frame of a stack in Java, .NET, Node.js, Ruby, Go; the head of one in Python. */
    private static final List<Pattern> STACKS = List.of(
            Pattern.compile("\\bat [\\w.$/@<>]{3,200}+\\((?:[\\w$-]{1,80}+\\.(?:java|kt|scala|groovy):\\d{1,6}|Native Method|Unknown Source)\\)"),
            Pattern.compile("\\) in [^\\n<:]{0,3}:?[^\\n<:]{1,200}:line \\d{1,6}"),
            Pattern.compile("\\bat [^\\n(<]{0,100}\\((?:node:|file://|/|[A-Z]:\\\\)[^\\n()<]{1,200}:\\d{1,6}:\\d{1,6}\\)"),
            Pattern.compile("\\.rb:\\d{1,6}:in [`'][^'\\n]{1,80}'"),
            Pattern.compile("goroutine \\d{1,9} \\[[a-z ,]{1,40}\\]:"),
            Pattern.compile("Traceback \\(most recent call last\\):"));

    private static final Pattern PHP_PLACE = Pattern.compile("(?:\\.php|eval\\(\\)'d code)(?:</b>)? on line (?:<b>)?\\d{1,6}");
    private static final Pattern PHP_KIND = Pattern.compile("(?:Fatal error|Parse error|Warning|Notice|Deprecated|Uncaught \\w{1,60})(?:</b>)?:");

    /** What frameworks write on the page that is meant for their developers. */
    private static final List<List<String>> DEBUG_PAGES = List.of(
            List.of("You're seeing this error because you have <code>DEBUG = True</code>"),
            List.of("<title>phpinfo()</title>"),
            List.of("Werkzeug Debugger", "__debugger__"),
            List.of("Server Error in '", "<b>Stack Trace:</b>"),
            List.of("Action Controller: Exception caught"),
            List.of("Routing Error", "Rails.root:"),
            List.of("window.ignite("),
            List.of("sf-toolbar", "_profiler"),
            List.of("Symfony Exception", "exception-message"),
            List.of("Whoops! There was an error.", "Environment &amp; details"));

    private static final Pattern SERVER_CODE = Pattern.compile("<\\?php\\s|<\\?=\\s?\\$|<%@\\s{0,5}(?:page|import|taglib|Page|Import|Language)\\b|<%=?\\s{0,5}(?:Response\\.|Request\\.|Session\\b|request\\.)");

    private static final Pattern LISTING = Pattern.compile("(?i)<title>(?:Index of /|Directory listing (?:for|of) /|Directory: /)[^<]{0,300}</title>|\\[To Parent Directory\\]");

    private ErrorRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910042, "Page shows where in its program an error happened", Level.LOW, Confidence.HIGH, 209, ErrorRules::stack),
                rule(910043, "Page shows an error of its database", Level.MEDIUM, 209, ErrorRules::database),
                rule(910044, "Debug page of a framework", Level.MEDIUM, Confidence.HIGH, 489, ErrorRules::debugPage),
                rule(910045, "Page holds source code of the server", Level.MEDIUM, 540, ErrorRules::sourceCode),
                rule(910046, "Directory listing", Level.MEDIUM, Confidence.HIGH, 548, ErrorRules::listing));
    }

    private static void stack(Page page, Report report) {
        if (page.isScriptOrStyle()) return;
        for (Pattern pattern : STACKS) {
            String found = page.find(pattern);
            if (found != null) report.raise("", found);
            if (found != null) return;
        }
        String found = findPhp(page);
        if (found != null) report.raise("", found);
    }

    /** PHP says what kind of error first and where last; a few hundred characters may lie between. */
    private static String findPhp(Page page) {
        Matcher place = page.match(PHP_PLACE, page.text());
        for (int i = 0; i < 50 && place.find(); i++) {
            String before = page.text().substring(Math.max(0, place.start() - 400), place.start());
            if (page.find(PHP_KIND, before) != null) return place.group();
        }
        return null;
    }

    private static void database(Page page, Report report) {
        String found = page.isScriptOrStyle() ? null : DatabaseErrors.find(page);
        if (found != null) report.raise("", found);
    }

    private static void debugPage(Page page, Report report) {
        if (!page.isHtml()) return;
        for (List<String> signs : DEBUG_PAGES) if (signs.stream().allMatch(page.text()::contains)) report.raise("", signs.get(0));
    }

    /** Only where a browser would take it for markup: shown as text, it has references in place of the brackets. */
    private static void sourceCode(Page page, Report report) {
        String found = page.isHtml() ? page.find(SERVER_CODE) : null;
        if (found != null) report.raise("", found);
    }

    private static void listing(Page page, Report report) {
        String found = page.isDocument() ? page.find(LISTING) : null;
        if (found != null) report.raise("", found);
    }
}
