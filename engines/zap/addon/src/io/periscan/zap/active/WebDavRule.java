package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.util.Locale;
import org.parosproxy.paros.network.HttpMessage;

/** The server offers to change its files (WebDAV, RFC 4918). WSTG-CONF-06. It is only asked what it offers; nothing is written. */
public final class WebDavRule extends PageRule {
    private static final int MOST_FOLDERS = 40;

    public WebDavRule() {
        super(new Rule(920017, "Server offers to change its files (WebDAV)", Rule.Level.LOW, 650), MOST_FOLDERS);
    }

    @Override
    void probe(Page page) throws IOException {
        String folder = folderOf(page.url());
        if (folder == null || !isNew(folder)) return;
        HttpMessage message = requestFor(folder);
        message.getRequestHeader().setMethod("OPTIONS");
        Page answer = send(message);
        String allowed = answer.header("Allow").toUpperCase(Locale.ROOT);
        boolean offers = allowed.contains("PROPFIND") && (allowed.contains("PUT") || allowed.contains("MKCOL"));
        if (offers && !answer.header("DAV").isEmpty()) report(answer, "Allow", "OPTIONS " + folder, answer.header("Allow"));
    }
}
