package io.periscan.zap.passive;

import io.periscan.zap.Rule;
import io.periscan.zap.RuleStats;
import io.periscan.zap.page.Page;
import java.util.HashSet;
import java.util.Set;
import net.htmlparser.jericho.Source;
import org.parosproxy.paros.network.HttpMessage;
import org.zaproxy.zap.control.AddOn;
import org.zaproxy.zap.extension.pscan.PluginPassiveScanner;

/** A passive rule of Periscan on ZAP's queue. */
public final class PassiveRule extends PluginPassiveScanner {
    /** A page made to flood a report gets so many alerts of one rule. */
    private static final int MOST_ALERTS_PER_PAGE = 5;

    private final Rule rule;
    private final Check check;

    PassiveRule(Rule rule, Check check) {
        this.rule = rule;
        this.check = check;
        setStatus(AddOn.Status.alpha);
        setPassiveScanActions(new AlertSink());
    }

    public Rule rule() {
        return rule;
    }

    @Override
    public void scanHttpResponseReceive(HttpMessage message, int id, Source source) {
        Set<String> raised = new HashSet<>();
        try {
            check.look(Page.of(message), (param, evidence) -> {
                if (raised.size() < MOST_ALERTS_PER_PAGE && raised.add(param + "\n" + evidence)) raise(message, param, evidence);
            });
            RuleStats.ran();
        } catch (RuntimeException | StackOverflowError broken) {
            RuleStats.failed(rule.id(), message.getRequestHeader().getURI().toString(), broken);
        }
    }

    private void raise(HttpMessage message, String param, String evidence) {
        newAlert()
                .setName(rule.title())
                .setRisk(rule.level().ordinal())
                .setConfidence(rule.confidence().number())
                .setCweId(rule.cwe())
                .setMessage(message)
                .setParam(Report.shorten(param))
                .setEvidence(Report.shorten(evidence))
                .setDescription(rule.title() + ". A rule of Periscan, not of ZAP.")
                .raise();
    }

    @Override
    public int getPluginId() {
        return rule.id();
    }

    @Override
    public String getName() {
        return rule.title();
    }

    /** ZAP makes a rule anew for each page by its class, which here stands for many rules. */
    @Override
    public PluginPassiveScanner copy() {
        PassiveRule copy = new PassiveRule(rule, check);
        copy.setEnabled(isEnabled());
        return copy;
    }
}
