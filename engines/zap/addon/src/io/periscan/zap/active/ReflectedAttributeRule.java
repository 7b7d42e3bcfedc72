package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A value leaves its attribute and adds one that runs, or is an address that runs. WSTG-INPV-01. Proven by that attribute on an element of the page. */
public final class ReflectedAttributeRule extends ParameterRule {
    private static final int MOST_ATTACKS = 3;
    private static final Set<String> ADDRESSES = Set.of("href", "action", "formaction", "src", "data", "xlink:href");
    /** Where an address that is a script runs once it is followed or loaded. */
    private static final Set<String> RUNNING = Set.of("a", "form", "button", "input", "iframe", "frame", "embed", "object", "area");

    public ReflectedAttributeRule() {
        super(new Rule(920002, "Cross-site scripting: a value leaves its attribute", Rule.Level.HIGH, Rule.Confidence.HIGH, 79), 1 + 2 * MOST_ATTACKS);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        String token = Token.word();
        List<Reflection> reflections = Reflection.find(parameter.send(token), token);
        Set<Character> quotes = new LinkedHashSet<>();
        boolean address = false;
        for (Reflection reflection : reflections) {
            if (reflection.kind() != Reflection.Kind.ATTRIBUTE) continue;
            quotes.add(reflection.quote());
            address |= isAddress(reflection, token);
        }
        for (char quote : quotes) if (leave(parameter, quote, Token.word())) return;
        if (address) script(parameter, Token.word());
    }

    private static boolean isAddress(Reflection reflection, String token) {
        Tag.Attribute attribute = reflection.attribute();
        return attribute != null && ADDRESSES.contains(attribute.name()) && RUNNING.contains(reflection.tag().name()) && attribute.value().strip().startsWith(token);
    }

    /** Without a quote around it a space is enough. */
    private static boolean leave(Parameter parameter, char quote, String token) throws IOException {
        String mark = quote == 0 ? "" : String.valueOf(quote);
        String value = "zq" + mark + " onmouseover=" + mark + token;
        Page answer = parameter.send(value);
        for (Tag tag : answer.tags()) {
            if (!tag.text("onmouseover").startsWith(token)) continue;
            parameter.report(answer, value, "onmouseover=" + mark + token);
            return true;
        }
        return false;
    }

    private static void script(Parameter parameter, String token) throws IOException {
        String value = "javascript:" + token;
        Page answer = parameter.send(value);
        for (Tag tag : answer.tags())
            for (Tag.Attribute attribute : tag.attributes())
                if (RUNNING.contains(tag.name()) && ADDRESSES.contains(attribute.name()) && attribute.value().strip().equals(value)) {
                    parameter.report(answer, value, value);
                    return;
                }
    }
}
