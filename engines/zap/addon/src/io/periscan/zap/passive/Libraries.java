package io.periscan.zap.passive;

import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Widely used JavaScript libraries, told by the address that they are loaded from or by the comment at their head. */
final class Libraries {
    /**
     * @param file how an address names it, before or after the version
     * @param banner what its own head says before the version
     * @param ranges pairs of versions: from the first, below the second
     * @param advisories the CVE entries that the ranges come from
     */
    private record Library(String name, Pattern file, Pattern banner, List<String> ranges, String advisories) {}

    private static final String VERSION = "(\\d{1,3}\\.\\d{1,3}(?:\\.\\d{1,3})?)";

    private static final List<Library> KNOWN = List.of(
            library("jQuery", "jquery", "jQuery(?: JavaScript Library)? v", "CVE-2020-11022, CVE-2020-11023", "1.2", "3.5.0"),
            library("jQuery UI", "jquery[-.]?ui", "jQuery UI(?: -)? v?", "CVE-2022-31160", "0.0", "1.13.2"),
            library("Bootstrap", "bootstrap", "Bootstrap(?:\\.js)? v", "CVE-2019-8331", "0.0", "3.4.1", "4.0", "4.3.1"),
            library("AngularJS", "angular(?:js)?", "AngularJS v", "CVE-2022-25869", "1.0", "2.0"),
            library("Lodash", "lodash", "(?i:lodash) v?", "CVE-2021-23337", "0.0", "4.17.21"),
            library("Underscore.js", "underscore", "Underscore\\.js ", "CVE-2021-23358", "1.3.2", "1.12.1"),
            library("Moment.js", "moment", "moment\\.js\\s{1,4}//! version : ", "CVE-2022-31129", "2.18.0", "2.29.4"),
            library("Handlebars", "handlebars", "handlebars v", "CVE-2021-23369", "0.0", "4.7.7"),
            library("DOMPurify", "(?:dom)?purify", "DOMPurify ", "CVE-2024-45801", "0.0", "2.5.4", "3.0", "3.1.3"));

    /** A banner stands at the head of a file, or of one of the files that were packed into it. */
    private static final int MOST_BANNERS = 20;

    private Libraries() {}

    private static Library library(String name, String file, String banner, String advisories, String... ranges) {
        String end = "(?:[./-](?:slim|min|umd|bundle|all|core))*";
        Pattern address = Pattern.compile("(?i)(?:/|^)" + file + "(?:[-@/]v?" + VERSION + "(?:[./?-]|$)|" + end + "\\.js\\?(?:v|ver|version)=" + VERSION + "(?!\\d))");
        return new Library(name, address, Pattern.compile(banner + VERSION), List.of(ranges), advisories);
    }

    static void find(Page page, BiConsumer<String, String> raise) {
        for (Library library : KNOWN) {
            for (Tag tag : page.tags()) if (tag.is("script") && tag.has("src")) look(library, page.match(library.file, tag.text("src")), tag.text("src"), raise);
            if (page.isScriptOrStyle()) look(library, page.match(library.banner, page.text()), null, raise);
        }
    }

    private static void look(Library library, Matcher matcher, String evidence, BiConsumer<String, String> raise) {
        for (int i = 0; i < MOST_BANNERS && matcher.find(); i++) {
            String version = matcher.group(1) != null ? matcher.group(1) : matcher.group(2);
            if (isVulnerable(library, version)) raise.accept(library.name + " " + version + " (" + library.advisories + ")", evidence == null ? matcher.group() : evidence);
        }
    }

    private static boolean isVulnerable(Library library, String version) {
        for (int i = 0; i < library.ranges.size(); i += 2)
            if (compare(version, library.ranges.get(i)) >= 0 && compare(version, library.ranges.get(i + 1)) < 0) return true;
        return false;
    }

    private static int compare(String one, String other) {
        String[] left = one.split("\\.");
        String[] right = other.split("\\.");
        for (int i = 0; i < 3; i++) {
            int difference = (i < left.length ? Integer.parseInt(left[i]) : 0) - (i < right.length ? Integer.parseInt(right[i]) : 0);
            if (difference != 0) return difference;
        }
        return 0;
    }
}
