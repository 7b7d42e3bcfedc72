import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import type { PinnedTarget } from "../kit/engine.ts";
import { formatStart, type Origin } from "./origin.ts";

const answerSeconds = 10;
const maxCandidates = 5;

/** Which site of the target to scan, with what a reader must know of the choice; or why there is none. */
export async function chooseOrigin(pinned: PinnedTarget, signal: AbortSignal): Promise<{ origin: Origin; notes: string[] } | { reason: string }> {
  const { target, address } = pinned;
  if (target.kind === "url") return { origin: { scheme: target.scheme, host: target.host, port: target.port, path: target.path }, notes: [] };
  const candidates = listCandidates(pinned);
  for (const [index, { scheme, port }] of candidates.entries()) {
    if (!(await answers(scheme, { address, port, host: target.host }, signal))) continue;
    const origin: Origin = { scheme, host: target.host, port, path: "/" };
    const others = candidates.filter((other, at) => at > index && other.port !== port).map((other) => formatStart({ ...origin, ...other }));
    const left = others.length === 0 ? "" : ` Not scanned: ${others.join(", ")}, where there may be another; give it as a URL.`;
    return { origin, notes: [`No URL was given, so ${formatStart(origin)} was scanned.${left}`] };
  }
  return { reason: `No web server answered: tried ${candidates.map(({ scheme, port }) => `${scheme} on port ${port}`).join(", ")}.` };
}

type Candidate = Pick<Origin, "scheme" | "port">;

/** https before http, the usual ports before those that a port scan has seen. */
function listCandidates({ target, known }: PinnedTarget): Candidate[] {
  if (target.kind === "service")
    return [
      { scheme: "https", port: target.port },
      { scheme: "http", port: target.port },
    ];
  const usual: Candidate[] = [
    { scheme: "https", port: 443 },
    { scheme: "http", port: 80 },
  ];
  const seen = known.flatMap((each): Candidate[] => {
    if (each.kind !== "service" || each.protocol !== "tcp" || !/^https?\b/.test(each.name ?? "") || [80, 443].includes(each.port)) return [];
    return [{ scheme: each.tls || each.name?.startsWith("https") ? "https" : "http", port: each.port }];
  });
  return [...usual, ...seen].slice(0, maxCandidates);
}

/** Whether a connection comes about; over TLS whether its handshake does, whatever the certificate. */
async function answers(
  scheme: "http" | "https",
  { address, port, host }: { address: string; port: number; host: string },
  signal: AbortSignal,
): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(answerSeconds * 1000)]);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const names = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  // What is scanned is looked at, not trusted: old versions and any certificate will do.
  const old = { rejectUnauthorized: false, minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  const socket = scheme === "https" ? connectTls({ host: address, port, ...names, ...old }) : connectTcp({ host: address, port });
  const giveUp = () => resolve(false);
  limit.addEventListener("abort", giveUp, { once: true });
  socket
    .once(scheme === "https" ? "secureConnect" : "connect", () => resolve(true))
    .once("error", giveUp)
    .once("close", giveUp);
  const answered = await promise;
  limit.removeEventListener("abort", giveUp);
  socket.destroy();
  signal.throwIfAborted();
  return answered;
}
