import { z } from "zod";

/** `unverified`: not begun. `pending`: begun, and not looked at yet. `failed`: the last look found no proof. */
export const OwnershipState = z.enum(["unverified", "pending", "verified", "failed"]).meta({ id: "OwnershipState" });
export type OwnershipState = z.infer<typeof OwnershipState>;

export const OwnershipWay = z.enum(["dns", "file", "meta"]).meta({ id: "OwnershipWay" });
export type OwnershipWay = z.infer<typeof OwnershipWay>;

/** One place that was looked at. */
export const OwnershipLook = z
  .object({
    way: OwnershipWay,
    place: z.string().describe("The name of the record, or the URL."),
    found: z.boolean(),
    reason: z.string().optional().describe("Why the proof was not found there."),
  })
  .meta({ id: "OwnershipLook" });
export type OwnershipLook = z.infer<typeof OwnershipLook>;

/** Whether the workspace has proven that a target is its own. */
export const Ownership = z
  .object({
    root: z.string().describe("The name or address that is proven: the target's own, or a domain above it."),
    state: OwnershipState,
    required: z.boolean().describe("Whether this server scans only what is proven."),
    covers_subdomains: z.boolean(),
    token: z.string().optional().describe("What to publish, in one of the ways; absent before it is begun."),
    ways: z
      .object({
        dns: z
          .object({ names: z.array(z.string()), value: z.string() })
          .optional()
          .describe("A TXT record at one of the names. Not for addresses."),
        file: z.object({ urls: z.array(z.string()), content: z.string() }).describe("A file with this line at one of the URLs."),
        meta: z.object({ urls: z.array(z.string()), tag: z.string() }).describe("This tag in the head of the page at one of the URLs."),
      })
      .optional(),
    verified_by: OwnershipWay.optional(),
    verified_at: z.iso.datetime().optional().describe("When the proof was last found."),
    checked_at: z.iso.datetime().optional().describe("When it was last looked for."),
    reason: z.string().optional().describe("Why the last look found no proof."),
    looks: z.array(OwnershipLook).optional().describe("What the last look saw."),
  })
  .meta({ id: "Ownership" });
export type Ownership = z.infer<typeof Ownership>;
