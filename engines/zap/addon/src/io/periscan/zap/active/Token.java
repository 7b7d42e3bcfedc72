package io.periscan.zap.active;

import java.security.SecureRandom;

/** Words and numbers that no page has by itself. */
final class Token {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz";

    private Token() {}

    /** Fourteen characters, of which no interpreter makes anything: zq and twelve of a to z and 0 to 9. */
    static String word() {
        StringBuilder word = new StringBuilder("zq");
        for (int i = 0; i < 12; i++) word.append(LETTERS.charAt(RANDOM.nextInt(LETTERS.length())));
        return word.toString();
    }

    /** Of five digits: the product of two fits a 32-bit shell's arithmetic only by luck, so factors are small enough for it never to matter. */
    static int factor() {
        return 30_000 + RANDOM.nextInt(10_000);
    }
}
