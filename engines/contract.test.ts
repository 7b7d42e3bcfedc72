import { readdirSync, readFileSync } from "node:fs";
import { Block } from "@periscan/contract/block.ts";
import { Outcome } from "@periscan/contract/outcome.ts";
import { describe, expect, test } from "vitest";
import { ParseError } from "./kit/engine.ts";
import type { EngineSamples, Sample } from "./kit/samples.ts";
import { samples as nmapSamples } from "./nmap/samples/samples.ts";
import { samples as nucleiSamples } from "./nuclei/samples/samples.ts";
import { answerSamples, reportSamples } from "./openvas/samples/samples.ts";
import { engines } from "./registry.ts";
import { samples as sslyzeSamples } from "./sslyze/samples/samples.ts";
import { samples as zapSamples } from "./zap/samples/samples.ts";

const all: EngineSamples[] = [nmapSamples, sslyzeSamples, answerSamples, reportSamples, zapSamples, nucleiSamples];

const cases = all.flatMap((samples) => samples.files.map((file) => ({ samples, file, title: `${file.engine.type} ${file.name}: ${file.of}` })));

const readBytes = ({ folder, extension }: EngineSamples, { name }: Sample) => readFileSync(new URL(`${name}.${extension}`, folder));

async function* inChunks(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function readAll(samples: EngineSamples, file: Sample, bytes: Uint8Array, chunk = 65_536) {
  const outcomes: { address: string; outcome: Outcome }[] = [];
  for await (const each of samples.read(file.name, inChunks(bytes, chunk))) outcomes.push(each);
  return outcomes;
}

test("every engine of the registry has samples, and every sample is used", () => {
  const sampled = new Set(cases.map(({ file }) => file.engine.type));
  expect(engines.filter(({ type }) => !sampled.has(type))).toEqual([]);
  for (const { folder, extension, files } of all) {
    const names = readdirSync(folder).filter((name) => name.endsWith(`.${extension}`));
    expect(names.sort()).toEqual(files.map(({ name }) => `${name}.${extension}`).sort());
  }
});

describe.each(cases)("$title", ({ samples, file }) => {
  const bytes = readBytes(samples, file);

  test("is read as what was there", async () => {
    const outcomes = await readAll(samples, file, bytes);
    const seen = outcomes.map(({ address, outcome }) => [address, outcome.kind, outcome.detections.map(({ key }) => key)]);
    expect(new Set(seen.map((each) => JSON.stringify(each)))).toEqual(new Set(file.expected.map((each) => JSON.stringify(each))));
    for (const { outcome } of outcomes) {
      expect(() => Outcome.parse(outcome)).not.toThrow();
      if (outcome.coverage !== undefined) expect(file.engine.describeCoverage(outcome.coverage)).not.toBe("");
      for (const detection of outcome.detections) {
        if (outcome.kind === "complete") expect(file.engine.readCoverage(outcome.coverage)(detection.scope)).toBe(true);
        for (const block of file.engine.view(detection.detail)) expect(() => Block.parse(block)).not.toThrow();
      }
    }
  });

  test("is read the same in pieces of one byte", async () => {
    expect(await readAll(samples, file, bytes, 1)).toEqual(await readAll(samples, file, bytes));
  });

  test("is refused wherever it is cut off, and what was whole before is the same", async () => {
    const whole = (await readAll(samples, file, bytes)).map((each) => JSON.stringify(each));
    const end = bytes.toString("utf8").trimEnd().length - 1;
    for (let cut = 0; cut < end; cut += Math.ceil(end / 100)) {
      const before: string[] = [];
      const reading = async () => {
        for await (const each of samples.read(file.name, inChunks(bytes.subarray(0, cut), 65_536))) before.push(JSON.stringify(each));
      };
      await expect(reading(), `cut at ${cut}`).rejects.toThrow(ParseError);
      expect(whole.slice(0, before.length), `cut at ${cut}`).toEqual(before);
    }
  });

  test("is refused with bytes changed, or read with outcomes that keep the contract", async () => {
    for (let index = 0; index < 200; index++) {
      const changed = Buffer.from(bytes);
      for (let flips = 0; flips < 3; flips++) changed[Math.floor(Math.random() * changed.length)] = Math.floor(Math.random() * 256);
      try {
        for (const { outcome } of await readAll(samples, file, changed)) Outcome.parse(outcome);
      } catch (error) {
        expect(error, changed.toString("latin1")).toBeInstanceOf(ParseError);
      }
    }
  });
});

test("evidence that is not the engine's is refused by its view", () => {
  for (const engine of engines) for (const detail of [null, {}, [], "x", { port: -1 }]) expect(() => engine.view(detail)).toThrow(ParseError);
});
