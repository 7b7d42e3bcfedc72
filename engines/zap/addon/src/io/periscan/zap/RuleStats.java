package io.periscan.zap;

import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.zaproxy.zap.utils.Stats;

/**
 * Counts what the rules did, under `stats.periscan`, so that a rule that broke shows in the API and its silence is not taken for a clean page.
 */
public final class RuleStats {
    private static final Logger LOGGER = LogManager.getLogger(RuleStats.class);
    private static final String PREFIX = "stats.periscan.";

    private RuleStats() {}

    /** A rule looked at a page or a parameter to the end. */
    public static void ran() {
        Stats.incCounter(PREFIX + "rule.ran");
    }

    /** A rule broke, so it did not look at this one. */
    public static void failed(int id, String url, Throwable cause) {
        Stats.incCounter(PREFIX + "rule.failed");
        Stats.incCounter(PREFIX + "rule.failed." + id);
        LOGGER.error("Rule {} failed at {}", id, url, cause);
    }

    /** A request of an active rule had no answer. */
    public static void unanswered(int id, String url, Throwable cause) {
        Stats.incCounter(PREFIX + "rule.unanswered");
        LOGGER.warn("Rule {} had no answer at {}: {}", id, url, cause.toString());
    }

    /** A body was longer than what the rules read of it. */
    public static void cut() {
        Stats.incCounter(PREFIX + "body.cut");
    }
}
