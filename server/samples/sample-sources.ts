import type { Source } from "@periscan/contract/source.ts";
import { sampleId, sampleTime } from "./sample-facts.ts";

/** In the order of the list. */
export const sampleSources: Source[] = ["Branch office", "Penetration test"].map((name, index) => ({
  id: sampleId("source", index + 1),
  source_type: "IMPORTED",
  name,
  created_at: sampleTime(-1440 + index),
}));
