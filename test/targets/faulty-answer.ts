/** A request to the faulty site, below one case of its table. */
export interface Asked {
  method: string;
  /** What follows the case's own path: empty, or without a slash at its start. */
  rest: string;
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** `https://shop.faulty.test:8443`, as the client names the site. */
  origin: string;
}

export interface Answer {
  status?: number;
  /** In the place of the well-made ones; undefined leaves one out. */
  headers?: Record<string, string | string[] | undefined>;
  body?: string | Uint8Array;
  /** Lines put behind the headers as they are, as a server does that does not check them. */
  rawLines?: string;
}

/** The same fault, and its look-alike that is none. */
export interface FaultCase {
  /** The rule that should see it, and only where it is. */
  rule: string;
  /** Both where it says nothing. */
  over?: "http" | "https";
  fault: (asked: Asked) => Answer | Promise<Answer>;
  fine: (asked: Asked) => Answer | Promise<Answer>;
  /** What the site links to below the case's path; one link to the case itself where it says nothing. */
  links?: string[];
  /** The same for the look-alike, where it must not have the very links. */
  fineLinks?: string[];
  /** The parameter, header or field that the alert names, where it names one. */
  param?: string;
}

/** What a careful site sends with each page. */
export const goodHeaders: Record<string, string> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "referrer-policy": "no-referrer",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&${{ "&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "#39" }[character]};`);

export const document = (body: string, head = "<title>Shop</title>"): string =>
  `<!DOCTYPE html>\n<html lang="en"><head>${head}</head><body>\n${body}\n</body></html>\n`;

/** A well-made page around this. */
export const page = (body: string, headers: Answer["headers"] = {}): Answer => ({ headers, body: document(body) });
export const text = (body: string, type = "text/plain; charset=utf-8"): Answer => ({ headers: { "content-type": type }, body });
export const redirect = (location: string, body = ""): Answer => ({ status: 302, headers: { location }, body });
export const notFound = (): Answer => ({ status: 404, body: document("<p>There is no such page.</p>") });
