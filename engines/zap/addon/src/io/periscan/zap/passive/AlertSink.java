package io.periscan.zap.passive;

import org.parosproxy.paros.control.Control;
import org.parosproxy.paros.core.scanner.Alert;
import org.parosproxy.paros.model.HistoryReference;
import org.zaproxy.zap.extension.alert.ExtensionAlert;
import org.zaproxy.zap.extension.pscan.PassiveScanActions;

/** Where the alerts of a passive rule go: among ZAP's, with the request that they are about. */
final class AlertSink implements PassiveScanActions {
    @Override
    public void raiseAlert(HistoryReference request, Alert alert) {
        alert.setSource(Alert.Source.PASSIVE);
        Control.getSingleton().getExtensionLoader().getExtension(ExtensionAlert.class).alertFound(alert, request);
    }

    @Override
    public void addHistoryTag(HistoryReference request, String tag) {
        request.addTag(tag);
    }
}
