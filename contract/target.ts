import { z } from "zod";
import { Observation } from "./outcome.ts";
import { Recording } from "./recording.ts";

const Label = z.string().max(200);
/** Without the spaces around it, which nobody sees. */
export const Tag = z.string().trim().min(1).max(100);
const Tags = z.array(Tag).max(10).describe("At most 10; capitals matter, and one that is there twice counts once.");

/** What a scan with `use_authentication` sends with every request to the target. */
export const TargetLogin = z
  .strictObject({
    kind: z.enum(["header", "cookie"]),
    name: z
      .string()
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, "give the name of a header or cookie (RFC 9110, token)")
      .describe("Such as `Authorization`, or the session's cookie."),
    value: z
      .string()
      .min(1)
      .max(8192)
      .regex(/^[\x20-\x7e]*$/, "give printable ASCII characters"),
  })
  .meta({ id: "TargetLogin" });
export type TargetLogin = z.infer<typeof TargetLogin>;

/** A recording that logs in: it is replayed in a browser before the scan, which then sends the session that it brought. */
export const RecordedLogin = z.object({ kind: z.literal("recording"), name: z.string(), recording: Recording });
export type RecordedLogin = z.infer<typeof RecordedLogin>;

/** What is told of a login: never its value. */
export const KnownTargetLogin = z
  .object({
    kind: z.enum(["header", "cookie", "recording"]),
    name: z.string().describe("Of the header or cookie; of a recording the names of its project and its test."),
    updated_at: z.iso.datetime().describe("When it was set."),
  })
  .meta({ id: "KnownTargetLogin" });
export type KnownTargetLogin = z.infer<typeof KnownTargetLogin>;

export const Target = z.object({ id: z.string(), target: z.string(), label: z.string(), tags: z.array(z.string()) }).meta({ id: "Target" });
export type Target = z.infer<typeof Target>;

export const NewTarget = z.strictObject({ target: z.string().min(1).max(2048), label: Label.optional(), tags: Tags.optional() }).meta({ id: "NewTarget" });
export type NewTarget = z.infer<typeof NewTarget>;

export const TargetUpdate = z.strictObject({ label: Label.optional(), tags: Tags.optional() }).meta({ id: "TargetUpdate" });
export type TargetUpdate = z.infer<typeof TargetUpdate>;

/** What engines saw of a target over all scans, with its first and last sight. */
export const TargetObservation = z
  .object({
    id: z.string(),
    scan_type: z.string().describe("The scan type that saw it."),
    seen: Observation,
    first_seen_at: z.iso.datetime(),
    last_seen_at: z.iso.datetime(),
    gone_at: z.iso.datetime().optional().describe("When a complete look did not see it again."),
  })
  .meta({ id: "TargetObservation" });
export type TargetObservation = z.infer<typeof TargetObservation>;
