package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.util.regex.Pattern;

/** A value names a file of the server. WSTG-ATHZ-01. Proven by a file that every Unix or Windows has and no page. */
public final class PathRule extends ParameterRule {
    private static final String UP = "../".repeat(10);
    private static final String[] FILES = {
        UP + "etc/passwd", "/etc/passwd", "..%2f".repeat(10) + "etc%2fpasswd", "....//".repeat(10) + "etc/passwd", UP.replace('/', '\\') + "Windows\\win.ini", "C:\\Windows\\win.ini"
    };

    static final Pattern PASSWD = Pattern.compile("root:[^:\\n<]{0,100}:0:0:[^:\\n<]{0,100}:/");
    private static final Pattern WIN_INI = Pattern.compile("; for 16-bit app support|\\[fonts\\]\\s{1,5}\\[extensions\\]");

    public PathRule() {
        super(new Rule(920006, "Path traversal: a value names any file of the server", Rule.Level.HIGH, Rule.Confidence.HIGH, 22), FILES.length);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        Page before = parameter.page();
        if (before.find(PASSWD) != null || before.find(WIN_INI) != null) return;
        for (String file : FILES) {
            if (parameter.isOver()) return;
            Page answer = parameter.send(file);
            String found = answer.find(file.contains("passwd") ? PASSWD : WIN_INI);
            if (found == null) continue;
            parameter.report(answer, file, found);
            return;
        }
    }
}
