package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;

/**
 * A value is run by the server's shell. WSTG-INPV-12. Proven by what `echo` prints: a sum between two words of ours. Nothing is written and
 * nothing waits.
 */
public final class CommandRule extends ParameterRule {
    /** How a value ends what stands before it, bare or within quotes; %s is the command. */
    private static final String[] SHAPES = {"%v;%s;", "%v|%s", "%v';%s;'", "%v\";%s;\"", "%v$(%s)"};
    /** cmd.exe, whose `set /a` prints a sum without the words around it. */
    private static final String WINDOWS = "%v&set /a %d+%d&";

    public CommandRule() {
        super(new Rule(920010, "Command injection: the server's shell runs what a value says", Rule.Level.HIGH, Rule.Confidence.HIGH, 78), SHAPES.length + 1);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        for (String shape : SHAPES) {
            if (parameter.isOver()) return;
            int left = Token.factor();
            int right = Token.factor();
            String word = Token.word();
            String command = "echo " + word + "$((" + left + "+" + right + "))" + word;
            String value = shape.replace("%v", parameter.value()).replace("%s", command);
            if (reportsSum(parameter, value, word + (left + right) + word)) return;
        }
        int left = 1_000_000_000 + Token.factor() * 7;
        int right = 100_000_000 + Token.factor() * 11;
        String value = WINDOWS.replace("%v", parameter.value()).replaceFirst("%d", String.valueOf(left)).replaceFirst("%d", String.valueOf(right));
        reportsSum(parameter, value, String.valueOf(left + right));
    }

    private static boolean reportsSum(Parameter parameter, String value, String proof) throws IOException {
        Page answer = parameter.send(value);
        if (!answer.text().contains(proof)) return false;
        parameter.report(answer, value, proof);
        return true;
    }
}
