package io.periscan.zap.passive;

import io.periscan.zap.page.Page;

/** What a passive rule does with one page. */
@FunctionalInterface
interface Check {
    void look(Page page, Report report);
}
