package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Cookie;
import io.periscan.zap.page.Page;
import java.util.List;
import java.util.Locale;
import java.util.function.BiPredicate;

/**
 * Attributes of cookies (RFC 6265 and its successor, "6265bis"). WSTG-SESS-02; ASVS 3.3. What protects a login is asked of the cookies that look
 * like one alone: a cookie for the language needs no protection from the site's own scripts.
 */
final class CookieRules {
    private CookieRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910023, "Cookie without Secure", Level.LOW, Confidence.HIGH, 614, each((page, cookie) -> page.https() && !cookie.has("secure") && !isNoneWithoutSecure(cookie))),
                rule(910024, "Session cookie without HttpOnly", Level.LOW, 1004, each((page, cookie) -> cookie.isSession() && !cookie.has("httponly"))),
                rule(910025, "Session cookie without SameSite", Level.LOW, 1275, each((page, cookie) -> cookie.isSession() && !cookie.has("samesite"))),
                rule(910026, "Cookie for all sites (SameSite=None) without Secure", Level.LOW, Confidence.HIGH, 1275, each((page, cookie) -> isNoneWithoutSecure(cookie))),
                rule(910027, "Session cookie goes to every host of the domain", Level.LOW, 668, each(CookieRules::isWide)),
                rule(910028, "Cookie breaks the promise of its name's prefix", Level.LOW, Confidence.HIGH, 565, each((page, cookie) -> breaksPrefix(cookie))));
    }

    private static Check each(BiPredicate<Page, Cookie> isFault) {
        return (page, report) -> {
            for (Cookie cookie : page.cookies()) if (isFault.test(page, cookie)) report.raise(cookie.name(), withoutValue(cookie));
        };
    }

    /** The value is somebody's session, which is no business of a report's. */
    private static String withoutValue(Cookie cookie) {
        return cookie.name() + "=";
    }

    private static boolean isNoneWithoutSecure(Cookie cookie) {
        return cookie.word("samesite").equals("none") && !cookie.has("secure");
    }

    /** A Domain that is the very host still gives the cookie to all names below it; one that is above gives it to the neighbours too. */
    private static boolean isWide(Page page, Cookie cookie) {
        String domain = cookie.word("domain").replaceFirst("^\\.", "");
        return cookie.isSession() && !domain.isEmpty() && !domain.equals(page.host()) && page.host().endsWith("." + domain);
    }

    private static boolean breaksPrefix(Cookie cookie) {
        String name = cookie.name().toLowerCase(Locale.ROOT);
        if (name.startsWith("__secure-")) return !cookie.has("secure");
        return name.startsWith("__host-") && (!cookie.has("secure") || cookie.has("domain") || !cookie.word("path").equals("/"));
    }
}
