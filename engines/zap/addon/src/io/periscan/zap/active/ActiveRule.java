package io.periscan.zap.active;

import io.periscan.zap.Rule;
import org.parosproxy.paros.core.scanner.Category;
import org.parosproxy.paros.core.scanner.Plugin;

/** An active rule of Periscan. What to do about what it sees is in engines/zap/rules.ts. */
public interface ActiveRule extends Plugin {
    /** The longest piece of an answer that goes into an alert. */
    int MOST_EVIDENCE = 300;

    Rule rule();

    @Override
    default int getId() {
        return rule().id();
    }

    @Override
    default String getName() {
        return rule().title();
    }

    @Override
    default String getDescription() {
        return rule().title() + ". A rule of Periscan, not of ZAP.";
    }

    @Override
    default int getCategory() {
        return Category.INJECTION;
    }

    @Override
    default String getSolution() {
        return "";
    }

    @Override
    default String getReference() {
        return "";
    }

    static String shorten(String evidence) {
        return evidence.length() > MOST_EVIDENCE ? evidence.substring(0, MOST_EVIDENCE) : evidence;
    }
}
