package io.periscan.zap.page;

/** The few character references that stand in addresses and attribute values. */
final class Entities {
    private Entities() {}

    static String decode(String text) {
        if (text.indexOf('&') < 0) return text;
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
    }
}
