package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.util.regex.Pattern;
import org.parosproxy.paros.core.scanner.HostProcess;
import org.parosproxy.paros.network.HttpMessage;

/** The server fetches an address that a value names. WSTG-INPV-19. Proven by its call at our own listener; without one the rule is skipped. */
public final class SsrfRule extends ParameterRule {
    private static final Pattern ABOUT_ADDRESSES = Pattern.compile("(?i)ur[il]|link|src|source|dest|feed|host|callback|hook|image|img|fetch|proxy|target|site|page|domain|path|file");
    /** A server that fetches in the background needs a moment; only where an address is expected is it waited for. */
    private static final int WAIT_MILLISECONDS = 300;

    public SsrfRule() {
        super(new Rule(920012, "Server-side request forgery: the server fetches any address", Rule.Level.HIGH, Rule.Confidence.HIGH, 918), 1);
    }

    @Override
    public void init(HttpMessage message, HostProcess parent) {
        super.init(message, parent);
        if (CallbackListener.address().isEmpty()) parent.pluginSkipped(this, "no listener for the target's calls: periscan.ssrf.listener is not set");
    }

    @Override
    void probe(Parameter parameter) throws IOException {
        String listener = CallbackListener.address();
        if (listener.isEmpty()) return;
        String token = Token.word();
        String value = "http://" + listener + "/" + token;
        Page answer = parameter.send(value);
        boolean likely = ABOUT_ADDRESSES.matcher(parameter.name()).find() || parameter.value().contains("://");
        if (isHeard(token, likely ? WAIT_MILLISECONDS : 0)) parameter.report(answer, value, "");
    }

    private static boolean isHeard(String token, int milliseconds) {
        for (int waited = 0; waited < milliseconds && !CallbackListener.heard(token); waited += 20) {
            try {
                Thread.sleep(20);
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        return CallbackListener.heard(token);
    }
}
