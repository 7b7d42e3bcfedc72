import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { closedServices, openServices } from "../../test/targets/exposed-services.ts";
import { lookAlikeSites } from "../../test/targets/exposed-site.ts";
import { behaviours, exposures } from "../../test/targets/exposures.ts";
import { askProgram } from "../kit/ask-program.ts";
import { pinForTest, testEnginesFolder } from "../kit/testing.ts";
import { makeScope, readCoverage } from "./coverage.ts";
import { findTemplates, ownTemplatesFolder } from "./find-templates.ts";
import { nuclei } from "./index.ts";
import { findNuclei } from "./install.ts";
import { anyPage, id, keysOf, makeTemplate, scan, scanOne, serve, siteAt, useNuclei, useTemplates } from "./run-for-test.ts";

useNuclei();

describe("the templates of ours", () => {
  test("are valid for Nuclei, named as ours, and say what, why, what to do and where to read on", async () => {
    const file = (await findNuclei(testEnginesFolder))?.file ?? "";
    const args = ["-validate", "-templates", ownTemplatesFolder, "-duc", "-nc", "-no-stdin"];
    const { stderr } = await askProgram({ file, args, seconds: 60 });
    expect(stderr).toContain("All templates validated successfully");
    const set = findTemplates(ownTemplatesFolder);
    expect(set.templates.size).toBeGreaterThanOrEqual(40);
    for (const [path, template] of set.templates) {
      const text = readFileSync(path, "utf8");
      expect(template.id, path).toMatch(/^periscan-[a-z0-9-]+$/);
      for (const field of ["description", "remediation", "reference", "cwe-id"]) expect(text, path).toMatch(new RegExp(`^\\s+${field}:`, "m"));
      // A status alone tells nothing of what is there.
      expect(text, path).toMatch(/type: (word|regex|dsl|binary)/);
    }
  });

  test("each hit exactly once on what they are for, with evidence, and the outcome is complete", async () => {
    const sites = [...new Set(exposures.map(({ site }) => site))];
    const listeners = [
      ...(await Promise.all(sites.map((site) => serve({ site })))),
      ...(await Promise.all(Object.keys(openServices).map((service) => serve({ service })))),
    ];
    const { outcomes } = await scan(listeners.map(({ site, port }) => (site ? siteAt(port) : pinForTest(`127.0.0.1:${port}`))));
    expect(outcomes.map(({ outcome }) => [outcome.kind, outcome.reason])).toEqual(listeners.map(() => ["complete", undefined]));
    const hits = outcomes.flatMap(({ outcome }) => keysOf(outcome)).sort();
    const wanted = [...exposures.map(({ template }) => template), ...behaviours, ...Object.keys(openServices)].map(id).sort();
    expect(hits).toEqual(wanted);
    expect(wanted).toEqual([...findTemplates(ownTemplatesFolder).templates.values()].map((template) => template.id).sort());
    for (const { outcome, native } of outcomes) {
      expect(native.split("\n")).toHaveLength(outcome.detections.length);
      for (const detection of outcome.detections) {
        expect(readCoverage(outcome.coverage)(detection.scope), detection.key).toBe(true);
        expect(Buffer.byteLength(JSON.stringify(detection.detail))).toBeLessThan(20_000);
        expect(
          nuclei.view(detection.detail).some(({ type }) => type === "code"),
          detection.key,
        ).toBe(true);
        expect(
          [detection.description, detection.solution].every((text) => /\.$/.test(text)),
          detection.key,
        ).toBe(true);
      }
    }
  });

  test.each(lookAlikeSites)("find nothing on a site that answers everything: %s", async (site) => {
    const { port } = await serve({ site });
    const { outcome } = await scanOne([siteAt(port)]);
    expect([outcome.kind, outcome.reason, keysOf(outcome)]).toEqual(["complete", undefined, []]);
  });

  test("find nothing on services that let nobody in", async () => {
    const listeners = await Promise.all(Object.keys(closedServices).map((service) => serve({ service })));
    const { outcomes } = await scan(listeners.map(({ port }) => pinForTest(`127.0.0.1:${port}`)));
    expect(outcomes.map(({ outcome }) => [outcome.kind, outcome.reason, keysOf(outcome)])).toEqual(listeners.map(() => ["complete", undefined, []]));
  });
});

describe("templates of the user's", () => {
  test("are named as the user's; one of unknown severity makes the outcome partial, a broken one is told", async () => {
    const { port } = await serve({ site: "main" });
    useTemplates({ shop: makeTemplate("shop", anyPage("{{BaseURL}}/"), "unknown"), broken: makeTemplate("broken", "http:\n  - method: GET\n    nonsense: [") });
    expect(await (await nuclei.load()).probe({ enginesFolder: testEnginesFolder })).toMatchObject({ ready: true, content: [{ origin: "user" }] });
    const { outcome } = await scanOne([siteAt(port)]);
    expect([outcome.kind, keysOf(outcome)]).toEqual(["partial", ["shop"]]);
    expect(outcome.reason).toContain("shop");
    expect(outcome.notes.join(" ")).toContain("left out 1 template");
    expect(readCoverage(outcome.coverage)(makeScope("broken", `http://shop.example:${port}`))).toBe(false);
  });

  test("with tags that are dangerous run only where the scan asks for it, and never where they stop services", async () => {
    const tagged = (name: string) => makeTemplate(name, anyPage("{{BaseURL}}/")).replace("info:\n", `info:\n  tags: ${name}\n`);
    useTemplates({ dos: tagged("dos"), intrusive: tagged("intrusive"), bruteforce: tagged("bruteforce"), tame: tagged("tame") });
    const { port } = await serve({ site: "main" });
    expect(keysOf((await scanOne([siteAt(port)])).outcome)).toEqual(["tame"]);
    const { outcome } = await scanOne([siteAt(port)], { allow_intrusive: true, allow_brute_force: true });
    expect(keysOf(outcome)).toEqual(["bruteforce", "intrusive", "tame"]);
  });
});
