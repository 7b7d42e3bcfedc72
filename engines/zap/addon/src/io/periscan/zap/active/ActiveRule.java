package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.RuleStats;
import io.periscan.zap.page.Page;
import java.io.IOException;
import org.parosproxy.paros.core.scanner.AbstractPlugin.AlertBuilder;
import org.parosproxy.paros.core.scanner.Category;
import org.parosproxy.paros.core.scanner.Plugin;

/** An active rule of Periscan. What to do about what it sees is in engines/zap/rules.ts. ZAP has a base class of its own for each kind of rule, so what they share is here. */
public interface ActiveRule extends Plugin {
    /** The longest piece of an answer that goes into an alert. */
    int MOST_EVIDENCE = 300;

    Rule rule();

    @Override
    default int getId() {
        return rule().id();
    }

    @Override
    default String getName() {
        return rule().title();
    }

    @Override
    default String getDescription() {
        return rule().title() + ". A rule of Periscan, not of ZAP.";
    }

    @Override
    default int getCategory() {
        return Category.INJECTION;
    }

    @Override
    default String getSolution() {
        return "";
    }

    @Override
    default String getReference() {
        return "";
    }

    /** What a rule sends and judges at one place. */
    interface Probe {
        void run() throws IOException;
    }

    /** Runs a probe, and counts how it went: one that breaks is a rule that did not run. */
    default void count(String url, Probe probe) {
        try {
            probe.run();
            RuleStats.ran();
        } catch (IOException unanswered) {
            RuleStats.unanswered(rule().id(), url, unanswered);
        } catch (RuntimeException | StackOverflowError broken) {
            RuleStats.failed(rule().id(), url, broken);
        }
    }

    /** Raises an alert with what this rule is and what it saw. */
    default void raise(AlertBuilder alert, Page answer, String param, String attack, String evidence) {
        alert.setName(rule().title())
                .setRisk(rule().level().ordinal())
                .setConfidence(rule().confidence().number())
                .setParam(param)
                .setAttack(attack)
                .setEvidence(evidence.length() > MOST_EVIDENCE ? evidence.substring(0, MOST_EVIDENCE) : evidence)
                .setMessage(answer.message())
                .raise();
    }
}
