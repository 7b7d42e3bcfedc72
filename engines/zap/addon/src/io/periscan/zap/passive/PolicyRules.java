package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Content Security Policy (W3C CSP Level 3) and the right to frame a page. WSTG-CONF-12, WSTG-CLNT-09; ASVS 3.4.3, 3.4.6. */
final class PolicyRules {
    private static final String HEADER = "Content-Security-Policy";
    private static final String REPORT_ONLY = "Content-Security-Policy-Report-Only";
    private static final Set<String> ANY_SITE = Set.of("*", "http:", "https:", "data:", "http://*", "https://*");

    private PolicyRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910001, "Page without a Content Security Policy", Level.MEDIUM, Confidence.HIGH, 693, PolicyRules::missing),
                rule(910002, "Content Security Policy lets inline or foreign scripts run", Level.MEDIUM, Confidence.HIGH, 693, PolicyRules::weak),
                rule(910003, "Content Security Policy leaves gaps", Level.LOW, Confidence.HIGH, 693, PolicyRules::gaps),
                rule(910004, "Content Security Policy only reports", Level.LOW, Confidence.HIGH, 693, PolicyRules::reportsOnly),
                rule(910005, "Other sites may show the page in a frame", Level.MEDIUM, Confidence.HIGH, 1021, PolicyRules::framed),
                rule(910006, "X-Frame-Options has a value that browsers ignore", Level.MEDIUM, Confidence.HIGH, 1021, PolicyRules::frameOptions));
    }

    private static void missing(Page page, Report report) {
        if (page.isDocument() && policies(page).isEmpty() && page.header(REPORT_ONLY).isEmpty()) report.raise(HEADER, "");
    }

    private static void reportsOnly(Page page, Report report) {
        if (page.isDocument() && policies(page).isEmpty() && !page.header(REPORT_ONLY).isEmpty()) report.raise(REPORT_ONLY, page.header(REPORT_ONLY));
    }

    /** A browser obeys all policies of a page, so one good one is enough. */
    private static void weak(Page page, Report report) {
        List<Policy> policies = policies(page);
        if (page.isDocument() && !policies.isEmpty() && policies.stream().allMatch(PolicyRules::letsScriptsRun)) report.raise(HEADER, policies.get(0).text());
    }

    private static boolean letsScriptsRun(Policy policy) {
        List<String> sources = policy.get("script-src");
        if (sources == null) sources = policy.get("default-src");
        if (sources == null || sources.contains("'unsafe-eval'")) return true;
        boolean trustsByToken = sources.stream().anyMatch((source) -> source.startsWith("'nonce-") || source.startsWith("'sha"));
        if (sources.contains("'unsafe-inline'") && !trustsByToken) return true;
        return !sources.contains("'strict-dynamic'") && sources.stream().anyMatch(ANY_SITE::contains);
    }

    private static void gaps(Page page, Report report) {
        List<Policy> policies = policies(page);
        if (!page.isDocument() || policies.isEmpty() || policies.stream().allMatch(PolicyRules::letsScriptsRun)) return;
        List<String> missing = new ArrayList<>();
        for (String directive : List.of("object-src", "base-uri", "form-action"))
            if (policies.stream().noneMatch((policy) -> policy.restricts(directive))) missing.add(directive);
        if (!missing.isEmpty()) report.raise(HEADER + ": no " + String.join(", ", missing), policies.get(0).text());
    }

    private static void framed(Page page, Report report) {
        if (page.isDocument() && page.header("X-Frame-Options").isEmpty() && !hasFrameAncestors(page)) report.raise("X-Frame-Options", "");
    }

    private static void frameOptions(Page page, Report report) {
        String value = page.header("X-Frame-Options");
        if (page.isDocument() && !value.isEmpty() && !hasFrameAncestors(page) && !isFrameOption(value)) report.raise("X-Frame-Options", value);
    }

    /** RFC 7034; the same value twice counts as one, ALLOW-FROM is obeyed by no browser of today. */
    private static boolean isFrameOption(String value) {
        List<String> values = List.of(value.toUpperCase(Locale.ROOT).split("\\s*,\\s*"));
        return values.stream().allMatch("DENY"::equals) || values.stream().allMatch("SAMEORIGIN"::equals);
    }

    /** In a meta element frame-ancestors counts for nothing. */
    private static boolean hasFrameAncestors(Page page) {
        return parse(page.headers(HEADER)).stream().anyMatch((policy) -> policy.get("frame-ancestors") != null && !policy.get("frame-ancestors").contains("*"));
    }

    private static List<Policy> policies(Page page) {
        List<String> texts = new ArrayList<>(page.headers(HEADER));
        for (Tag tag : page.tags()) if (tag.is("meta") && tag.word("http-equiv").equals("content-security-policy")) texts.add(tag.text("content"));
        return parse(texts);
    }

    private static List<Policy> parse(List<String> texts) {
        List<Policy> policies = new ArrayList<>();
        for (String header : texts) for (String text : header.split(",")) if (!text.isBlank()) policies.add(Policy.parse(text));
        return policies;
    }

    private record Policy(String text, Map<String, List<String>> directives) {
        static Policy parse(String text) {
            Map<String, List<String>> directives = new HashMap<>();
            for (String part : text.split(";")) {
                List<String> words = List.of(part.strip().toLowerCase(Locale.ROOT).split("\\s+"));
                directives.putIfAbsent(words.get(0), words.subList(1, words.size()));
            }
            return new Policy(text.strip(), directives);
        }

        List<String> get(String directive) {
            return directives.get(directive);
        }

        /** Only object-src falls back to default-src. */
        boolean restricts(String directive) {
            return directives.containsKey(directive) || (directive.equals("object-src") && directives.containsKey("default-src"));
        }
    }
}
