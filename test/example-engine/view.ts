import type { Block } from "@periscan/contract/block.ts";
import { ParseError } from "@periscan/engines/kit/engine.ts";
import { z } from "zod";

const Detail = z.object({ port: z.int().min(1), greeting: z.string().min(1) });

/** The greeting, as it came. */
export function view(value: unknown): Block[] {
  const detail = Detail.safeParse(value);
  if (!detail.success) throw new ParseError("This is not a greeting.", { cause: detail.error });
  return [{ type: "code", text: detail.data.greeting }];
}
