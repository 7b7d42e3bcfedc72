package io.periscan.zap.active;

import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.util.ArrayList;
import java.util.List;

/**
 * A place of a page where a value of the request came back.
 *
 * @param tag the tag or comment that it stands in; null for text between tags
 * @param attribute the attribute that it stands in; null for anything else
 * @param quote the character around the attribute or, within a script, around the string; 0 where there is none
 */
record Reflection(Kind kind, Tag tag, Tag.Attribute attribute, char quote) {
    enum Kind {
        TEXT,
        COMMENT,
        /** Within title, textarea, style and the like: text, up to the end tag. */
        RAW_TEXT,
        ATTRIBUTE,
        SCRIPT
    }

    private static final int MOST = 20;

    /** Every place of the token, in the order of the page. */
    static List<Reflection> find(Page page, String token) {
        List<Reflection> found = new ArrayList<>();
        if (!page.isHtml()) return found;
        for (int at = page.text().indexOf(token); at >= 0 && found.size() < MOST; at = page.text().indexOf(token, at + token.length())) found.add(classify(page, at));
        return found;
    }

    private static Reflection classify(Page page, int at) {
        for (Tag tag : page.tags()) {
            if (tag.start() > at) break;
            if (tag.isComment() && at < tag.end()) return new Reflection(Kind.COMMENT, tag, null, (char) 0);
            if (at < tag.end()) return inTag(tag, at);
            if (at >= tag.contentStart() && at < tag.contentStart() + tag.content().length()) return inContent(tag, at);
        }
        return new Reflection(Kind.TEXT, null, null, (char) 0);
    }

    private static Reflection inTag(Tag tag, int at) {
        for (Tag.Attribute attribute : tag.attributes())
            if (at >= attribute.start() && at < attribute.end() + 1) return new Reflection(Kind.ATTRIBUTE, tag, attribute, attribute.quote());
        return new Reflection(Kind.ATTRIBUTE, tag, null, (char) 0);
    }

    private static Reflection inContent(Tag tag, int at) {
        boolean script = tag.is("script") && !tag.word("type").contains("json") && !tag.word("type").contains("template");
        if (!script) return new Reflection(Kind.RAW_TEXT, tag, null, (char) 0);
        return new Reflection(Kind.SCRIPT, tag, null, ScriptText.quoteAt(tag.content(), at - tag.contentStart()));
    }
}
