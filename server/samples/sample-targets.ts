import type { KnownTargetLogin, Target, TargetObservation } from "@periscan/contract/target.ts";
import { engineSamples } from "./engine-samples.ts";
import { sampleId, sampleTime } from "./sample-facts.ts";

/** The ids of the first two are those of the documented example. */
const rows: [id: string, target: string, label: string, tags: string[]][] = [
  ["123", "198.18.30.3", "Mail and database server", ["production", "mail"]],
  ["456", "198.18.30.2", "Build server", ["internal"]],
  ["789", "198.18.30.1", "Name and time server", ["production"]],
  ["1001", "198.18.30.77", "Old printer", ["internal"]],
  ["1002", "localhost:4433", "Shop before its renewal", ["legacy", "web"]],
  ["1003", "127.0.0.2", "Intranet", ["internal", "web"]],
  ["1004", "127.0.0.3", "Intranet, stand-by", ["internal", "web"]],
  ["1005", "10.200.9.9", "", []],
  ["1006", "http://site.test:36735/", "Site", ["production", "web"]],
  ["1007", "https://site.test:42781/", "Site over TLS", ["production", "web"]],
  ["1008", "127.0.0.1", "Blog", ["web"]],
];

export const sampleTargets: Target[] = rows.map(([id, target, label, tags]) => ({ id, target, label, tags }));

/** The sample's target of that text. */
export function findSampleTarget(text: string): Target {
  const found = sampleTargets.find(({ target }) => target === text);
  if (!found) throw new Error(`the sample data has no target ${text}`);
  return found;
}

/** Of one target alone; the others have none. */
export const sampleLogin: { targetId: string } & KnownTargetLogin = { targetId: "123", kind: "header", name: "Authorization", updated_at: sampleTime(0) };

export const sampleObservations: (TargetObservation & { target_id: string })[] = engineSamples
  .flatMap(({ type, targets }) => targets.flatMap(({ target, outcome }) => (outcome.observations ?? []).map((seen) => ({ type, target, seen }))))
  .map(({ type, target, seen }, index) => ({
    id: sampleId("observation", index + 1),
    target_id: findSampleTarget(target).id,
    scan_type: type,
    seen,
    first_seen_at: sampleTime(0),
    last_seen_at: sampleTime(60),
  }));
