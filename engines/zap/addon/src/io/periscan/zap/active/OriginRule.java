package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.util.List;
import org.parosproxy.paros.network.HttpMessage;

/** The server lets any site that asks read answers with the user's login (CORS). WSTG-CLNT-07. Proven by our made-up origin in the answer. */
public final class OriginRule extends PageRule {
    private static final int MOST_PAGES = 200;

    public OriginRule() {
        super(new Rule(920018, "CORS lets any site that asks act with the user's login", Rule.Level.MEDIUM, Rule.Confidence.HIGH, 942), MOST_PAGES);
    }

    @Override
    void probe(Page page) throws IOException {
        String url = page.url().split("[?#]", 2)[0];
        if (!page.message().getRequestHeader().getMethod().equals("GET") || !isNew(url)) return;
        for (String origin : List.of("https://" + Token.word() + ".example", "https://" + page.host() + "." + Token.word() + ".example")) {
            HttpMessage message = getNewMsg();
            message.getRequestHeader().setHeader("Origin", origin);
            Page answer = send(message);
            if (!answer.header("Access-Control-Allow-Origin").equals(origin) || !answer.header("Access-Control-Allow-Credentials").equalsIgnoreCase("true")) continue;
            report(answer, "Origin", origin, origin);
            return;
        }
    }
}
