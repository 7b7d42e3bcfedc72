import type { ThreatLevel } from "@periscan/contract/risk.ts";
import { clip, type Sighting, startLook } from "./port-look.ts";
import type { ReadPort } from "./read-outcome.ts";
import { riskTexts } from "./threat-levels.ts";

/**
 * Each port once. Of one that was looked at several times, as SSLyze does where servers at several addresses stand behind one name, the worse counts: a risk that one look
 * saw is there, and only what all of them decided is decided.
 */
export function joinPorts(ports: ReadPort[]): ReadPort[] {
  return [...Map.groupBy(ports, ({ port }) => port).values()].flatMap(([first, ...more]) =>
    first ? (more.length === 0 ? first : joinLooks([first, ...more])) : [],
  );
}

function joinLooks(looks: [ReadPort, ...ReadPort[]]): ReadPort {
  const [first] = looks;
  const reached = looks.filter(({ state }) => state === "complete" || state === "partial");
  const unreached = looks.every(({ state }) => state === "closed") ? "closed" : "unreachable";
  const state = reached.length === 0 ? unreached : looks.every((each) => each.state === "complete") ? "complete" : "partial";
  const tell = (list: (port: ReadPort) => string[]) => [
    ...new Set(looks.flatMap((port) => list(port).map((text) => (port.address === undefined ? text : `At ${clip(port.address, 50)}: ${text}`)))),
  ];
  const look = {
    ...startLook(),
    decided: new Set([...first.look.decided].filter((check) => looks.every((each) => each.look.decided.has(check)))),
    sightings: joinSightings(looks),
    troubles: tell((port) => port.look.troubles),
    notes: tell((port) => port.look.notes),
  };
  const observations = new Map(looks.flatMap((port) => port.observations).map((seen) => [seen.key, seen]));
  return { port: first.port, server: first.server, startTls: (reached[0] ?? first).startTls, state, look, observations: [...observations.values()] };
}

const ranks: ThreatLevel[] = ["NONE", "LOW", "MEDIUM", "HIGH", "CRITICAL"];
const rank = ({ risk, level }: Sighting): number => ranks.indexOf(level ?? riskTexts[risk].level);

/** A risk as it is worst, and where it was seen. */
function joinSightings(looks: ReadPort[]): Sighting[] {
  const all = looks.flatMap(({ address, look }) => look.sightings.map((sighting) => ({ address, sighting })));
  return [...Map.groupBy(all, ({ sighting }) => sighting.risk).values()].flatMap((same) => {
    const [worst] = same.map(({ sighting }) => sighting).toSorted((a, b) => rank(b) - rank(a));
    const addresses = [...new Set(same.flatMap(({ address }) => address ?? []))];
    if (!worst) return [];
    return addresses.length === 0 ? worst : { ...worst, facts: [["Seen at", clip(addresses.join(", "), 600)], ...(worst.facts ?? [])] };
  });
}
