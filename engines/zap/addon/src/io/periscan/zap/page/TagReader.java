package io.periscan.zap.page;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Reads the tags and comments of a page from its first character to its last, never back, so that its time grows with the page's length and
 * nothing else. It follows the tokenization of the HTML standard as far as the rules need it.
 */
final class TagReader {
    private static final int MOST_TAGS = 20_000;
    private static final int MOST_ATTRIBUTES = 60;
    private static final Set<String> WITHOUT_MARKUP = Set.of("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes");

    private final String text;
    private final List<Tag> tags = new ArrayList<>();
    private int at;

    private TagReader(String text) {
        this.text = text;
    }

    static List<Tag> read(String text) {
        TagReader reader = new TagReader(text);
        while (reader.tags.size() < MOST_TAGS && reader.readNext()) {}
        return List.copyOf(reader.tags);
    }

    private boolean readNext() {
        int start = text.indexOf('<', at);
        if (start < 0 || start + 1 >= text.length()) return false;
        char next = text.charAt(start + 1);
        if (text.startsWith("!--", start + 1)) readComment(start);
        else if (isLetter(next)) readTag(start, start + 1);
        else if (next == '/' && start + 2 < text.length() && isLetter(text.charAt(start + 2))) readTag(start, start + 2);
        else at = start + 1;
        return true;
    }

    private void readComment(int start) {
        int from = start + 4;
        int close = text.indexOf("-->", from);
        int to = close < 0 ? text.length() : close;
        at = close < 0 ? text.length() : close + 3;
        tags.add(new Tag("!--", List.of(), start, at, text.substring(Math.min(from, to), to), from));
    }

    private void readTag(int start, int nameStart) {
        at = nameStart;
        while (at < text.length() && !isSpace(text.charAt(at)) && text.charAt(at) != '/' && text.charAt(at) != '>') at++;
        boolean closing = nameStart == start + 2;
        String name = text.substring(nameStart, at).toLowerCase(Locale.ROOT);
        List<Tag.Attribute> attributes = readAttributes();
        if (at < text.length()) at++;
        int end = at;
        String content = "";
        if (!closing && WITHOUT_MARKUP.contains(name)) {
            at = findEnd(name, end);
            content = text.substring(end, at);
        }
        tags.add(new Tag(closing ? "/" + name : name, attributes, start, end, content, end));
    }

    /** Stops at the tag's `>`, or at the end of the page. */
    private List<Tag.Attribute> readAttributes() {
        List<Tag.Attribute> attributes = new ArrayList<>(4);
        for (;;) {
            while (at < text.length() && (isSpace(text.charAt(at)) || text.charAt(at) == '/')) at++;
            if (at >= text.length() || text.charAt(at) == '>') return List.copyOf(attributes);
            Tag.Attribute attribute = readAttribute();
            if (attributes.size() < MOST_ATTRIBUTES) attributes.add(attribute);
        }
    }

    private Tag.Attribute readAttribute() {
        int nameStart = at++;
        while (at < text.length() && !isSpace(text.charAt(at)) && "=/>".indexOf(text.charAt(at)) < 0) at++;
        String name = text.substring(nameStart, at).toLowerCase(Locale.ROOT);
        int afterName = at;
        while (at < text.length() && isSpace(text.charAt(at))) at++;
        if (at >= text.length() || text.charAt(at) != '=') {
            at = afterName;
            return new Tag.Attribute(name, "", at, at, (char) 0);
        }
        at++;
        while (at < text.length() && isSpace(text.charAt(at))) at++;
        return readValue(name);
    }

    private Tag.Attribute readValue(String name) {
        char quote = at < text.length() ? text.charAt(at) : 0;
        if (quote == '"' || quote == '\'') {
            int from = at + 1;
            int close = text.indexOf(quote, from);
            int to = close < 0 ? text.length() : close;
            at = close < 0 ? text.length() : close + 1;
            return new Tag.Attribute(name, text.substring(Math.min(from, to), to), from, to, quote);
        }
        int from = at;
        while (at < text.length() && !isSpace(text.charAt(at)) && text.charAt(at) != '>') at++;
        return new Tag.Attribute(name, text.substring(from, at), from, at, (char) 0);
    }

    private int findEnd(String name, int from) {
        for (int close = text.indexOf("</", from); close >= 0; close = text.indexOf("</", close + 2))
            if (text.regionMatches(true, close + 2, name, 0, name.length())) return close;
        return text.length();
    }

    private static boolean isLetter(char character) {
        return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
    }

    private static boolean isSpace(char character) {
        return character == ' ' || character == '\n' || character == '\t' || character == '\r' || character == '\f';
    }
}
