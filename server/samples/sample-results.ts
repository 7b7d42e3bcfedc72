import { Readable } from "node:stream";
import { findEngine } from "@periscan/engines/registry.ts";
import type { FixedFile } from "../http/send-file.ts";
import { renderResult } from "../render/render-result.ts";
import { readNative } from "./engine-samples.ts";
import { makeOnce } from "./make-once.ts";
import { type FinishedSample, finishedSamples } from "./sample-scans.ts";

const kinds = ["native", "html", "pdf", "json"] as const;

/** A file of a sample scan, made by the renderers that make the real ones; undefined where there is none of that id. */
export async function findSampleFile(id: string): Promise<FixedFile | undefined> {
  for (const finished of finishedSamples) {
    const ordinal = finished.scan.results.findIndex(({ result_id }) => result_id === id);
    const kind = kinds[ordinal];
    if (kind === undefined) continue;
    const content = await makeOnce(id, () => makeContent(kind, finished));
    return {
      identity: `sample ${id}`,
      bytes: content.length,
      contentType: finished.scan.results[ordinal]?.content_type ?? "",
      fileName: nameFile(kind, finished),
      read: ({ start, end }) => Readable.from([content.subarray(start, end + 1)]),
    };
  }
  return undefined;
}

const makeContent = async (kind: (typeof kinds)[number], { sample, document }: FinishedSample): Promise<Buffer> =>
  kind === "native" ? readNative(sample) : Buffer.from(await renderResult(kind, document));

function nameFile(kind: (typeof kinds)[number], { scan }: FinishedSample): string {
  const stem = `sample-${scan.type.toLowerCase().replaceAll("_", "-")}`;
  if (kind === "native") return `${stem}-native.${findEngine(scan.type).native.extension}`;
  return `${stem}.${kind}`;
}
