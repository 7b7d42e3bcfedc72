export interface Unfit {
  path: string[];
  /** What is wrong there, to be read after the field's name. */
  message: string;
}

/** Names that mean something of every object to JavaScript: no field of the API has one of them. */
const foreignKeys = new Set(["__proto__", "constructor", "prototype"]);

/** Deeper than anything the API takes, and far less than what a stack bears. */
const maxDepth = 64;

/**
 * The first place in a JSON value that cannot be kept: a NUL and half of a surrogate pair, which PostgreSQL has in neither text nor JSON, a name that every object of JavaScript
 * has, and nesting without end.
 */
export function findUnfit(value: unknown, path: string[] = []): Unfit | undefined {
  if (typeof value === "string") {
    const message = explainText(value);
    return message === undefined ? undefined : { path, message };
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (path.length >= maxDepth) return { path, message: `is nested more than ${maxDepth} deep` };
  for (const [key, inner] of Object.entries(value)) {
    if (foreignKeys.has(key)) return { path: [...path, key], message: "is not known here" };
    const message = explainText(key);
    if (message !== undefined) return { path, message: `has a name that ${message}` };
    const unfit = findUnfit(inner, [...path, key]);
    if (unfit) return unfit;
  }
  return undefined;
}

/** Why a text cannot be kept; undefined where it can. */
export function explainText(text: string): string | undefined {
  if (text.includes("\0")) return "holds a NUL character (\\u0000), which is not allowed";
  return text.isWellFormed() ? undefined : "holds half of a surrogate pair, which is no text";
}
