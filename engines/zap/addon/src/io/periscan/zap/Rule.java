package io.periscan.zap;

/** What a rule is, apart from its check. The texts for people are in engines/zap/rules.ts; a test keeps the two in step. */
public record Rule(int id, String title, Level level, Confidence confidence, int cwe) {
    /** In the order of ZAP's own numbers, 0 to 3. */
    public enum Level {
        NONE,
        LOW,
        MEDIUM,
        HIGH
    }

    /** In the order of ZAP's own numbers, from 1; 0 there is a false alarm. */
    public enum Confidence {
        LOW,
        MEDIUM,
        HIGH;

        public int number() {
            return ordinal() + 1;
        }
    }

    public Rule(int id, String title, Level level, int cwe) {
        this(id, title, level, Confidence.MEDIUM, cwe);
    }

    public boolean isPassive() {
        return id < 920000;
    }
}
