package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Cookie;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.parosproxy.paros.network.HtmlParameter;

/**
 * Secrets and the like in answers. WSTG-CONF-04, WSTG-INFO-05, WSTG-SESS-10; ASVS 9.1, 13.3, 14.2. An alert holds the beginning of a secret
 * alone: enough to find it by, not enough to use.
 */
final class SecretRules {
    private static final Pattern CARD = Pattern.compile("(?<![\\w.=\"'/-])[2-6]\\d{3}[ -]?\\d{4,6}[ -]?\\d{4,5}(?:[ -]?\\d{4})?(?![\\w-]|\\.\\d)");
    /** Numbers that payment services publish for tests. */
    private static final Set<String> TEST_CARDS = Set.of(
            "4111111111111111", "4242424242424242", "4012888888881881", "4000056655665556", "5555555555554444", "5105105105105100", "2223003122003222", "378282246310005", "371449635398431", "6011111111111117", "30569309025904", "3056930009020004", "3530111333300000");

    private static final Pattern PRIVATE_KEY = Pattern.compile("-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----");

    /**
     * A key whose owner gave it a shape of its own, so that it is told from other text.
     *
     * @param begins what such keys begin with; a page without any of it is not searched
     */
    private record Key(String owner, List<String> begins, Pattern shape) {}

    private static final List<Key> KEYS = List.of(
            new Key("AWS access key", List.of("AKIA", "ASIA"), Pattern.compile("(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9/+])")),
            new Key("GitHub token", List.of("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), Pattern.compile("(?<![\\w-])gh[pousr]_[A-Za-z0-9]{36}(?![\\w-])")),
            new Key("GitHub token", List.of("github_pat_"), Pattern.compile("github_pat_[A-Za-z0-9_]{82}(?![\\w-])")),
            new Key("GitLab token", List.of("glpat-"), Pattern.compile("glpat-[\\w-]{20}(?![\\w-])")),
            new Key("Slack token", List.of("xox"), Pattern.compile("xox[abprs]-\\d{6,15}-[\\w-]{10,80}")),
            new Key("Stripe secret key", List.of("k_live_"), Pattern.compile("(?<![\\w-])[sr]k_live_[0-9A-Za-z]{20,100}")),
            new Key("SendGrid key", List.of("SG."), Pattern.compile("SG\\.[\\w-]{22}\\.[\\w-]{43}(?![\\w-])")),
            new Key("npm token", List.of("npm_"), Pattern.compile("npm_[A-Za-z0-9]{36}(?![\\w-])")),
            new Key("Azure storage key", List.of("AccountKey="), Pattern.compile("AccountKey=[A-Za-z0-9+/]{86}==")));

    private static final List<Pattern> DATABASE_LOGINS = List.of(
            Pattern.compile("(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\\+srv)?|rediss?|amqps?)://[^\\s:@/\"'<]{1,60}:[^\\s:@/\"'<]{1,100}@"),
            Pattern.compile("jdbc:[a-z]{2,20}:[^\\s\"'<?;]{1,150}+[?;][^\\s\"'<]{0,100}?(?:password|pwd)=[^\\s\"'<&;]"),
            Pattern.compile("(?:Data Source|Server)=[^;\"'<\\n]{1,100}+;[^\"'<\\n]{0,100}?(?:Password|Pwd)=[^;\"'<\\s]"));

    private static final Pattern JWT = Pattern.compile("(?<![\\w-])(eyJ[\\w-]{5,500}+)\\.eyJ[\\w-]{2,2000}+\\.");
    private static final Pattern NO_ALGORITHM = Pattern.compile("(?i)\"alg\"\\s{0,5}:\\s{0,5}\"none\"");

    /** How serialized objects begin: Java in Base64, PHP, Python's pickle in Base64. */
    private static final Pattern SERIALIZED = Pattern.compile("^(?:rO0AB[\\w+/=]{4}|O:\\d{1,4}:\"[\\w\\\\]{1,200}\":\\d|gAS[\\w+/=]{8})");

    private SecretRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910053, "Page holds a payment card number", Level.MEDIUM, Confidence.LOW, 359, SecretRules::cards),
                rule(910054, "Page holds a private key", Level.HIGH, Confidence.HIGH, 312, SecretRules::privateKey),
                rule(910055, "Page holds an access key of a cloud service", Level.HIGH, 312, SecretRules::keys),
                rule(910056, "Page holds a login of a database", Level.HIGH, 312, SecretRules::databaseLogin),
                rule(910057, "Token that says it needs no signature", Level.MEDIUM, Confidence.HIGH, 347, SecretRules::unsignedToken),
                rule(910058, "Serialized object travels through the browser", Level.MEDIUM, 502, SecretRules::serialized));
    }

    private static void cards(Page page, Report report) {
        if (page.isScriptOrStyle()) return;
        Matcher card = page.match(CARD, page.text());
        while (card.find()) {
            String digits = card.group().replaceAll("[ -]", "");
            if (isCard(digits) && !TEST_CARDS.contains(digits)) report.raise("", card.group().substring(0, 6));
        }
    }

    /** A brand's first digits and length, and the check digit of ISO/IEC 7812. */
    private static boolean isCard(String digits) {
        boolean branded = digits.matches("4\\d{15}|5[1-5]\\d{14}|2(?:2[3-9]|[3-6]\\d|7[01])\\d{13}|3[47]\\d{13}|6011\\d{12}|65\\d{14}");
        int sum = 0;
        for (int i = 0; i < digits.length(); i++) {
            int digit = digits.charAt(digits.length() - 1 - i) - '0';
            int weighed = i % 2 == 0 ? digit : digit * 2;
            sum += weighed > 9 ? weighed - 9 : weighed;
        }
        return branded && sum % 10 == 0 && digits.chars().distinct().count() > 3;
    }

    private static void privateKey(Page page, Report report) {
        String found = page.find(PRIVATE_KEY);
        if (found != null) report.raise("", found);
    }

    private static void keys(Page page, Report report) {
        for (Key key : KEYS) {
            String found = key.begins.stream().anyMatch(page.text()::contains) ? page.find(key.shape) : null;
            if (found != null && !found.endsWith("EXAMPLE")) report.raise(key.owner, found.substring(0, 8));
        }
    }

    private static void databaseLogin(Page page, Report report) {
        for (Pattern login : DATABASE_LOGINS) {
            String found = page.find(login);
            if (found != null) report.raise("", found.substring(0, Math.min(12, found.length())));
        }
    }

    private static void unsignedToken(Page page, Report report) {
        look(page, page.text(), "", report);
        for (Cookie cookie : page.cookies()) look(page, cookie.value() + " ", cookie.name(), report);
    }

    private static void look(Page page, String text, String param, Report report) {
        Matcher token = page.match(JWT, text);
        for (int i = 0; i < 50 && token.find(); i++) if (saysNone(token.group(1))) report.raise(param, token.group(1));
    }

    private static boolean saysNone(String header) {
        try {
            return NO_ALGORITHM.matcher(new String(Base64.getUrlDecoder().decode(header), StandardCharsets.UTF_8)).find();
        } catch (IllegalArgumentException noBase64) {
            return false;
        }
    }

    private static void serialized(Page page, Report report) {
        for (Cookie cookie : page.cookies()) lookAt(page, decode(cookie.value()), cookie.name(), report);
        for (HtmlParameter parameter : page.message().getUrlParams()) lookAt(page, parameter.getValue(), parameter.getName(), report);
        for (Tag tag : page.tags()) if (tag.is("input") && tag.word("type").equals("hidden")) lookAt(page, tag.text("value"), tag.text("name"), report);
    }

    private static void lookAt(Page page, String value, String param, Report report) {
        String found = page.find(SERIALIZED, value);
        if (found != null) report.raise(param, found);
    }

    private static String decode(String value) {
        try {
            return URLDecoder.decode(value, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException notEncoded) {
            return value;
        }
    }
}
