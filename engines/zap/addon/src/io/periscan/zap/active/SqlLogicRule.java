package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A condition in a value changes what the database finds. WSTG-INPV-05. Proven by four answers: with a true condition the page is as it was, with
 * a false one it is not, and both again with other numbers. A page that changes by itself is not judged.
 */
public final class SqlLogicRule extends ParameterRule {
    /** What stands around the two sides of a comparison, so that the statement around the value stays whole. */
    private record Frame(String before, String between, String after) {
        String with(String value, int left, int right) {
            return value + before + left + between + right + after;
        }
    }

    private static final List<Frame> FRAMES = List.of(
            new Frame(" AND ", "=", ""),
            new Frame("' AND '", "'='", ""),
            new Frame("\" AND \"", "\"=\"", ""),
            new Frame("%' AND '", "'='", "' AND '%'='"),
            new Frame(") AND (", "=", ""));

    private static final int REQUESTS_PER_FRAME = 4;
    /** What may differ in two answers to the same question: long random words, and numbers. */
    private static final Pattern CHANGING = Pattern.compile("[\\w-]{20,200}+|\\d{1,30}+");

    public SqlLogicRule() {
        super(new Rule(920005, "SQL injection: a condition changes what the database finds", Rule.Level.HIGH, 89), 1 + FRAMES.size() * REQUESTS_PER_FRAME);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        if (!parameter.page().isOk() || parameter.page().text().isEmpty()) return;
        String usual = essence(parameter.page(), parameter.value(), parameter.value());
        if (!essence(parameter.send(parameter.value()), parameter.value(), parameter.value()).equals(usual)) return;
        for (Frame frame : FRAMES) {
            if (parameter.isOver()) return;
            if (!turns(parameter, frame, usual, Token.factor()) || !turns(parameter, frame, usual, Token.factor())) continue;
            String attack = frame.with(parameter.value(), 1, 2);
            parameter.report(parameter.page(), attack, "");
            return;
        }
    }

    /** Whether a true condition leaves the page as it is and a false one changes it. */
    private static boolean turns(Parameter parameter, Frame frame, String usual, int number) throws IOException {
        String right = frame.with(parameter.value(), number, number);
        if (!essence(parameter.send(right), right, parameter.value()).equals(usual)) return false;
        String wrong = frame.with(parameter.value(), number, number + 1);
        return !essence(parameter.send(wrong), wrong, parameter.value()).equals(usual);
    }

    /** An answer without what changes anyhow and without the value that was sent, in the forms in which a page repeats it. */
    private static String essence(Page answer, String sent, String value) {
        String text = answer.text();
        for (String word : List.of(sent, value)) {
            if (word.isEmpty()) continue;
            text = text.replace(word, "").replace(escape(word), "").replace(URLEncoder.encode(word, StandardCharsets.UTF_8), "");
        }
        return answer.status() + " " + answer.match(CHANGING, text).replaceAll("0");
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;").replace("'", "&#39;");
    }
}
