package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;

/** A value is run as a template of the server. WSTG-INPV-18. Proven by the product of two numbers between two words of ours. */
public final class TemplateRule extends ParameterRule {
    /** Jinja, Twig and their kind; FreeMarker, Thymeleaf, JSP and shells of templates; Ruby and ASP; Pug, Slim, JSF. */
    private static final String[] SHAPES = {"{{%s}}", "${%s}", "<%%= %s %%>", "#{%s}"};

    public TemplateRule() {
        super(new Rule(920009, "Template injection: the server computes what a value says", Rule.Level.HIGH, Rule.Confidence.HIGH, 1336), SHAPES.length);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        for (String shape : SHAPES) {
            if (parameter.isOver()) return;
            int left = Token.factor();
            int right = Token.factor();
            String word = Token.word();
            String value = word + String.format(shape, left + "*" + right) + word;
            Page answer = parameter.send(value);
            String proof = word + ((long) left * right) + word;
            if (!answer.text().contains(proof)) continue;
            parameter.report(answer, value, proof);
            return;
        }
    }
}
