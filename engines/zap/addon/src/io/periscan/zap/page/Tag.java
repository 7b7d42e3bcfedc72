package io.periscan.zap.page;

import java.util.List;
import java.util.Locale;

/**
 * A start or end tag, or a comment, and where it stands in the page.
 *
 * @param name in lower case; "/form" for an end tag, "!--" for a comment
 * @param end the place after its last character
 * @param content what an element without markup inside it (script, style, title, textarea) holds, and the text of a comment; else empty
 * @param contentStart where `content` begins
 */
public record Tag(String name, List<Attribute> attributes, int start, int end, String content, int contentStart) {
    /**
     * @param name in lower case
     * @param value as it stands in the page, references not resolved
     * @param quote the character around the value; 0 where there is none
     */
    public record Attribute(String name, String value, int start, int end, char quote) {}

    public boolean is(String wanted) {
        return name.equals(wanted);
    }

    public boolean isComment() {
        return name.equals("!--");
    }

    public boolean has(String attribute) {
        return get(attribute) != null;
    }

    /** The value of the first attribute of that name; null where there is none. */
    public String get(String attribute) {
        for (Attribute one : attributes) if (one.name().equals(attribute)) return Entities.decode(one.value());
        return null;
    }

    /** The value, trimmed; empty where there is none. */
    public String text(String attribute) {
        String value = get(attribute);
        return value == null ? "" : value.strip();
    }

    /** The value, trimmed and in lower case; empty where there is none. */
    public String word(String attribute) {
        return text(attribute).toLowerCase(Locale.ROOT);
    }
}
