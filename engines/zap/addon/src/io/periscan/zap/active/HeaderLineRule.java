package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;

/** A line break in a value begins a header of the answer. WSTG-INPV-15. Proven by a header of ours in the answer. */
public final class HeaderLineRule extends ParameterRule {
    private static final String HEADER = "X-Periscan-Line";
    private static final String[] BREAKS = {"\r\n", "\n"};

    public HeaderLineRule() {
        super(new Rule(920008, "Header injection: a line break in a value begins a header", Rule.Level.MEDIUM, Rule.Confidence.HIGH, 113), BREAKS.length);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        for (String lineBreak : BREAKS) {
            if (parameter.isOver()) return;
            String token = Token.word();
            String value = parameter.value() + lineBreak + HEADER + ": " + token;
            Page answer = parameter.send(value);
            if (!answer.header(HEADER).startsWith(token)) continue;
            parameter.report(answer, value, answer.header(HEADER));
            return;
        }
    }
}
