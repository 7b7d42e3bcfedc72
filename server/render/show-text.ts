/** Control characters but tab and line feed, and the marks that reorder text: a reader cannot see them, and what follows is not what it seems. */
const unshown = /[^\P{Cc}\t\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** The same value with everything that cannot be shown as U+FFFD, in all its texts. */
export function showText<T>(value: T): T {
  if (typeof value === "string") return value.replace(unshown, "\uFFFD") as T;
  if (Array.isArray(value)) return value.map(showText) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, showText(inner)])) as T;
}
