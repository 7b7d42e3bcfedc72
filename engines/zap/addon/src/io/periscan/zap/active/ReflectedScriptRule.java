package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A value leaves its string, or stands bare, in a script of the page. WSTG-INPV-01. Proven by a name of ours that stands there as code. */
public final class ReflectedScriptRule extends ParameterRule {
    private static final int MOST_ATTACKS = 3;

    public ReflectedScriptRule() {
        super(new Rule(920003, "Cross-site scripting: a value becomes part of a script", Rule.Level.HIGH, Rule.Confidence.HIGH, 79), 2 + MOST_ATTACKS);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        String token = Token.word();
        List<Reflection> reflections = Reflection.find(parameter.send(token), token);
        Set<String> ways = new LinkedHashSet<>();
        for (Reflection reflection : reflections) if (reflection.kind() == Reflection.Kind.SCRIPT) ways.add(wayOut(reflection.quote()));
        if (ways.isEmpty()) return;
        for (String way : ways.stream().limit(MOST_ATTACKS).toList()) if (attack(parameter, way, Token.word())) return;
        closeScript(parameter, Token.word());
    }

    private static String wayOut(char quote) {
        if (quote == 0) return "";
        return quote == ScriptText.COMMENT ? "\n" : String.valueOf(quote);
    }

    private static boolean attack(Parameter parameter, String way, String token) throws IOException {
        String code = "-" + token + "()-";
        String value = way.equals("\n") ? "\n" + code : way + code + way;
        Page answer = parameter.send(value);
        for (Tag tag : answer.tags()) {
            if (!tag.is("script") || !ScriptText.isCode(tag.content(), code)) continue;
            parameter.report(answer, value, code);
            return true;
        }
        return false;
    }

    /** A browser ends a script at its end tag, within a string too. */
    private static void closeScript(Parameter parameter, String token) throws IOException {
        String value = "</script><img src=x onerror=" + token + ">";
        Page answer = parameter.send(value);
        if (answer.tags().stream().anyMatch((tag) -> tag.is("img") && tag.text("onerror").equals(token))) parameter.report(answer, value, value);
    }
}
