package io.periscan.zap.passive;

import io.periscan.zap.Rule;
import io.periscan.zap.Rule.Confidence;
import io.periscan.zap.Rule.Level;
import java.util.List;
import java.util.stream.Stream;

/** All passive rules, in the order of their ids. */
public final class PassiveRules {
    private PassiveRules() {}

    public static List<PassiveRule> all() {
        return Stream.of(
                        PolicyRules.all(),
                        HeaderRules.all(),
                        TransferRules.all(),
                        CookieRules.all(),
                        MarkupRules.all(),
                        FormRules.all(),
                        ScriptRules.all(),
                        RedirectRules.all(),
                        ErrorRules.all(),
                        LeakRules.all(),
                        SecretRules.all())
                .flatMap(List::stream)
                .toList();
    }

    static PassiveRule rule(int id, String title, Level level, int cwe, Check check) {
        return new PassiveRule(new Rule(id, title, level, cwe), check);
    }

    static PassiveRule rule(int id, String title, Level level, Confidence confidence, int cwe, Check check) {
        return new PassiveRule(new Rule(id, title, level, confidence, cwe), check);
    }
}
