import { readFileSync } from "node:fs";
import openapiTypes, { astToString, COMMENT_HEADER } from "openapi-typescript";
import { expect, test } from "vitest";

test("the types are those of openapi.json (mend: npm run generate --workspace sdk)", async () => {
  const made = `${COMMENT_HEADER}${astToString(await openapiTypes(new URL("../openapi.json", import.meta.url), { defaultNonNullable: false }))}`;
  expect(readFileSync(new URL("openapi-types.ts", import.meta.url), "utf8")).toBe(made);
});
