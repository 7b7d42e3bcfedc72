import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { makeSampleData } from "./make-sample-data.ts";

// Writes server/samples/engines anew: after a change of an engine's samples or reader.

const folder = new URL("../../server/samples/engines/", import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
for (const [name, content] of await makeSampleData()) writeFileSync(new URL(name, folder), content);
