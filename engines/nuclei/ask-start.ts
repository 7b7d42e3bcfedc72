import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { TargetLogin } from "@periscan/contract/target.ts";
import type { PinnedTarget } from "../kit/engine.ts";
import { nameOf } from "./ask-scheme.ts";

const pauseSeconds = 1;
/** A browser's, as Nuclei's requests have: some sites refuse whatever else asks. */
const userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

export interface Asking {
  seconds: number;
  signal: AbortSignal;
  /** What the sites answered before: one that did is asked twice. */
  before?: Map<string, number>;
}

/**
 * The status of each site's start page, asked as the templates ask: at the pinned address, by the target's name, with its login. A site that gave no
 * answer is not in it.
 */
export async function askStarts(pin: PinnedTarget, sites: string[], { seconds, signal, before }: Asking): Promise<Map<string, number>> {
  const statuses = new Map<string, number>();
  const ask = async (site: string) => {
    const status = await askStart(pin, site, AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]));
    if (status !== undefined) statuses.set(site, status);
  };
  await Promise.all(sites.map(ask));
  signal.throwIfAborted();
  const lost = sites.filter((site) => before?.has(site) && !statuses.has(site));
  if (lost.length === 0) return statuses;
  // A full queue of connections empties within a moment.
  await sleep(pauseSeconds * 1000, undefined, { signal });
  await Promise.all(lost.map(ask));
  signal.throwIfAborted();
  return statuses;
}

function askStart({ address, login }: PinnedTarget, site: string, signal: AbortSignal): Promise<number | undefined> {
  const { protocol, hostname, host, port, pathname } = new URL(site);
  const isTls = protocol === "https:";
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const request = (isTls ? requestHttps : requestHttp)({
    host: address,
    port: Number(port) || (isTls ? 443 : 80),
    path: pathname.endsWith("/") ? pathname : `${pathname}/`,
    headers: { host, accept: "*/*", "user-agent": userAgent, ...(login ? writeLogin(login) : {}) },
    agent: false,
    insecureHTTPParser: true,
    // Whom the certificate is for is another engine's question.
    rejectUnauthorized: false,
    minVersion: "TLSv1",
    servername: nameOf(hostname),
    signal,
  });
  request.once("response", (response) => {
    resolve(response.statusCode);
    request.destroy();
  });
  request.on("error", () => resolve(undefined)).once("close", () => resolve(undefined));
  request.end();
  return promise;
}

const writeLogin = ({ kind, name, value }: TargetLogin) => (kind === "cookie" ? { cookie: `${name}=${value}` } : { [name]: value });
