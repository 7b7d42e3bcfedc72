package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Page;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.parosproxy.paros.network.HtmlParameter;

/** Redirects. WSTG-CLNT-04, WSTG-ATHZ-02; ASVS 3.7.2. */
final class RedirectRules {
    /** A redirect needs a sentence for old browsers, not a page. */
    private static final int LONG_BODY = 2000;

    private RedirectRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910040, "Redirect goes where a parameter of the request says", Level.LOW, Confidence.LOW, 601, RedirectRules::toParameter),
                rule(910041, "Redirect carries the page that it leads away from", Level.LOW, 698, RedirectRules::withPage));
    }

    private static void toParameter(Page page, Report report) {
        String location = page.header("Location");
        if (!page.isRedirect() || !location.matches("(?i)(https?:)?//.+") || isOwn(location, page)) return;
        for (HtmlParameter parameter : page.message().getUrlParams()) if (location.equals(parameter.getValue())) report.raise(parameter.getName(), location);
    }

    private static boolean isOwn(String location, Page page) {
        return location.toLowerCase(Locale.ROOT).replaceFirst("^(https?:)?//", "").matches(Pattern.quote(page.host()) + "([:/?#].*)?");
    }

    private static void withPage(Page page, Report report) {
        if (!page.isRedirect() || !page.isHtml()) return;
        boolean fields = page.tags().stream().anyMatch((tag) -> tag.is("form") || tag.is("table"));
        if (fields || page.text().length() > LONG_BODY) report.raise("Location", page.header("Location"));
    }
}
