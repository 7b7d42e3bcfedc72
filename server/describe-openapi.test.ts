import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeOpenApi } from "./describe-openapi.ts";

test("the committed openapi.json is what the server says of itself (mend: node server/write-openapi.ts)", async () => {
  expect(readFileSync(new URL("../openapi.json", import.meta.url), "utf8")).toBe(await describeOpenApi());
});
