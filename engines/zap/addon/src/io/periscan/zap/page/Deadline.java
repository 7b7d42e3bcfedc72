package io.periscan.zap.page;

/** The moment by which a rule has to be done with a page. */
public final class Deadline {
    /** A rule takes a few milliseconds; this is for the page that is made to be slow. */
    public static final long USUAL_MILLISECONDS = 2000;

    private static volatile long millisecondsPerPage = USUAL_MILLISECONDS;

    private long end;

    public static void setMillisecondsPerPage(long milliseconds) {
        millisecondsPerPage = milliseconds;
    }

    void restart() {
        end = System.nanoTime() + millisecondsPerPage * 1_000_000;
    }

    void check() {
        if (System.nanoTime() - end >= 0) throw new RuleTimeout("longer than " + millisecondsPerPage + " ms");
    }

    /** A rule took too long over a page. */
    public static final class RuleTimeout extends RuntimeException {
        private static final long serialVersionUID = 1L;

        RuleTimeout(String message) {
            super(message);
        }
    }
}
