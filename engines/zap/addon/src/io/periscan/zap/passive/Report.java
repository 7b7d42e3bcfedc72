package io.periscan.zap.passive;

/** Where a check says what it saw. */
@FunctionalInterface
interface Report {
    /** The longest piece of a page that goes into an alert. */
    int MOST_EVIDENCE = 300;

    /**
     * @param param what the alert is about: a header, a cookie, an address; empty where it is the page
     * @param evidence the piece of the answer that shows it; empty where something is missing
     */
    void raise(String param, String evidence);

    static String shorten(String text) {
        return text.length() > MOST_EVIDENCE ? text.substring(0, MOST_EVIDENCE) : text;
    }
}
