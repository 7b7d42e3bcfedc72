import { bracket } from "@periscan/contract/target-syntax.ts";

/** What one scan looks at: a scheme, host and port, and everything at or below a path. */
export interface Origin {
  scheme: "http" | "https";
  /** A name, or an address without brackets. */
  host: string;
  port: number;
  /** Where it begins, such as `/app/?x=1`. */
  path: string;
}

const defaultPorts = { http: 80, https: 443 };

/** As RFC 6454 writes it: without the scheme's own port. */
export function formatOrigin({ scheme, host, port }: Origin): string {
  return `${scheme}://${bracket(host)}${port === defaultPorts[scheme] ? "" : `:${port}`}`;
}

export const formatStart = (origin: Origin): string => `${formatOrigin(origin)}${origin.path}`;

/** The path below which everything belongs to the target, without a slash at its end. */
export const basePath = ({ path }: Origin): string => (path.split("?")[0] ?? "").replace(/\/+$/, "");

/** A regular expression (Java's and ours) of exactly the URLs that belong to the target. */
export function formatScope(origin: Origin): string {
  const { scheme, host, port } = origin;
  const portPart = port === defaultPorts[scheme] ? `(?::${port})?` : `:${port}`;
  return `^${scheme}://${quote(bracket(host))}${portPart}${quote(basePath(origin))}(?:[/?#].*)?$`;
}

/** Every character that means something to either kind of regular expression, and no other: Java refuses a backslash before a letter. */
const quote = (text: string) => text.replace(/[\\^$.*+?()[\]{}|&~#@-]/g, "\\$&");

export function isInScope(url: string, origin: Origin): boolean {
  return new RegExp(formatScope(origin), "s").test(url);
}

/** A value that names a page, and not a session, a time or a visitor: those differ with every scan. */
const isStable = (value: string) => value.length <= 40 && !/\d{6}|[0-9a-f]{12}/i.test(value);

/**
 * Where a URL leads, in a form that is the same in the next scan: its path, and its query's parameters by name, with those values that look as if
 * they name a page. `https://h/a?page=about&sid=8f14e45fceea167a` is `/a?page=about&sid=*`.
 */
export function readPlace(url: string): string {
  const [, path = "", query = ""] = /^https?:\/\/[^/?#]*([^?#]*)(?:\?([^#]*))?/i.exec(url) ?? [];
  const parts = query.split("&").filter((part) => part !== "");
  const kept = parts.map((part) => {
    const [name = "", value = ""] = part.split(/=(.*)/s);
    return `${name}=${isStable(value) ? value : "*"}`;
  });
  return `${path === "" ? "/" : path}${kept.length === 0 ? "" : `?${kept.toSorted().join("&")}`}`;
}
