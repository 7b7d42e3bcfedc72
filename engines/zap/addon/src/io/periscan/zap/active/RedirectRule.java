package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.io.IOException;
import java.util.regex.Pattern;

/** A value decides which site a visitor lands on. WSTG-CLNT-04. Proven by the header or the meta element alone: nothing goes to the other site. */
public final class RedirectRule extends ParameterRule {
    private static final String[] SHAPES = {"https://%s/", "//%s/", "https:\\\\%s/", "/\\%s/"};

    public RedirectRule() {
        super(new Rule(920007, "Open redirect: a value decides which site visitors land on", Rule.Level.MEDIUM, Rule.Confidence.HIGH, 601), SHAPES.length);
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        // Where the parameter is not about an address the first shape alone is tried.
        boolean likely = parameter.page().isRedirect() || parameter.value().matches("(?i)https?(:|%3a).*|/.*");
        for (int i = 0; i < (likely ? SHAPES.length : 1); i++) {
            if (parameter.isOver()) return;
            String host = Token.word() + ".example";
            String value = String.format(SHAPES[i], host);
            Page answer = parameter.send(value);
            String location = answer.isRedirect() ? answer.header("Location") : refresh(answer);
            if (!leadsTo(location, host)) continue;
            parameter.report(answer, value, location);
            return;
        }
    }

    private static String refresh(Page answer) {
        for (Tag tag : answer.tags())
            if (tag.is("meta") && tag.word("http-equiv").equals("refresh"))
                return tag.text("content").replaceFirst("(?i)^[\\d. ]{0,10};\\s{0,5}url\\s{0,5}=\\s{0,5}['\"]?", "");
        return "";
    }

    /** As a browser reads it: backslashes are slashes. */
    private static boolean leadsTo(String location, String host) {
        return Pattern.compile("(?i)^\\s{0,5}(?:https?:)?//" + Pattern.quote(host) + "(?:[/:?#].*)?$", Pattern.DOTALL).matcher(location.replace('\\', '/')).matches();
    }
}
