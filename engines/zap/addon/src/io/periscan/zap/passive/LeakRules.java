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
import org.parosproxy.paros.network.HtmlParameter;

/** What pages and addresses say that is nobody's business. WSTG-INFO-05, WSTG-CONF-04, WSTG-SESS-04; ASVS 14.2.1, 13.4. */
final class LeakRules {
    private static final Pattern PRIVATE_ADDRESS = Pattern.compile(
            "(?<![\\w.-])(?:10(?:\\.\\d{1,3}){3}|192\\.168(?:\\.\\d{1,3}){2}|172\\.(?:1[6-9]|2\\d|3[01])(?:\\.\\d{1,3}){2})(?!\\.?\\d|/\\d|-\\d)");

    private static final Set<String> PASSWORDS = Set.of("password", "passwd", "pwd", "pass", "passphrase", "secret", "client_secret");
    private static final Set<String> TOKENS = Set.of(
            "token", "access_token", "refresh_token", "id_token", "api_key", "apikey", "session", "sessionid", "session_id", "sid", "jsessionid", "phpsessid", "auth", "jwt");
    private static final int SHORTEST_PASSWORD = 4;
    private static final int SHORTEST_TOKEN = 10;
    private static final Pattern SESSION_IN_PATH = Pattern.compile("(?i);jsessionid=[^/?#;]{6,200}");

    private static final Pattern TALKING = Pattern.compile("(?i)\\b(?:todo|fixme|hack|xxx|passwords?|passwd|backdoor|credentials?|vulnerab\\w{1,10}|insecure)\\b");
    /** A name, an at sign, a host of two labels or more: each part bounded and begun at its own border, so that no text is read twice. */
    private static final Pattern MAIL = Pattern.compile("(?<![\\w.+%-])[A-Za-z0-9][\\w.+%-]{0,63}+@(?:[A-Za-z0-9-]{1,63}+\\.){1,5}[A-Za-z]{2,24}(?![\\w@])");
    private static final Pattern FILE_NAME = Pattern.compile("(?i)\\.(?:png|jpe?g|gif|svg|webp|js|css|map)$");
    private static final int MOST_MAILS = 100;
    private static final Pattern SOURCE_MAP = Pattern.compile("//[#@] ?sourceMappingURL=(?!data:)[^\\s*\"'<>]{1,200}");
    private static final Pattern PLACE = Pattern.compile(
            "(?<![\\w\"'=/.>)-])/(?:home/[\\w.-]{1,40}|var/www|srv/www|usr/local/lib|usr/share/nginx|opt/[\\w.-]{1,40})/[\\w./-]{2,200}|(?<![\\w\"'=])[C-E]:\\\\{1,2}(?:inetpub|Users|Windows|xampp|wamp|Program Files)\\\\[\\w .\\\\-]{2,200}");

    private LeakRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910047, "Page names an address of the internal network", Level.LOW, 200, LeakRules::privateAddress),
                rule(910048, "Password or session in the address", Level.MEDIUM, 598, LeakRules::inAddress),
                rule(910049, "Comment says more than visitors should know", Level.NONE, Confidence.LOW, 615, LeakRules::comments),
                rule(910050, "Page holds e-mail addresses", Level.NONE, 200, LeakRules::mails),
                rule(910051, "Script names its source map", Level.NONE, Confidence.HIGH, 540, LeakRules::sourceMap),
                rule(910052, "Page names folders of the server", Level.LOW, 200, LeakRules::places));
    }

    private static void privateAddress(Page page, Report report) {
        Matcher address = page.match(PRIVATE_ADDRESS, page.text());
        for (int i = 0; i < 100 && address.find(); i++) if (isAddress(address.group()) && !address.group().equals(page.host())) report.raise("", address.group());
    }

    private static boolean isAddress(String text) {
        for (String number : text.split("\\.")) if (Integer.parseInt(number) > 255) return false;
        return true;
    }

    private static void inAddress(Page page, Report report) {
        for (HtmlParameter parameter : page.message().getUrlParams()) {
            String name = parameter.getName().toLowerCase(Locale.ROOT).replace('-', '_');
            int length = parameter.getValue().length();
            if ((PASSWORDS.contains(name) && length >= SHORTEST_PASSWORD) || (TOKENS.contains(name) && length >= SHORTEST_TOKEN)) report.raise(parameter.getName(), "");
        }
        if (page.find(SESSION_IN_PATH, page.url()) != null) report.raise("jsessionid", "");
    }

    private static void comments(Page page, Report report) {
        for (Tag tag : page.tags()) {
            String word = tag.isComment() ? page.find(TALKING, tag.content()) : null;
            if (word != null) report.raise(word, tag.content().strip());
        }
    }

    private static void mails(Page page, Report report) {
        if (page.isScriptOrStyle()) return;
        Matcher mail = page.match(MAIL, page.text());
        for (int i = 0; i < MOST_MAILS && mail.find(); i++) if (!FILE_NAME.matcher(mail.group()).find()) report.raise("", mail.group());
    }

    private static void sourceMap(Page page, Report report) {
        String found = page.isScriptOrStyle() && page.isOk() ? page.find(SOURCE_MAP) : null;
        if (found != null) report.raise("", found);
    }

    private static void places(Page page, Report report) {
        String found = page.isScriptOrStyle() ? null : page.find(PLACE);
        if (found != null) report.raise("", found);
    }
}
