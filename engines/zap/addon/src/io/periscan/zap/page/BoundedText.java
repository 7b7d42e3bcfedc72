package io.periscan.zap.page;

/**
 * A text that a rule may read until its time is over. Every regular expression of the rules runs over one, so that a page made to hold a rule up
 * ends that rule, which then counts as failed.
 */
final class BoundedText implements CharSequence {
    /** How many characters are read between two looks at the clock. */
    private static final int STRIDE = 1 << 14;

    private final CharSequence text;
    private final Deadline deadline;
    private int reads;

    BoundedText(CharSequence text, Deadline deadline) {
        this.text = text;
        this.deadline = deadline;
    }

    @Override
    public char charAt(int index) {
        if (++reads % STRIDE == 0) deadline.check();
        return text.charAt(index);
    }

    @Override
    public int length() {
        return text.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
        return text.subSequence(start, end);
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
