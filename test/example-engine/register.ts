import { findEngine } from "@periscan/engines/registry.ts";
import { greetingEngine } from "./index.ts";

// What a line of the registry does, for every process and thread that is started with `--import` of this file.
Object.assign(findEngine(greetingEngine.type), greetingEngine);
