package io.periscan.zap.active;

/** Reads JavaScript as far as telling strings and comments from code. */
final class ScriptText {
    /** What `quoteAt` answers within a comment, where nothing runs. */
    static final char COMMENT = '/';

    private ScriptText() {}

    /** The quote of the string around that place; COMMENT within a comment; 0 in code. */
    static char quoteAt(String script, int place) {
        char open = 0;
        for (int i = 0; i < place; i++) {
            char character = script.charAt(i);
            if (open != 0) {
                if (character == '\\') i++;
                else if (character == open || (character == '\n' && open != '`')) open = 0;
            } else if (character == '"' || character == '\'' || character == '`') {
                open = character;
            } else if (character == '/' && i + 1 < script.length() && (script.charAt(i + 1) == '/' || script.charAt(i + 1) == '*')) {
                int end = script.charAt(i + 1) == '/' ? script.indexOf('\n', i) : script.indexOf("*/", i + 2);
                if (end < 0 || end >= place) return COMMENT;
                i = end;
            }
        }
        return open;
    }

    /** Whether the text stands in the script as code, somewhere. */
    static boolean isCode(String script, String text) {
        for (int at = script.indexOf(text); at >= 0; at = script.indexOf(text, at + 1)) if (quoteAt(script, at) == 0) return true;
        return false;
    }
}
