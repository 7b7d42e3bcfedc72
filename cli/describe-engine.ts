import type { EngineContent } from "@periscan/contract/scan.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { readSelfTest, type SelfTest } from "@periscan/engines/kit/self-test.ts";

export interface EngineReport {
  type: string;
  title: string;
  program: string;
  ready: boolean;
  version?: string;
  content: EngineContent[];
  /** What is missing and the command that mends it. */
  missing?: string;
  self_test?: SelfTest;
}

/** What is here of an engine: version, content, last self-test; or what is missing. */
export async function describeEngine(enginesFolder: string, engine: Engine): Promise<EngineReport> {
  const { type, title, program } = engine;
  const { ready, version, missing, content = [] } = await (await engine.load()).probe({ enginesFolder });
  const test = readSelfTest(enginesFolder, engine);
  const empty = content.find(({ count }) => count === 0);
  return {
    type,
    title,
    program,
    ready: ready && !empty,
    ...(version ? { version } : {}),
    content,
    ...(missing ? { missing } : empty ? { missing: `${empty.name} is empty: scans would see nothing, and fail.` } : {}),
    ...(test ? { self_test: test } : {}),
  };
}
