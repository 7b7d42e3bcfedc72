import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineContent } from "@periscan/contract/scan.ts";
import { z } from "zod";
import type { Zap } from "./find-zap.ts";
import type { Rules } from "./read-rules.ts";

/** What a ZAP said of itself when it last ran: to ask it anew every few seconds would take a JVM 3 s each time. */
const ContentRecord = z.object({ version: z.string().max(100), passive: EngineContent, active: EngineContent });
export type ContentRecord = z.infer<typeof ContentRecord>;

export function readContentRecord(enginesFolder: string, zap: Zap): ContentRecord | undefined {
  try {
    return ContentRecord.parse(JSON.parse(readFileSync(fileOf(enginesFolder, zap), "utf8")));
  } catch {
    return undefined;
  }
}

export function writeContentRecord(enginesFolder: string, zap: Zap, version: string, { passive, active }: Rules): void {
  const file = fileOf(enginesFolder, zap);
  const record: ContentRecord = { version, passive: passive.content, active: active.content };
  const text = `${JSON.stringify(record)}\n`;
  mkdirSync(join(file, ".."), { recursive: true, mode: 0o755 });
  if (JSON.stringify(readContentRecord(enginesFolder, zap)) === text.trim()) return;
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
}

/** A ZAP that changes its add-ons is another: its folder `plugin` changes with them. */
function fileOf(enginesFolder: string, zap: Zap): string {
  const name = zap.kind === "running" ? zap.url : `${zap.folder}\n${modifiedAt(zap.folder)}\n${modifiedAt(join(zap.folder, "plugin"))}`;
  return join(enginesFolder, "zap-content", `${createHash("sha256").update(name).digest("hex").slice(0, 32)}.json`);
}

function modifiedAt(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
