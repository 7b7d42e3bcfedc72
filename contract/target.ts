import { z } from "zod";

const Label = z.string().max(200);
const Tags = z.array(z.string().min(1).max(100)).max(10);

export const Target = z.object({ id: z.string(), target: z.string(), label: z.string(), tags: z.array(z.string()) }).meta({ id: "Target" });
export type Target = z.infer<typeof Target>;

export const NewTarget = z.strictObject({ target: z.string().min(1).max(2048), label: Label.optional(), tags: Tags.optional() }).meta({ id: "NewTarget" });
export type NewTarget = z.infer<typeof NewTarget>;

export const TargetUpdate = z.strictObject({ label: Label.optional(), tags: Tags.optional() }).meta({ id: "TargetUpdate" });
export type TargetUpdate = z.infer<typeof TargetUpdate>;
