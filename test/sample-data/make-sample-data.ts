import { readFileSync } from "node:fs";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import type { EngineSamples } from "@periscan/engines/kit/samples.ts";
import { samples as nmap } from "@periscan/engines/nmap/samples/samples.ts";
import { samples as nuclei } from "@periscan/engines/nuclei/samples/samples.ts";
import { reportSamples as openvas } from "@periscan/engines/openvas/samples/samples.ts";
import { samples as sslyze } from "@periscan/engines/sslyze/samples/samples.ts";
import { samples as zap } from "@periscan/engines/zap/samples/samples.ts";

/** The samples that `test-data-key` shows: of each scan type one that says much, and one of a target that does not answer. */
const chosen: { type: ScanType; name: string; samples: EngineSamples; engineVersion: string }[] = [
  { type: "NMAP", name: "many", samples: nmap, engineVersion: "Nmap 7.93" },
  { type: "NMAP", name: "unreachable", samples: nmap, engineVersion: "Nmap 7.93" },
  { type: "NMAP_UDP", name: "udp", samples: nmap, engineVersion: "Nmap 7.93" },
  { type: "SSLYZE", name: "weak", samples: sslyze, engineVersion: "SSLyze 6.3.1" },
  { type: "OPENVAS", name: "many", samples: openvas, engineVersion: "OpenVAS 23.45.1" },
  { type: "OWASP_ZAP", name: "two", samples: zap, engineVersion: "ZAP 2.17.0" },
  { type: "OWASP_ZAP_ACTIVE", name: "active", samples: zap, engineVersion: "ZAP 2.17.0" },
  { type: "NUCLEI", name: "many", samples: nuclei, engineVersion: "Nuclei 3.7.1" },
];

/**
 * The files of server/samples/engines: what the engines' readers read from their samples, and the samples themselves. The server never reads what an engine printed,
 * so it is read here, once.
 */
export async function makeSampleData(): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const scans = [];
  for (const { type, name, samples, engineVersion } of chosen) {
    const native = readFileSync(new URL(`${name}.${samples.extension}`, samples.folder));
    const file = `${type.toLowerCase().replaceAll("_", "-")}-${name}.${samples.extension}`;
    const targets: { target: string; outcome: Outcome }[] = [];
    for await (const { address, outcome } of samples.read(name, whole(native))) targets.push({ target: canonical(address), outcome });
    files.set(file, type === "NUCLEI" ? keepHits(native) : native);
    scans.push({ type, engine_version: engineVersion, file, targets });
  }
  files.set("scans.json", Buffer.from(`${JSON.stringify(scans, undefined, 1)}\n`));
  return files;
}

/** As a target of Periscan is written. */
function canonical(address: string): string {
  const parsed = parseTarget(address);
  if (!parsed.ok || !parsed.targets[0]) throw new Error(`${address} is no target`);
  return parsed.targets[0].text;
}

/** A sample of Nuclei has its log and its standard error too; a scan's result has the hits alone. */
const keepHits = (sample: Buffer): Buffer => {
  const lines = sample.toString().split("\n");
  return Buffer.from(`${lines.filter((line) => line.startsWith('{"template-id":')).join("\n")}\n`);
};

async function* whole(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
