import { createHash } from "node:crypto";
import { z } from "zod";

const Port = z.int().min(1).max(65_535);
const Place = z.string().min(1).max(2500);
/** Five bytes of SHA-256 of each template's id, sorted, in Base64: 70 kB for ten thousand templates, and a wrong yes once in 10^8. */
const Ids = z.string().max(400_000);

/** What an outcome looked at. */
export const Coverage = z.object({
  templates: z.object({ name: z.string().max(200), version: z.string().max(200) }),
  /** Templates whose requests were all answered, and the places where: a site, or `tcp:PORT`. */
  checks: z.array(z.object({ places: z.array(Place).max(200), count: z.int().min(0), ids: Ids })).max(200),
  /** Ports that the host itself said are closed; nothing that was found there before is there now. */
  closed: z.object({ ports: z.array(Port).max(2000), ids: Ids }),
});
export type Coverage = z.infer<typeof Coverage>;

const bytesOfId = 5;
const hashId = (id: string): Buffer => createHash("sha256").update(id).digest().subarray(0, bytesOfId);

/** A set of templates, small enough to be kept with every outcome. */
export const packIds = (ids: Iterable<string>): string => Buffer.concat([...new Set(ids)].map(hashId).sort(Buffer.compare)).toString("base64");

const unpackIds = (packed: string): Buffer => Buffer.from(packed, "base64");

/** Halves the set, which is sorted. */
function hasId(ids: Buffer, id: string): boolean {
  const wanted = hashId(id);
  let [low, high] = [0, Math.floor(ids.length / bytesOfId)];
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = wanted.compare(ids, middle * bytesOfId, (middle + 1) * bytesOfId);
    if (order === 0) return true;
    [low, high] = order < 0 ? [low, middle] : [middle + 1, high];
  }
  return false;
}

/** Where a hit of a template would be seen again. Without a template: the place itself. */
export function makeScope(id: string, place: string): string {
  const scope = `${id}@${place}`;
  return scope.length <= 500 ? scope : `${id}@${place.slice(0, 200)}#${createHash("sha256").update(place).digest("hex")}`;
}

/** Whether this outcome looked with a scope's template at its place, and got an answer. */
export function readCoverage(value: unknown): (scope: string) => boolean {
  const parsed = Coverage.safeParse(value);
  if (!parsed.success) return () => false;
  const checks = parsed.data.checks.map(({ places, ids }) => ({ places, ids: unpackIds(ids) }));
  const closed = { ports: new Set(parsed.data.closed.ports), ids: unpackIds(parsed.data.closed.ids) };
  return (scope) => {
    const divider = scope.indexOf("@");
    if (divider < 0) return false;
    const id = scope.slice(0, divider);
    const looked = checks.some(({ places, ids }) => places.some((place) => makeScope(id, place) === scope) && (id === "" || hasId(ids, id)));
    if (looked) return true;
    const port = readPort(scope.slice(divider + 1));
    return port !== undefined && closed.ports.has(port) && (id === "" || hasId(closed.ids, id));
  };
}

/** The port of a place: of `tcp:6379`, or of a site, which always names it. */
export function readPort(place: string): number | undefined {
  const port = /^tcp:(\d{1,5})$/.exec(place)?.[1] ?? /^https?:\/\/(?:\[[^\]]*\]|[^/:]*):(\d{1,5})(?:\/|#|$)/.exec(place)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** The coverage in words, such as `69 templates (Periscan's Nuclei templates 1) on https://example.com:443`. */
export function describeCoverage(value: unknown): string {
  const parsed = Coverage.safeParse(value);
  if (!parsed.success) return "";
  const { templates, checks, closed } = parsed.data;
  const lines = checks.map(({ places, count }) => `${count.toLocaleString("en")} template${count === 1 ? "" : "s"} on ${places.map(describePlace).join(", ")}`);
  if (closed.ports.length > 0) lines.push(`closed: ${closed.ports.length > 12 ? `${closed.ports.length} ports` : closed.ports.join(", ")}`);
  return `${lines.length === 0 ? "Nothing" : lines.join("; ")} (${templates.name} ${templates.version})`;
}

const describePlace = (place: string): string => place.replace(/^tcp:/, "TCP port ");
