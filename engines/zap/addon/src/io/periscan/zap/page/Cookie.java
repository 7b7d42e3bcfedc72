package io.periscan.zap.page;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A cookie that an answer sets.
 *
 * @param attributes by name in lower case
 */
public record Cookie(String name, String value, Map<String, String> attributes, String line) {
    private static final Pattern SESSION_NAME = Pattern.compile("(?i)sess|^sid$|[._-]sid$|auth|token|jwt|remember|login");
    private static final Pattern READ_BY_SCRIPTS = Pattern.compile("(?i)csrf|xsrf");

    static Cookie parse(String line) {
        String[] parts = line.split(";", 40);
        String[] pair = parts[0].split("=", 2);
        Map<String, String> attributes = new LinkedHashMap<>();
        for (int i = 1; i < parts.length; i++) {
            String[] attribute = parts[i].strip().split("=", 2);
            attributes.put(attribute[0].strip().toLowerCase(Locale.ROOT), attribute.length > 1 ? attribute[1].strip() : "");
        }
        return new Cookie(pair[0].strip(), pair.length > 1 ? pair[1].strip() : "", attributes, line);
    }

    public boolean has(String attribute) {
        return attributes.containsKey(attribute);
    }

    public String word(String attribute) {
        return attributes.getOrDefault(attribute, "").toLowerCase(Locale.ROOT);
    }

    /** Takes a cookie away instead of setting one. */
    public boolean isRemoval() {
        return value.isEmpty() || value.equals("deleted") || word("max-age").matches("0|-\\d{1,9}") || word("expires").contains("1970");
    }

    /** Looks like what keeps a user logged in; a token against forged requests is meant for scripts and is none. */
    public boolean isSession() {
        return isSessionName(name);
    }

    public static boolean isSessionName(String name) {
        return SESSION_NAME.matcher(name).find() && !READ_BY_SCRIPTS.matcher(name).find();
    }
}
