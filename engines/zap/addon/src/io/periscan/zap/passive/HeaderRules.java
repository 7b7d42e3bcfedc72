package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Headers that tell a browser to be careful, and headers that say too much. WSTG-CONF-07, -08, -14, WSTG-INFO-02; ASVS 3.4. */
final class HeaderRules {
    private static final Pattern MAX_AGE = Pattern.compile("(?i)max-age\\s{0,5}=\\s{0,5}\"?(\\d{1,12})");
    /** Half a year, the least that lists of preloaded sites and ASVS's year leave room for. */
    private static final long SHORTEST_MAX_AGE_SECONDS = 15_552_000;

    private static final Pattern ADDRESS = Pattern.compile("\\[.*|\\d{1,3}(\\.\\d{1,3}){3}|.*:.*");
    private static final Pattern VERSION = Pattern.compile("/\\d|\\d\\.\\d");
    private static final Set<String> TELLTALES = Set.of("X-Powered-By", "X-AspNet-Version", "X-AspNetMvc-Version", "X-Generator", "X-Runtime-Version");
    /** The values of the Referrer Policy that send whole addresses to other sites. */
    private static final Set<String> TALKATIVE = Set.of("unsafe-url", "no-referrer-when-downgrade");

    private HeaderRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910007, "X-Content-Type-Options is missing", Level.LOW, Confidence.HIGH, 693, HeaderRules::sniffing),
                rule(910008, "Strict-Transport-Security is missing", Level.LOW, Confidence.HIGH, 319, HeaderRules::noStrictTransport),
                rule(910009, "Strict-Transport-Security is switched off or short", Level.LOW, Confidence.HIGH, 319, HeaderRules::shortStrictTransport),
                rule(910010, "Referrer-Policy is missing", Level.NONE, Confidence.HIGH, 200, HeaderRules::noReferrerPolicy),
                rule(910011, "Referrer-Policy sends whole addresses to other sites", Level.LOW, Confidence.HIGH, 200, HeaderRules::talkativeReferrer),
                rule(910012, "Permissions-Policy is missing", Level.NONE, Confidence.HIGH, 693, HeaderRules::noPermissionsPolicy),
                rule(910013, "Cross-Origin-Opener-Policy is missing", Level.NONE, Confidence.HIGH, 346, HeaderRules::noOpenerPolicy),
                rule(910014, "Server header names a version", Level.LOW, Confidence.HIGH, 200, HeaderRules::serverVersion),
                rule(910015, "A header names the technology behind the site", Level.LOW, Confidence.HIGH, 200, HeaderRules::technology));
    }

    private static void sniffing(Page page, Report report) {
        if (page.isOk() && !page.text().isBlank() && !page.header("X-Content-Type-Options").toLowerCase(Locale.ROOT).contains("nosniff"))
            report.raise("X-Content-Type-Options", page.header("X-Content-Type-Options"));
    }

    /** Browsers ignore the header for an address without a name (RFC 6797, 8.1.1). */
    private static boolean heedsStrictTransport(Page page) {
        return page.https() && page.isDocument() && !ADDRESS.matcher(page.host()).matches();
    }

    private static void noStrictTransport(Page page, Report report) {
        if (heedsStrictTransport(page) && page.header("Strict-Transport-Security").isEmpty()) report.raise("Strict-Transport-Security", "");
    }

    private static void shortStrictTransport(Page page, Report report) {
        String value = page.header("Strict-Transport-Security");
        if (!heedsStrictTransport(page) || value.isEmpty()) return;
        Matcher age = MAX_AGE.matcher(value);
        if (!age.find() || Long.parseLong(age.group(1)) < SHORTEST_MAX_AGE_SECONDS) report.raise("Strict-Transport-Security", value);
    }

    /** Of several values a browser takes the last that it knows, so the last one counts here. */
    private static String referrerPolicy(Page page) {
        String value = page.header("Referrer-Policy");
        for (Tag tag : page.tags()) if (tag.is("meta") && tag.word("name").equals("referrer")) value = tag.text("content");
        return value.substring(value.lastIndexOf(',') + 1).strip().toLowerCase(Locale.ROOT);
    }

    private static void noReferrerPolicy(Page page, Report report) {
        if (page.isDocument() && referrerPolicy(page).isEmpty()) report.raise("Referrer-Policy", "");
    }

    private static void talkativeReferrer(Page page, Report report) {
        String policy = page.isDocument() ? referrerPolicy(page) : "";
        if (TALKATIVE.contains(policy)) report.raise("Referrer-Policy", policy);
    }

    private static void noPermissionsPolicy(Page page, Report report) {
        if (page.isDocument() && page.header("Permissions-Policy").isEmpty()) report.raise("Permissions-Policy", "");
    }

    private static void noOpenerPolicy(Page page, Report report) {
        if (page.isDocument() && page.header("Cross-Origin-Opener-Policy").isEmpty()) report.raise("Cross-Origin-Opener-Policy", "");
    }

    private static void serverVersion(Page page, Report report) {
        String server = page.header("Server");
        if (VERSION.matcher(server).find()) report.raise("Server", server);
    }

    private static void technology(Page page, Report report) {
        for (String name : TELLTALES) if (!page.header(name).isEmpty()) report.raise(name, page.header(name));
    }
}
