import type { EngineRunner } from "../kit/engine.ts";
import { folderName, install, probe } from "./install.ts";
import { nameFormat, readNucleiFile } from "./read-nuclei-file.ts";
import { runNuclei } from "./run.ts";
import { selfTest } from "./self-test.ts";

/** What the worker asks of the engine, put together. */
export const runner: EngineRunner = { build: folderName, probe, install, run: runNuclei, recognise: nameFormat, read: readNucleiFile, selfTest };
