package io.periscan.zap.passive;

import org.parosproxy.paros.control.Control;
import org.parosproxy.paros.extension.ExtensionHook;
import org.parosproxy.paros.model.Session;
import org.zaproxy.zap.extension.pscan.ExtensionPassiveScan;
import org.zaproxy.zap.extension.pscan.PassiveController;
import org.zaproxy.zap.extension.pscan.PassiveScanAPI;
import org.zaproxy.zap.extension.pscan.PassiveScanParam;

/** Gives the core's passive scanning, which has no rules and no queue by itself, both of them: one queue for each session. */
public final class PassiveScan implements PassiveController {
    private final PassiveScanParam settings = new PassiveScanParam();
    private PassiveQueue queue;

    /** Passive scanning and its part of the API, `pscan`, as a ZAP with upstream's add-on for it has. */
    public void hook(ExtensionHook hook) {
        hook.addOptionsParamSet(settings);
        core().setPassiveScanRuleManager(new RuleShelf());
        core().setPassiveController(this);
        hook.addApiImplementor(new PassiveScanAPI(core()));
    }

    private static ExtensionPassiveScan core() {
        return Control.getSingleton().getExtensionLoader().getExtension(ExtensionPassiveScan.class);
    }

    public synchronized void restart(Session session) {
        stop();
        queue = new PassiveQueue(core(), settings);
        queue.setSession(session);
        queue.start();
    }

    public synchronized void stop() {
        if (queue != null) queue.end();
        queue = null;
    }

    @Override
    public synchronized int getRecordsToScan() {
        return queue == null ? 0 : queue.getRecordsToScan();
    }

    @Override
    public synchronized void clearQueue() {
        if (queue != null) queue.clearQueue();
    }
}
