package io.periscan.zap;

import io.periscan.zap.active.CallbackListener;
import io.periscan.zap.page.Deadline;
import io.periscan.zap.passive.PassiveScan;
import org.apache.commons.configuration.Configuration;
import org.parosproxy.paros.control.Control;
import org.parosproxy.paros.extension.ExtensionAdaptor;
import org.parosproxy.paros.extension.ExtensionHook;
import org.parosproxy.paros.extension.SessionChangedListener;
import org.parosproxy.paros.model.Session;

/** Periscan's rules in ZAP: starts the passive ones, the listener of the active ones, and their part of the API. */
public final class ExtensionPeriscanRules extends ExtensionAdaptor implements SessionChangedListener {
    private final PassiveScan passiveScan = new PassiveScan();

    public ExtensionPeriscanRules() {
        super("ExtensionPeriscanRules");
    }

    @Override
    public void hook(ExtensionHook hook) {
        super.hook(hook);
        passiveScan.hook(hook);
        hook.addSessionListener(this);
        hook.addApiImplementor(new RulesApi());
    }

    /** Settings of ZAP's own configuration, so that they can be given when ZAP is started. */
    @Override
    public void optionsLoaded() {
        Configuration settings = getModel().getOptionsParam().getConfig();
        Deadline.setMillisecondsPerPage(settings.getLong("periscan.rules.milliseconds", Deadline.USUAL_MILLISECONDS));
        String address = settings.getString("periscan.ssrf.listener", "");
        if (!address.isBlank()) CallbackListener.open(address);
    }

    /** The session that ZAP begins with is announced to nobody. */
    @Override
    public void postInit() {
        sessionChanged(getModel().getSession());
    }

    @Override
    public void sessionChanged(Session session) {
        if (session == null) passiveScan.stop();
        else passiveScan.restart(session);
    }

    @Override
    public void sessionAboutToChange(Session session) {
        passiveScan.stop();
    }

    @Override
    public void sessionScopeChanged(Session session) {
        // Rules look at what was fetched, wherever from.
    }

    @Override
    public void sessionModeChanged(Control.Mode mode) {
        // Passive rules send nothing; the core holds active ones to its mode.
    }

    @Override
    public void stop() {
        passiveScan.stop();
        CallbackListener.close();
    }

    @Override
    public String getAuthor() {
        return "Periscan";
    }

    @Override
    public String getDescription() {
        return "Rules of Periscan; none of them is ZAP's.";
    }
}
