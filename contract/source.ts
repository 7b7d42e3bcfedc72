import { z } from "zod";

/** Where imported results come from. `id` comes first: a published client cuts it out of the answer by its place. */
export const Source = z.object({ id: z.string(), source_type: z.literal("IMPORTED"), name: z.string(), created_at: z.iso.datetime() }).meta({ id: "Source" });
export type Source = z.infer<typeof Source>;

export const NewSource = z
  .strictObject({
    source_type: z.literal("IMPORTED"),
    name: z.string().trim().min(1).max(200).describe("What people call it, such as `Nmap of the branch offices`."),
  })
  .meta({ id: "NewSource" });
export type NewSource = z.infer<typeof NewSource>;
