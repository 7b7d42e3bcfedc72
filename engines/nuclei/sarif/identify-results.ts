import { createHash } from "node:crypto";
import { cleanText } from "../clean-text.ts";
import type { Place } from "./resolve-place.ts";
import type { Result } from "./schema.ts";

/** What tells a result from another. */
export interface Sight {
  tool: string;
  /** Empty where the result names no rule. */
  rule: string;
  message: string;
  place: Place;
  fingerprints: string;
}

/** The tool's own, complete ones before partial ones (3.27.17); what is no text is none. */
export function readFingerprints({ fingerprints, partialFingerprints }: Result): string {
  const prints = [fingerprints, partialFingerprints].map((values) =>
    Object.entries(values ?? {}).flatMap(([name, value]) => (typeof value === "string" ? [`${name}=${value}`] : [])),
  );
  return (prints.find(({ length }) => length > 0) ?? []).toSorted().join("&");
}

/**
 * Gives each result of a file its key. The tool's fingerprint comes first, for lines move. Many tools write one that several places share; such a one is
 * no identity, and what follows is tried: line and column, then all places of the result, then its message too. Results with one key are the same
 * in all of these, and nothing is lost where they are joined. The key depends on nothing but what the results say, so the same file has the same keys.
 */
export function identifyResults<T extends Sight>(sights: T[]): Map<string, T[]> {
  const rows = sights.map((sight) => ({ sight, whole: describeWhole(sight), names: listNames(sight), level: 0 }));
  // What gives up a shared name may meet others at its next one, so all are grouped anew. There are four kinds of names, and so four rounds at most.
  for (;;) {
    const groups = Map.groupBy(rows, ({ names, level }) => names[level] ?? "");
    const shared = [...groups.values()].filter((group) => group.some(({ whole }) => whole !== group[0]?.whole));
    if (shared.length === 0) return new Map([...groups].map(([name, group]) => [makeKey(name), group.map(({ sight }) => sight)]));
    for (const row of shared.flat()) row.level += 1;
  }
}

const describeWhole = ({ tool, rule, message, place }: Sight): string => JSON.stringify([tool, rule, place.whole, message]);

/** From the one that lasts longest to the one that tells most. The first word keeps a name of one kind from being one of another. */
function listNames(sight: Sight): string[] {
  const { tool, rule, place, fingerprints } = sight;
  const names = [
    ...(fingerprints === "" ? [] : [["fingerprint", `${place.file}#${fingerprints}`]]),
    // Of two results without a place only the message tells which is which, today and in the next file.
    ...(place.name === ""
      ? []
      : [
          ["place", place.name],
          ["places", `${place.name}#${hash(JSON.stringify([tool, rule, place.whole]))}`],
        ]),
    ["message", `${place.name}#${hash(describeWhole(sight))}`],
  ];
  return names.map(([kind, where]) => `sarif:${kind}:${tool}:${rule}@${where}`);
}

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A key has at most 500 characters, all of them printable. */
function makeKey(name: string): string {
  const key = cleanText(name);
  return key === name && key.length <= 500 ? key : `${key.slice(0, 400)}#${hash(name)}`;
}
