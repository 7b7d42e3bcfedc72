import { z } from "zod";

const Label = z.string().max(200);
const Tags = z.array(z.string().min(1).max(100)).max(10);

/** What a scan with `use_authentication` sends with every request to the target. */
export const TargetLogin = z
  .strictObject({
    kind: z.enum(["header", "cookie"]),
    name: z
      .string()
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, "give the name of a header or cookie (RFC 9110, token)")
      .describe("Such as `Authorization`, or the session's cookie."),
    value: z.string().min(1).max(8192).regex(/^[\x20-\x7e]*$/, "give printable ASCII characters"),
  })
  .meta({ id: "TargetLogin" });
export type TargetLogin = z.infer<typeof TargetLogin>;

export const Target = z.object({ id: z.string(), target: z.string(), label: z.string(), tags: z.array(z.string()) }).meta({ id: "Target" });
export type Target = z.infer<typeof Target>;

export const NewTarget = z.strictObject({ target: z.string().min(1).max(2048), label: Label.optional(), tags: Tags.optional() }).meta({ id: "NewTarget" });
export type NewTarget = z.infer<typeof NewTarget>;

export const TargetUpdate = z.strictObject({ label: Label.optional(), tags: Tags.optional() }).meta({ id: "TargetUpdate" });
export type TargetUpdate = z.infer<typeof TargetUpdate>;
