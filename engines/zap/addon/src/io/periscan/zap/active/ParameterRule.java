package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import org.parosproxy.paros.core.scanner.AbstractAppParamPlugin;
import org.parosproxy.paros.network.HttpMessage;
import org.zaproxy.zap.control.AddOn;

/** A rule that tries values in the place of each parameter, a bounded number of them, and never follows a redirect. */
abstract class ParameterRule extends AbstractAppParamPlugin implements ActiveRule {
    private final Rule rule;
    private final int mostRequests;

    ParameterRule(Rule rule, int mostRequests) {
        this.rule = rule;
        this.mostRequests = mostRequests;
        setStatus(AddOn.Status.alpha);
    }

    /** Sends what it has to and reports at most once. */
    abstract void probe(Parameter parameter) throws IOException;

    /** One parameter of one request. */
    final class Parameter {
        private final HttpMessage base;
        private final String name;
        private final String value;
        private int sent;

        private Parameter(HttpMessage base, String name, String value) {
            this.base = base;
            this.name = name;
            this.value = value == null ? "" : value;
        }

        String name() {
            return name;
        }

        String value() {
            return value;
        }

        /** The request that was recorded, with its answer. */
        Page page() {
            return Page.ofAnswer(base);
        }

        Page send(String newValue) throws IOException {
            if (++sent > mostRequests) throw new IllegalStateException("more than " + mostRequests + " requests for a parameter");
            HttpMessage message = base.cloneRequest();
            setParameter(message, name, newValue);
            sendAndReceive(message, false, false);
            return Page.ofAnswer(message);
        }

        boolean isOver() {
            return isStop();
        }

        void report(Page answer, String attack, String evidence) {
            raise(newAlert(), answer, name, attack, evidence);
        }
    }

    @Override
    public final void scan(HttpMessage message, String param, String value) {
        if (isStop()) return;
        count(message.getRequestHeader().getURI().toString(), () -> probe(new Parameter(getBaseMsg(), param, value)));
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
