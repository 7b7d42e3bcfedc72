package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.parosproxy.paros.network.HttpMessage;

/** TRACE sends a request back, with what proxies on the way put into it. WSTG-CONF-06. Proven by a header of ours in the body. */
public final class TraceRule extends PageRule {
    private static final int MOST_FOLDERS = 40;

    public TraceRule() {
        super(new Rule(920016, "TRACE sends requests back with their headers", Rule.Level.LOW, Rule.Confidence.HIGH, 693), MOST_FOLDERS);
    }

    @Override
    void probe(Page page) throws IOException {
        String folder = folderOf(page.url());
        if (folder == null || !isNew(folder)) return;
        String token = Token.word();
        HttpMessage message = requestFor(folder);
        message.getRequestHeader().setMethod("TRACE");
        message.getRequestHeader().setHeader("X-Periscan-Trace", token);
        Page answer = send(message);
        String body = new String(answer.message().getResponseBody().getContent(), StandardCharsets.ISO_8859_1);
        if (answer.isOk() && body.contains(token)) report(answer, "TRACE", "TRACE " + folder, token);
    }
}
