import type { Observation } from "@periscan/contract/outcome.ts";
import { type FetchedPage, readHeader, readStatus } from "./api-answers.ts";
import { clip } from "./clean-text.ts";
import { fetchRule, formatScope } from "./coverage.ts";
import { formatOrigin, formatStart, type Origin, readPlace } from "./origin.ts";
import type { SiteScan } from "./site-task.ts";

const maxUrls = 2000;

/** What the scan saw that is no risk: the service, its URLs, and what the start page names as its makers. */
export function observe({ start, pages }: SiteScan, origin: Origin): Observation[] {
  const scope = scopeOf(origin, readPlace(formatStart(origin)));
  const server = readHeader(start.responseHeader, "server");
  const service: Observation = {
    kind: "service",
    key: `tcp/${origin.port}`,
    scope,
    protocol: "tcp",
    port: origin.port,
    tls: origin.scheme === "https",
    name: "http",
    ...readProduct(server),
    cpe: [],
  };
  const urls = pages.filter(({ method }) => method === "GET").slice(0, maxUrls);
  return [service, ...readTechnologies(start.responseHeader, start.responseBody, scope), ...listUrls(urls, start, origin)];
}

const scopeOf = (origin: Origin, place: string) => formatScope({ rule: fetchRule, origin: formatOrigin(origin), answered: [], erred: [place] });

function listUrls(pages: FetchedPage[], start: SiteScan["start"], origin: Origin): Observation[] {
  const all = [{ url: formatStart(origin), statusCode: readStatus(start.responseHeader) }, ...pages];
  const byPlace = new Map<string, Observation>();
  for (const { url, statusCode } of all) {
    const place = readPlace(url);
    if (byPlace.has(place)) continue;
    const type = url === formatStart(origin) ? readHeader(start.responseHeader, "content-type") : undefined;
    byPlace.set(place, {
      kind: "url",
      key: clip(`url ${formatOrigin(origin)}${place}`, 500),
      scope: scopeOf(origin, place),
      url: clip(url, 2048),
      status: statusCode,
      ...(type === undefined ? {} : { content_type: clip(type, 500) }),
    });
  }
  return [...byPlace.values()].slice(0, maxUrls);
}

/** `nginx/1.25.3 (Debian)` is a product and its version; what follows is not looked at. */
function readProduct(text: string | undefined): { product?: string; version?: string } {
  const [, product, version] = /^([\w.+ -]{1,100}?)(?:[/ ]v?(\d[\w.+-]{0,50}))?(?:[ ;(,].*)?$/.exec(text ?? "") ?? [];
  return { ...(product ? { product } : {}), ...(version ? { version } : {}) };
}

/** RFC 9110 10.2.4 (Server), the X-Powered-By that many frameworks send, and HTML's own `generator`. */
function readTechnologies(header: string, body: string, scope: string): Observation[] {
  const generator = /<meta\b[^>]{0,200}\bname\s*=\s*["']?generator["']?[^>]{0,200}\bcontent\s*=\s*["']([^"'<>]{1,200})["']/i.exec(body.slice(0, 200_000))?.[1];
  const sources: [string, string | undefined][] = [
    ["Server", readHeader(header, "server")],
    ["X-Powered-By", readHeader(header, "x-powered-by")],
    ["generator", generator],
  ];
  return sources.flatMap(([source, text]): Observation[] => {
    const { product, version } = readProduct(text);
    if (text === undefined || product === undefined) return [];
    return [
      {
        kind: "technology",
        key: `technology ${source} ${product}`,
        scope,
        name: product,
        ...(version ? { version } : {}),
        evidence: clip(`${source}: ${text}`, 2048),
      },
    ];
  });
}
