package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.commons.httpclient.URI;
import org.parosproxy.paros.core.scanner.AbstractAppPlugin;
import org.parosproxy.paros.core.scanner.HostProcess;
import org.parosproxy.paros.model.Model;
import org.parosproxy.paros.model.Session;
import org.parosproxy.paros.network.HttpMessage;
import org.zaproxy.zap.control.AddOn;

/** A rule that tries something at each page or each folder, and never follows a redirect. */
abstract class PageRule extends AbstractAppPlugin implements ActiveRule {
    /** What was looked at already, by scan: a rule is made anew for each page. */
    private static final Map<HostProcess, Set<String>> DONE = Collections.synchronizedMap(new WeakHashMap<>());

    private final Rule rule;
    private final int mostPlaces;

    /** @param mostPlaces at how many pages or folders of a site it tries, the first that ZAP comes to */
    PageRule(Rule rule, int mostPlaces) {
        this.rule = rule;
        this.mostPlaces = mostPlaces;
        setStatus(AddOn.Status.alpha);
    }

    /** Sends what it has to and reports at most once for each place. */
    abstract void probe(Page page) throws IOException;

    @Override
    public final void scan() {
        if (isStop()) return;
        count(getBaseMsg().getRequestHeader().getURI().toString(), () -> probe(Page.ofAnswer(getBaseMsg())));
    }

    /** Whether this place is a new one for this rule in this scan, and within the number of places. */
    final boolean isNew(String place) {
        Set<String> done = DONE.computeIfAbsent(getParent(), (scan) -> ConcurrentHashMap.newKeySet());
        String prefix = rule.id() + " ";
        long count = done.stream().filter((one) -> one.startsWith(prefix)).count();
        return count < mostPlaces && done.add(prefix + place);
    }

    /** The folder of a page, with a slash at its end; null where it lies outside what is scanned. */
    static String folderOf(String url) {
        String path = url.split("[?#]", 2)[0];
        String folder = path.indexOf('/', path.indexOf("//") + 2) < 0 ? path + "/" : path.substring(0, path.lastIndexOf('/') + 1);
        return isInScope(folder) ? folder : null;
    }

    /** The scope is that of the contexts; a ZAP without any has none to keep to. */
    static boolean isInScope(String url) {
        Session session = Model.getSingleton().getSession();
        return session.getContexts().stream().noneMatch((context) -> context.isInScope()) || session.isInScope(url);
    }

    /** A request as the recorded one was, with its cookies and login, for another address. */
    final HttpMessage requestFor(String url) throws IOException {
        HttpMessage message = getNewMsg();
        message.getRequestHeader().setMethod("GET");
        message.setRequestBody("");
        for (String name : new String[] {"Content-Type", "Content-Length", "If-None-Match", "If-Modified-Since"}) message.getRequestHeader().setHeader(name, null);
        message.getRequestHeader().setURI(new URI(url, true));
        return message;
    }

    final Page send(HttpMessage message) throws IOException {
        sendAndReceive(message, false, false);
        return Page.ofAnswer(message);
    }

    final void report(Page answer, String param, String attack, String evidence) {
        raise(newAlert(), answer, param, attack, evidence);
    }

    @Override
    public final Rule rule() {
        return rule;
    }

    @Override
    public final int getRisk() {
        return rule.level().ordinal();
    }

    @Override
    public final int getCweId() {
        return rule.cwe();
    }

    @Override
    public final int getWascId() {
        return 0;
    }
}
