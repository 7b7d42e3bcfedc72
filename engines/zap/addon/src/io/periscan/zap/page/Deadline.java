package io.periscan.zap.page;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/**
 * The processor time within which a rule has to be done with a page. Not the time of the clock: on a busy machine every rule would break that, and
 * one that works well would count as failed.
 */
public final class Deadline {
    /** A rule takes a few milliseconds; this is for the page that is made to be slow. */
    public static final long USUAL_MILLISECONDS = 2000;

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static volatile long millisecondsPerPage = USUAL_MILLISECONDS;

    private long end;

    public static void setMillisecondsPerPage(long milliseconds) {
        millisecondsPerPage = milliseconds;
    }

    void restart() {
        end = now() + millisecondsPerPage * 1_000_000;
    }

    void check() {
        if (now() - end >= 0) throw new RuleTimeout("longer than " + millisecondsPerPage + " ms");
    }

    /** Where a system cannot tell a thread's time, the clock's has to do. */
    private static long now() {
        return THREADS.isCurrentThreadCpuTimeSupported() ? THREADS.getCurrentThreadCpuTime() : System.nanoTime();
    }

    /** A rule took too long over a page. */
    public static final class RuleTimeout extends RuntimeException {
        private static final long serialVersionUID = 1L;

        RuleTimeout(String message) {
            super(message);
        }
    }
}
