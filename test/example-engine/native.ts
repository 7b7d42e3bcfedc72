import type { NativeFormat } from "@periscan/engines/kit/engine.ts";

/** The lines of the program in a JSON list. */
export const native: NativeFormat = { contentType: "application/json", extension: "json", head: () => "[\n", separator: ",\n", tail: () => "\n]\n" };
