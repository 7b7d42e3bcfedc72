package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An old copy of a program of the site, which the server hands out as text. WSTG-CONF-04. Proven by source code that the page itself does not show. */
public final class BackupRule extends PageRule {
    private static final int MOST_FILES = 40;
    private static final Pattern PROGRAM = Pattern.compile("^(.*/)([\\w-][\\w.-]{0,80}\\.(?:php|phtml|asp|aspx|jsp|jspx|py|rb|pl|cgi|cfm|do|inc))$");
    private static final List<String> NAMES = List.of("%s.bak", "%s.old", "%s~", "%s.orig", ".%s.swp");
    private static final Pattern SOURCE = Pattern.compile("<\\?php\\s|<\\?=|<%@|<%=?\\s|^#!/|(?m)^\\s{0,20}(?:import [\\w.]{2,80};?$|from \\w{1,40} import |require(?:_once)?[ (]|using System|def \\w{1,40}\\()|^b0VIM ");

    public BackupRule() {
        super(new Rule(920015, "Old copy of a program of the site is published", Rule.Level.MEDIUM, Rule.Confidence.HIGH, 530), MOST_FILES);
    }

    @Override
    void probe(Page page) throws IOException {
        Matcher program = PROGRAM.matcher(page.url().split("[?#]", 2)[0]);
        if (!program.find() || page.find(SOURCE) != null || !isNew(program.group())) return;
        for (String name : NAMES) {
            if (isStop()) return;
            String url = program.group(1) + String.format(name, program.group(2));
            if (!isInScope(url) || !isSource(url) || isSource(program.group(1) + String.format(name, Token.word() + ".php"))) continue;
            report(send(requestFor(url)), program.group(2), url, "");
            return;
        }
    }

    private boolean isSource(String url) throws IOException {
        Page answer = send(requestFor(url));
        String text = new String(answer.message().getResponseBody().getContent(), StandardCharsets.ISO_8859_1);
        return answer.status() == 200 && answer.find(SOURCE, text.substring(0, Math.min(text.length(), 1 << 16))) != null;
    }
}
