import { DrizzleQueryError } from "drizzle-orm";
import pino from "pino";
import { expect, test } from "vitest";
import { shortenError } from "./shorten-error.ts";

test("the log of a statement that failed has its cause, and not what was to be written", () => {
  const lines: string[] = [];
  const log = pino({ serializers: { err: shortenError } }, { write: (line: string) => lines.push(line) });
  const evidence = "evidence ".repeat(100_000);
  log.error({ err: new DrizzleQueryError("insert into detection select $1", [evidence], new Error("could not extend file")) }, "request failed");
  log.error({ err: "only a text" }, "request failed");
  const [line = "", text = ""] = lines;
  expect(line).toContain("could not extend file");
  expect(line).toContain("insert into detection");
  expect(line).toContain("shorten-error.test.ts");
  expect(line).not.toContain("evidence");
  expect(text).toContain("only a text");
});
