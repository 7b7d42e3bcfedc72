import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeOpenApi } from "./describe-openapi.ts";
import { operationIds } from "./operation-ids.ts";
import { maxFiltersBytes } from "./page.ts";

interface Parameter {
  name: string;
  schema?: { type?: string; maxLength?: number; contentMediaType?: string; contentSchema?: object };
  content?: object;
}

interface Operation {
  operationId: string;
  tags: string[];
  security?: object[];
  parameters?: Parameter[];
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

const file = readFileSync(new URL("../openapi.json", import.meta.url), "utf8");
const document = JSON.parse(file) as { tags: { name: string; description: string }[]; paths: Record<string, Record<string, Operation>> };
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, ...operation })),
);

test("the committed openapi.json is what the server says of itself (mend: node server/write-openapi.ts)", async () => {
  expect(file).toBe(await describeOpenApi());
});

// What generators of clients stumbled over (test/generated-clients runs three of them).
describe("openapi.json", () => {
  test("names each operation once, verb first, and names nothing else", () => {
    const ids = operations.map(({ operationId }) => operationId);
    for (const id of ids) expect(id).toMatch(/^[a-z]+([A-Z][a-z]+)+$/);
    expect(new Set(ids).size).toBe(ids.length);
    expect(operations.map(({ name }) => name).sort()).toEqual(Object.keys(operationIds).sort());
  });

  test("describes each tag, and has each tag", () => {
    const used = new Set(operations.flatMap(({ tags }) => tags));
    expect(document.tags.map(({ name }) => name).sort()).toEqual([...used].sort());
    for (const { name, description } of document.tags) expect(description, name).toMatch(/^[A-Z].{20,}\.$/);
  });

  test("says of each operation whether it needs a key", () => {
    for (const { name, security } of operations) expect(security, name).toEqual(/ \/(healthz|readyz)$/.test(name) ? [] : [{ key: [] }, { bearer: [] }]);
  });

  test("has no schema that is a boolean, and no tuple", () => {
    const schemas: unknown[] = [];
    JSON.parse(file, (key, value) => {
      if (key === "items" || key === "prefixItems") schemas.push(value);
      return value;
    });
    expect(schemas.filter((schema) => typeof schema !== "object" || Array.isArray(schema))).toEqual([]);
  });

  test("has JSON in a parameter as a text with its schema, no longer than an address may be", () => {
    const parameters = operations.flatMap(({ parameters = [] }) => parameters);
    expect(parameters.filter(({ content }) => content !== undefined)).toEqual([]);
    const filters = parameters.filter(({ name }) => name === "filters");
    expect(filters.length).toBeGreaterThan(5);
    for (const { schema } of filters)
      expect(schema).toMatchObject({
        type: "string",
        format: "json-text",
        maxLength: maxFiltersBytes,
        contentMediaType: "application/json",
        contentSchema: { type: "object" },
      });
  });

  test("has files as binary, and everything else as JSON with a schema", () => {
    const downloads = operations.filter(({ operationId }) => /^(download|export)/.test(operationId));
    expect(downloads).toHaveLength(5);
    for (const { name, operationId, responses } of operations)
      for (const [type, { schema }] of Object.entries(responses[200]?.content ?? {}))
        if (/^(download|export)/.test(operationId)) expect(schema, `${name} ${type}`).toMatchObject({ type: "string", format: "binary" });
        else expect([type, Object.keys(schema).length > 0], name).toEqual(["application/json", true]);
  });

  test("documents that any request may be too large in its head", () => {
    for (const { name, responses } of operations) expect(Object.keys(responses), name).toContain("431");
  });
});
