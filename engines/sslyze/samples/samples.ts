import type { EngineSamples } from "../../kit/samples.ts";
import { sslyze } from "../index.ts";
import { readSslyzeJson } from "../read-sslyze-json.ts";
import { readOutcome } from "../read-outcome.ts";

export const samples: EngineSamples = {
  folder: new URL(".", import.meta.url),
  extension: "json",
  files: [],
  read: readSample,
};

async function* readSample(_name: string, output: AsyncIterable<Uint8Array>) {
  const { servers, completedAt } = await readSslyzeJson(output);
  for (const { result } of servers) {
    const { port, hostname } = result.server_location;
    const facts = { at: completedAt, profile: "none" as const, mustSpeakHttp: false };
    yield { address: `${hostname}:${port}`, outcome: readOutcome([{ kind: "read", port, result, facts }]) };
  }
}
