package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import io.periscan.zap.page.Tag;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.parosproxy.paros.network.HttpMessage;

/** The site builds its links from a host name that the sender of a request chooses. WSTG-INPV-17. Proven by a link or redirect to our made-up host. */
public final class HostHeaderRule extends PageRule {
    private static final int MOST_PAGES = 200;
    private static final List<String> HEADERS = List.of("X-Forwarded-Host", "Host");

    public HostHeaderRule() {
        super(new Rule(920019, "Links of the page follow the Host header of the request", Rule.Level.MEDIUM, Rule.Confidence.HIGH, 644), MOST_PAGES);
    }

    @Override
    void probe(Page page) throws IOException {
        String url = page.url().split("[?#]", 2)[0];
        if (!page.message().getRequestHeader().getMethod().equals("GET") || !isNew(url)) return;
        for (String header : HEADERS) {
            if (isStop()) return;
            String host = Token.word() + ".example";
            HttpMessage message = getNewMsg();
            message.getRequestHeader().setHeader(header, host);
            // Else ZAP puts the address's own name there again.
            message.setUserObject(Map.of("host.normalization", Boolean.FALSE));
            Page answer = send(message);
            String link = findLink(answer, host);
            if (link == null) continue;
            report(answer, header, header + ": " + host, link);
            return;
        }
    }

    private static String findLink(Page answer, String host) {
        Pattern there = Pattern.compile("(?i)^\\s{0,5}(?:https?:)?//" + Pattern.quote(host) + "(?:[/:?#].*)?$", Pattern.DOTALL);
        if (there.matcher(answer.header("Location")).matches()) return answer.header("Location");
        for (Tag tag : answer.tags())
            for (String attribute : List.of("href", "src", "action")) if (there.matcher(tag.text(attribute)).matches()) return tag.text(attribute);
        return null;
    }
}
