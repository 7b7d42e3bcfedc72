package io.periscan.zap.active;

import io.periscan.zap.Rule;

/** Files and pages that tell about the server. */
public final class TelltaleFileRule extends ExposedFileRule {
    public TelltaleFileRule() {
        super(new Rule(920014, "Page about the server's inside is published", Rule.Level.MEDIUM, Rule.Confidence.HIGH, 497), ExposedFiles.TELLTALE);
    }
}
