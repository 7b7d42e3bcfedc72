import { createReadStream } from "node:fs";
import type { ScanType } from "@periscan/contract/scan.ts";
import { decodeHead } from "@periscan/engines/kit/decode-text.ts";
import { engines } from "@periscan/engines/registry.ts";

/** What no engine reads and people send all the same. */
const others: [name: string, isIt: (head: string) => boolean][] = [
  ["one that is compressed (gzip): unpack it first", (head) => head.startsWith("\u001f")],
  ["a ZIP archive: unpack it first", (head) => head.startsWith("PK\u0003\u0004")],
  ["a PDF, which is for people: export the engine's own format", (head) => head.startsWith("%PDF-")],
  ["a web page, which is for people: export the engine's own format", (head) => /^\s*<(!DOCTYPE html|html)\b/i.test(head)],
  ["a report of Nessus, which cannot be imported", (head) => head.includes("<NessusClientData")],
  ["a report of Burp, which cannot be imported", (head) => /<issues\s[^>]*burpVersion/.test(head)],
];

/** A sentence that says what a file looks like that could not be read as `type`; empty where it looks like that, or like nothing that is known. */
export async function nameFormat(path: string, type: ScanType): Promise<string> {
  const head = decodeHead(Buffer.concat(await createReadStream(path, { end: 4095 }).toArray()));
  const seen = await Promise.all(engines.map(async (engine) => ({ type: engine.type, name: (await engine.load()).recognise(head) })));
  const known = seen.filter(({ name }) => name !== undefined);
  if (known.some((each) => each.type === type)) return "";
  if (known[0]?.name) return ` The file looks like ${known[0].name}: import it as ${known.map((each) => each.type).join(" or ")}.`;
  const other = others.find(([, isIt]) => isIt(head));
  return other ? ` The file looks like ${other[0]}.` : "";
}
