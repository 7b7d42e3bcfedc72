/** How the text of an environment variable becomes a value. */
export interface Kind<T> {
  /** What the text may be, as the end of the sentence "NAME must be …". */
  allowed: string;
  /** The value, or undefined where the text is not allowed. */
  read(text: string): T | undefined;
}

export const text: Kind<string> = { allowed: "a text", read: (given) => given };

/** On or off. */
export const flag: Kind<boolean> = {
  allowed: "1 or 0 (or true or false, on or off)",
  read: (given) => {
    if (/^(1|true|on)$/i.test(given)) return true;
    return /^(0|false|off)$/i.test(given) ? false : undefined;
  },
};

/** A whole number from `least` to 9,999,999. */
export const count = ({ least }: { least: 0 | 1 }): Kind<number> => ({
  allowed: `a whole number, ${least} or more`,
  read: (given) => (/^\d{1,7}$/.test(given) && Number(given) >= least ? Number(given) : undefined),
});

/** One of these words. */
export const choice = <T extends string>(...words: T[]): Kind<T> => ({
  allowed: `one of ${words.join(", ")}`,
  read: (given) => words.find((word) => word === given),
});

/** An address of one of these schemes, such as `https`. Kept as it was written. */
export const address = (schemes: string[], example: string): Kind<string> => ({
  allowed: `an address such as ${example}`,
  read: (given) => (URL.canParse(given) && schemes.includes(new URL(given).protocol.slice(0, -1)) ? given : undefined),
});

/** Values with commas between them, each of a kind. */
export const list = <T>(each: Kind<T>): Kind<T[]> => ({
  allowed: `${each.allowed}, or several with commas between them`,
  read: (given) => {
    const values = given
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "")
      .map((part) => each.read(part));
    return values.includes(undefined as T) ? undefined : (values as T[]);
  },
});

/** The absolute path of a file or folder. */
export const path: Kind<string> = { allowed: "an absolute path", read: (given) => (given.startsWith("/") ? given : undefined) };

/** So many hexadecimal digits. */
export const hexadecimal = (digits: number): Kind<string> => ({
  allowed: `${digits} hexadecimal digits, such as \`openssl rand -hex ${digits / 2}\` prints`,
  read: (given) => (given.length === digits && /^[0-9a-f]+$/i.test(given) ? given : undefined),
});

/** What a browser calls the origin of a page: scheme, host and port. A path or a slash at its end would never match. */
export const origin: Kind<string> = {
  allowed: "an origin such as https://dashboard.example, or *",
  read: (given) => (given === "*" || (URL.canParse(given) && /^https?:$/.test(new URL(given).protocol) && new URL(given).origin === given) ? given : undefined),
};
