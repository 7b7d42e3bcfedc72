package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A value becomes markup of the page. WSTG-INPV-01. Proven by an element of ours, with a script on it, among the page's elements. */
public final class ReflectedTextRule extends ParameterRule {
    private static final int MOST_ATTACKS = 3;

    public ReflectedTextRule() {
        super(new Rule(920001, "Cross-site scripting: a value becomes part of the page's markup", Rule.Level.HIGH, Rule.Confidence.HIGH, 79), 1 + MOST_ATTACKS);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        String token = Token.word();
        List<Reflection> reflections = Reflection.find(parameter.send(token), token);
        Set<String> ways = new LinkedHashSet<>();
        for (Reflection reflection : reflections) {
            switch (reflection.kind()) {
                case TEXT -> ways.add("");
                case COMMENT -> ways.add("-->");
                case RAW_TEXT -> ways.add("</" + reflection.tag().name() + ">");
                default -> {}
            }
        }
        for (String way : ways.stream().limit(MOST_ATTACKS).toList()) if (attack(parameter, way, Token.word())) return;
    }

    private static boolean attack(Parameter parameter, String way, String token) throws IOException {
        String value = way + "<img src=x onerror=" + token + ">";
        Page answer = parameter.send(value);
        for (Tag tag : answer.tags()) {
            if (!tag.is("img") || !tag.text("onerror").equals(token)) continue;
            parameter.report(answer, value, "<img src=x onerror=" + token + ">");
            return true;
        }
        return false;
    }
}
