import { z } from "zod";

const Count = z.int().min(0);

/** What became of the results in an imported file. `results = risks + joined + left out`. */
export const ImportCounts = z.object({
  results: Count.describe("Results in the file: what its format calls a result, a hit, an alert, an open port."),
  risks: Count.describe("Those that stand as a risk of their target. One that a later look knows to be gone opens nothing."),
  joined: Count.describe("Those for which the risk of another result of the file speaks too, such as a second sight of the same place."),
  left_out: z
    .array(z.object({ reason: z.string().min(1).max(500), count: Count }))
    .max(100)
    .describe("Those that are no risk here, by reason."),
});
export type ImportCounts = z.infer<typeof ImportCounts>;
