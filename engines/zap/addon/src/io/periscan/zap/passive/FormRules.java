package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Form;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.util.List;
import java.util.regex.Pattern;

/** Forms: where they go, how, and whether somebody else's page could send them. WSTG-ATHN-01, WSTG-SESS-05, WSTG-CONF-07; ASVS 3.5, 12.2, 14.2.1. */
final class FormRules {
    private static final Pattern TOKEN_NAME = Pattern.compile("(?i)csrf|xsrf|token|nonce|authenticity|verification|form_key|form_build_id|state");
    private static final int SHORTEST_TOKEN = 8;

    private FormRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910031, "Form of an HTTPS page is sent over HTTP", Level.MEDIUM, Confidence.HIGH, 319, FormRules::sentOpenly),
                rule(910032, "Password field on a page without encryption", Level.MEDIUM, Confidence.HIGH, 319, FormRules::passwordOverHttp),
                rule(910033, "Form puts a password into the address", Level.MEDIUM, Confidence.HIGH, 598, FormRules::passwordInAddress),
                // Low: browsers that treat cookies as SameSite=Lax by default stop the usual attack.
                rule(910034, "Form without a token against forged requests", Level.LOW, Confidence.LOW, 352, FormRules::forgeable));
    }

    private static void sentOpenly(Page page, Report report) {
        if (page.https()) for (Form form : Form.of(page)) if (form.goesOverHttp()) report.raise(form.action(), form.action());
    }

    private static void passwordOverHttp(Page page, Report report) {
        if (page.https()) return;
        for (Tag tag : page.tags()) if (tag.is("input") && tag.word("type").equals("password")) report.raise(nameOf(tag), "type=" + quoted(tag));
    }

    private static String quoted(Tag input) {
        for (Tag.Attribute attribute : input.attributes())
            if (attribute.name().equals("type")) return attribute.quote() == 0 ? attribute.value() : attribute.quote() + attribute.value() + attribute.quote();
        return "";
    }

    private static void passwordInAddress(Page page, Report report) {
        for (Form form : Form.of(page))
            if (!form.isPost() && !form.tag().word("method").equals("dialog") && form.hasPassword()) report.raise(nameOf(form.tag()), form.action());
    }

    private static void forgeable(Page page, Report report) {
        if (hasTokenElsewhere(page)) return;
        for (Form form : Form.of(page))
            if (form.isPost() && !isForeign(form, page) && form.fields().stream().noneMatch(FormRules::isToken)) report.raise(nameOf(form.tag()), form.action());
    }

    /** Pages whose scripts send the token keep it in a meta element. */
    private static boolean hasTokenElsewhere(Page page) {
        return page.tags().stream().anyMatch((tag) -> tag.is("meta") && TOKEN_NAME.matcher(tag.text("name")).find() && tag.text("content").length() >= SHORTEST_TOKEN);
    }

    private static boolean isToken(Tag field) {
        return field.word("type").equals("hidden") && TOKEN_NAME.matcher(nameOf(field)).find() && field.text("value").length() >= SHORTEST_TOKEN;
    }

    /** A form of another site's, such as a payment page, has no token of this site. */
    private static boolean isForeign(Form form, Page page) {
        String action = form.action();
        return action.matches("(?i)(https?:)?//.*") && !action.replaceFirst("(?i)^(https?:)?//", "").startsWith(page.host());
    }

    private static String nameOf(Tag tag) {
        return tag.has("name") ? tag.text("name") : tag.text("id");
    }
}
