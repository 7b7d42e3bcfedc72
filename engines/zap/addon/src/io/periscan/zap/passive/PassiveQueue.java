package io.periscan.zap.passive;

import org.parosproxy.paros.control.Control;
import org.parosproxy.paros.extension.history.ExtensionHistory;
import org.zaproxy.zap.extension.alert.ExtensionAlert;
import org.zaproxy.zap.extension.pscan.ExtensionPassiveScan;
import org.zaproxy.zap.extension.pscan.PassiveController;
import org.zaproxy.zap.extension.pscan.PassiveScanController;
import org.zaproxy.zap.extension.pscan.PassiveScanParam;
import org.zaproxy.zap.view.ScanStatus;

/**
 * The core's own queue of pages for passive rules. The core has it ready and leaves starting it to an add-on; the one that upstream ships for
 * that is on no registry.
 */
final class PassiveQueue extends PassiveScanController implements PassiveController {
    PassiveQueue(ExtensionPassiveScan passiveScan, PassiveScanParam settings) {
        super(
                passiveScan,
                Control.getSingleton().getExtensionLoader().getExtension(ExtensionHistory.class),
                Control.getSingleton().getExtensionLoader().getExtension(ExtensionAlert.class),
                settings,
                new ScanStatus(null, "passive"));
        setName("Periscan-PassiveQueue");
        setDaemon(true);
    }

    @Override
    public int getRecordsToScan() {
        return super.getRecordsToScan();
    }

    void end() {
        shutdown();
    }
}
