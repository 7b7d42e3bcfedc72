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
