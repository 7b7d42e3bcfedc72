import { z } from "zod";

/** Every error of the API. `code` is stable; `message` is a sentence for a person. */
export const Problem = z
  .object({
    error: z.object({
      code: z.string().describe("Stable, such as `scan.not_found`."),
      message: z.string(),
      field: z.string().optional().describe("The field at fault, such as `targets[3]`."),
      request_id: z.string(),
    }),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;
