package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.DatabaseErrors;
import io.periscan.zap.page.Page;
import java.io.IOException;

/** A quote in a value breaks a statement of the database. WSTG-INPV-05. Proven by the database's own words, which the page did not have before. */
public final class SqlErrorRule extends ParameterRule {
    private static final String[] BREAKERS = {"'", "\"", "')", "\\"};

    public SqlErrorRule() {
        super(new Rule(920004, "SQL injection: a quote breaks a statement of the database", Rule.Level.HIGH, Rule.Confidence.HIGH, 89), BREAKERS.length + 1);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        if (DatabaseErrors.find(parameter.page()) != null) return;
        for (String breaker : BREAKERS) {
            if (parameter.isOver()) return;
            String value = parameter.value() + breaker;
            Page answer = parameter.send(value);
            String error = DatabaseErrors.find(answer);
            if (error == null || answer.isScriptOrStyle()) continue;
            // A site that answers everything unusual with that error says nothing of quotes.
            if (DatabaseErrors.find(parameter.send(parameter.value() + Token.word())) != null) return;
            parameter.report(answer, value, error);
            return;
        }
    }
}
