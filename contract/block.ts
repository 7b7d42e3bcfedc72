import { z } from "zod";

/** A piece of evidence as HTML, PDF, dashboard and command line all draw it. Text is literal: the renderer escapes it. */
export const Block = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("facts"), rows: z.array(z.array(z.string()).length(2)) }),
    z.object({ type: z.literal("table"), columns: z.array(z.string()), rows: z.array(z.array(z.string())) }),
    z.object({ type: z.literal("code"), text: z.string() }),
    z.object({ type: z.literal("list"), items: z.array(z.string()) }),
  ])
  .meta({ id: "Block" });
export type Block = z.infer<typeof Block>;
