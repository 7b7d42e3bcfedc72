package io.periscan.zap.guard;

import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.parosproxy.paros.core.proxy.OverrideMessageProxyListener;
import org.parosproxy.paros.extension.ExtensionAdaptor;
import org.parosproxy.paros.extension.ExtensionHook;
import org.parosproxy.paros.network.HttpMalformedHeaderException;
import org.parosproxy.paros.network.HttpMessage;

/**
 * Answers 403 to whatever comes to ZAP's proxy, plain or inside TLS, before ZAP sends anything on. ZAP cannot be started without its proxy, which asks nobody
 * who he is; Periscan talks to the API alone, which has a key. What ZAP itself sends, such as a spider, does not come this way.
 */
public final class ExtensionProxyGuard extends ExtensionAdaptor implements OverrideMessageProxyListener {
    private static final Logger LOGGER = LogManager.getLogger(ExtensionProxyGuard.class);
    private static final String REFUSAL = "HTTP/1.1 403 Forbidden\r\nX-Periscan-Guard: refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    public ExtensionProxyGuard() {
        super("ExtensionProxyGuard");
    }

    @Override
    public void hook(ExtensionHook hook) {
        super.hook(hook);
        hook.addOverrideMessageProxyListener(this);
    }

    /** Before all others. */
    @Override
    public int getArrangeableListenerOrder() {
        return Integer.MIN_VALUE;
    }

    @Override
    public boolean onHttpRequestSend(HttpMessage message) {
        try {
            message.setResponseHeader(REFUSAL);
            message.setResponseBody("");
        } catch (HttpMalformedHeaderException cause) {
            LOGGER.error("The refusal has no right form", cause);
        }
        return true;
    }

    @Override
    public boolean onHttpResponseReceived(HttpMessage message) {
        return false;
    }

    @Override
    public boolean canUnload() {
        return false;
    }

    @Override
    public String getAuthor() {
        return "Periscan";
    }

    @Override
    public String getDescription() {
        return "Lets nobody use ZAP's proxy.";
    }
}
