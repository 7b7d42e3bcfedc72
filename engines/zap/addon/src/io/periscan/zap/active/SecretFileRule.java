package io.periscan.zap.active;

import io.periscan.zap.Rule;

/** Files with secrets, or with the way to the source. */
public final class SecretFileRule extends ExposedFileRule {
    public SecretFileRule() {
        super(new Rule(920013, "File with secrets or source code is published", Rule.Level.HIGH, Rule.Confidence.HIGH, 538), ExposedFiles.SECRET);
    }
}
