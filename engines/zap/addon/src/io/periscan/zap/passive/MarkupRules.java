package io.periscan.zap.passive;

import static io.periscan.zap.passive.PassiveRules.rule;

import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What a page loads, and from where. WSTG-CRYP-03, WSTG-CLNT-14; ASVS 3.6.1, 12.2. */
final class MarkupRules {
    /** Elements whose content acts within the page, by the attribute that names it. */
    private static final Map<String, String> ACTIVE =
            Map.of("script", "src", "iframe", "src", "frame", "src", "embed", "src", "object", "data", "link", "href");

    private static final Set<String> SHOWN = Set.of("img", "audio", "video", "source", "track");
    private static final Set<String> LOADED_LINKS = Set.of("stylesheet", "manifest", "preload", "modulepreload", "import");

    private MarkupRules() {}

    static List<PassiveRule> all() {
        return List.of(
                rule(910029, "HTTPS page loads scripts, styles or frames over HTTP", Level.MEDIUM, Confidence.HIGH, 319, MarkupRules::activeMix),
                rule(910030, "HTTPS page shows images or media over HTTP", Level.LOW, Confidence.HIGH, 319, MarkupRules::passiveMix));
    }

    private static void activeMix(Page page, Report report) {
        if (!page.https()) return;
        for (Tag tag : page.tags()) {
            String attribute = ACTIVE.get(tag.name());
            if (attribute == null || (tag.is("link") && !loads(tag))) continue;
            if (isOpen(tag.text(attribute))) report.raise(tag.name(), tag.text(attribute));
        }
    }

    private static boolean loads(Tag link) {
        for (String relation : link.word("rel").split("\\s+")) if (LOADED_LINKS.contains(relation)) return true;
        return false;
    }

    private static void passiveMix(Page page, Report report) {
        if (!page.https()) return;
        for (Tag tag : page.tags()) if (SHOWN.contains(tag.name()) && isOpen(tag.text("src"))) report.raise(tag.name(), tag.text("src"));
    }

    private static boolean isOpen(String address) {
        return address.toLowerCase(Locale.ROOT).startsWith("http://");
    }
}
