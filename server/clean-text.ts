/**
 * Makes scanner output storable: PostgreSQL takes neither NUL nor a lone surrogate in text and JSON. Both become U+FFFD, so that a reader
 * sees that something stood there.
 */
export function cleanText<T>(value: T): T {
  if (typeof value === "string") return value.toWellFormed().replaceAll("\0", "\uFFFD") as T;
  if (Array.isArray(value)) return value.map(cleanText) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [cleanText(key), cleanText(inner)])) as T;
}

/** How `JSON.stringify` writes a NUL and a lone surrogate. */
const unstorable = /\\u(?:0000|d[89a-f])/;

/** The JSON of what `cleanText` makes of a value. Hardly any has something to clean, and a look at the text costs less than a copy of the value. */
export function toStorableJson(value: unknown): string {
  const text = JSON.stringify(value);
  return unstorable.test(text) ? JSON.stringify(cleanText(value)) : text;
}
