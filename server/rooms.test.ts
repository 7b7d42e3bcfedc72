import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/**
 * The rooms of the server in their order (docs/architecture.md draws them): each imports only rooms that stand after it. So no two rooms import each other.
 * A room is a folder; files in the server's own folder are named one by one. The linter refuses circles of files (noImportCycles).
 */
const rooms = [
  ["start-server.ts", "app.ts", "upkeep.ts", "describe-api.ts", "describe-openapi.ts", "operation-ids.ts", "write-openapi.ts"],
  ["samples"],
  ["api"],
  ["schedules"],
  ["imports"],
  ["scans"],
  ["documents"],
  ["reports"],
  ["tasks"],
  ["outcomes"],
  ["risks"],
  ["receivers"],
  ["ownership"],
  ["http"],
  ["events"],
  ["targets"],
  ["services.ts"],
  ["settings"],
  ["present"],
  ["limits"],
  ["access"],
  ["queue"],
  ["files"],
  ["outgoing"],
  ["db"],
  ["render"],
  ["page.ts", "clean-text.ts", "read-switch.ts", "find-unfit.ts"],
  ["errors"],
];

const server = fileURLToPath(new URL(".", import.meta.url));
const isOfTests = (file: string) => /(\.test|testing)\.ts$/.test(file) || file.startsWith("testing/");

const files = readdirSync(server, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !isOfTests(file))
  .sort();
const read = (file: string) => readFileSync(join(server, file), "utf8");

const roomOf = (file: string) => rooms.findIndex((names) => names.includes(file.split("/")[0] ?? ""));

const importsOf = (file: string) =>
  [...read(file).matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, path = ""]) => relative(server, join(server, dirname(file), path)));

test("every file of the server stands in a room", () => {
  expect(files.filter((file) => roomOf(file) === -1)).toEqual([]);
});

test("a room imports only rooms that stand after it", () => {
  const climbing = files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => !imported.startsWith("..") && roomOf(imported) < roomOf(file))
      .map((imported) => `${file} imports ${imported}`),
  );
  expect(climbing).toEqual([]);
});

test("server/tasks/task-rows.ts alone writes rows of `task`", () => {
  const writes = /\b(update|into|delete from) task\b|\.(update|insert|delete)\(task\)/;
  expect(files.filter((file) => writes.test(read(file)))).toEqual(["tasks/task-rows.ts"]);
});
