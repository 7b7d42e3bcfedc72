package io.periscan.zap.active;

import java.io.IOException;
import java.io.InputStream;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Where a target calls when it fetches what a parameter names. It answers everything with nothing and remembers the tokens that came, the last
 * few thousand of them. It stands on the address that whoever started ZAP gave, and nowhere without one.
 */
public final class CallbackListener {
    private static final Logger LOGGER = LogManager.getLogger(CallbackListener.class);
    private static final Pattern TOKEN = Pattern.compile("zq[0-9a-z]{12}");
    private static final byte[] ANSWER = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final int MOST_TOKENS = 4096;
    private static final int MOST_BYTES = 2048;
    private static final int SECONDS_PER_CALL = 2;

    private static CallbackListener current;

    private final ServerSocket socket;
    private final Set<String> seen = Collections.synchronizedSet(Collections.newSetFromMap(new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
            return size() > MOST_TOKENS;
        }
    }));

    private final ThreadPoolExecutor workers = new ThreadPoolExecutor(4, 4, 5, TimeUnit.SECONDS, new ArrayBlockingQueue<>(64), CallbackListener::newThread);

    private CallbackListener(ServerSocket socket) {
        this.socket = socket;
        workers.allowCoreThreadTimeOut(true);
        newThread(this::accept).start();
    }

    private static Thread newThread(Runnable work) {
        Thread thread = new Thread(work, "Periscan-CallbackListener");
        thread.setDaemon(true);
        return thread;
    }

    /** `ADDRESS:PORT`, an IPv6 address in brackets; port 0 for any that is free. Answers whether it stands there; where it does not, the rules that need it are skipped. */
    public static synchronized boolean open(String address) {
        close();
        int colon = address.lastIndexOf(':');
        try {
            String host = address.substring(0, colon).replaceAll("[\\[\\]]", "");
            ServerSocket socket = new ServerSocket();
            socket.bind(new InetSocketAddress(InetAddress.getByName(host), Integer.parseInt(address.substring(colon + 1))), 64);
            current = new CallbackListener(socket);
            return true;
        } catch (IOException | RuntimeException cause) {
            LOGGER.warn("The listener cannot stand on {}", address, cause);
            return false;
        }
    }

    public static synchronized void close() {
        if (current == null) return;
        try {
            current.socket.close();
        } catch (IOException cause) {
            LOGGER.warn("The listener does not close", cause);
        }
        current.workers.shutdownNow();
        current = null;
    }

    /** `ADDRESS:PORT` as a target calls it; empty where there is none. */
    public static synchronized String address() {
        if (current == null) return "";
        InetAddress address = current.socket.getInetAddress();
        String host = address instanceof Inet6Address ? "[" + address.getHostAddress() + "]" : address.getHostAddress();
        return host + ":" + current.socket.getLocalPort();
    }

    static synchronized boolean heard(String token) {
        return current != null && current.seen.contains(token);
    }

    private void accept() {
        while (!socket.isClosed()) {
            try {
                Socket caller = socket.accept();
                caller.setSoTimeout(SECONDS_PER_CALL * 1000);
                workers.execute(() -> answer(caller));
            } catch (IOException | RejectedExecutionException closedOrBusy) {
                LOGGER.debug("A call was not taken", closedOrBusy);
            }
        }
    }

    private void answer(Socket caller) {
        try (caller) {
            InputStream input = caller.getInputStream();
            byte[] head = new byte[MOST_BYTES];
            int length = 0;
            Matcher token = null;
            while (length < head.length) {
                int read = input.read(head, length, head.length - length);
                if (read < 0) break;
                length += read;
                token = TOKEN.matcher(new String(head, 0, length, StandardCharsets.ISO_8859_1));
                if (token.find()) break;
            }
            if (token != null && token.reset().find()) seen.add(token.group());
            caller.getOutputStream().write(ANSWER);
        } catch (IOException gone) {
            LOGGER.debug("A caller went", gone);
        }
    }
}
