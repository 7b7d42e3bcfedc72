import type { TargetLogin } from "@periscan/contract/target.ts";

/** Shorter ones stand in many words. */
const shortest = 6;

/**
 * The texts of a login that must stand in no report, the longest first: its value, and by themselves each cookie of a `Cookie` header and what follows the
 * scheme of `Authorization`, for a page may show one of them alone.
 */
export function listLoginSecrets({ kind, name, value }: TargetLogin): string[] {
  const isHeader = (wanted: string) => kind === "header" && name.toLowerCase() === wanted;
  const parts = isHeader("cookie")
    ? value.split(";").map((cookie) => cookie.slice(cookie.indexOf("=") + 1).trim())
    : isHeader("authorization")
      ? [value.replace(/^\S+\s+/, "")]
      : [];
  return [...new Set([value, ...parts.filter((part) => part.length >= shortest)])].sort((a, b) => b.length - a.length);
}
