import type { NativeFormat } from "../kit/engine.ts";

/** Nuclei's own JSONL: each hit a line, as Nuclei printed it. */
export const native: NativeFormat = { contentType: "application/json", extension: "jsonl", head: () => "", separator: "\n", tail: () => "\n" };
