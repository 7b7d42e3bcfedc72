import type { Keys } from "@periscan/server/access/keys.ts";
import type { Command } from "commander";
import { cleanLine, formatTime, printJson } from "../print.ts";
import { addFormat, type Format, printList } from "../print-list.ts";
import { UserError } from "../user-error.ts";
import { withDatabase } from "../with-database.ts";

export function addKeyCommand(program: Command): void {
  const key = program.command("key").description("API keys and worker tokens of this installation (its data folder, or DATABASE_URL).");
  key
    .command("create")
    .description("Make a key. It is shown once and cannot be read again.")
    .argument("<name>", "what it is for; of a worker's token the worker's name")
    .option("--workspace <name>", "the workspace whose data it opens; a new name makes a new one", "default")
    .option("--worker", "a token for the worker of that name instead of an API key")
    .option("--from <block...>", "the worker's token may be used from these addresses or blocks alone")
    .option("--json", "as JSON")
    .addHelpText("after", '\nExamples:\n  periscan key create "CI of the web team"\n  periscan key create office-1 --worker --from 198.51.100.0/24\n')
    .action(createKey);
  addFormat(key.command("list").description("List the keys, without their secrets."))
    .addHelpText("after", "\nExample:\n  periscan key list\n")
    .action(listKeys);
  key
    .command("revoke")
    .description("End a key now.")
    .argument("<id>", "the key's id, from `periscan key list`")
    .addHelpText("after", "\nExample:\n  periscan key revoke 0199d3a2-…\n")
    .action(revokeKey);
}

const withKeys = <T>(action: (keys: Keys) => Promise<T>): Promise<T> =>
  withDatabase(async (databaseUrl) => {
    const { openKeys } = await import("@periscan/server/access/keys.ts");
    const keys = await openKeys(databaseUrl);
    try {
      return await action(keys);
    } finally {
      await keys.close();
    }
  });

interface NewKey {
  workspace: string;
  worker?: boolean;
  from?: string[];
  json?: boolean;
}

async function createKey(name: string, { workspace, worker, from, json }: NewKey): Promise<void> {
  if (from && !worker) throw new UserError("--from is for a worker's token: add --worker.", { exitCode: 2 });
  if (name.trim() === "" || name.length > 200 || workspace.trim() === "" || workspace.length > 200)
    throw new UserError("A name has 1 to 200 characters.", { exitCode: 2 });
  const made = await withKeys<{ id: string; key?: string; token?: string }>((keys) =>
    worker ? keys.createWorkerToken({ name, networks: from }) : keys.createApiKey({ name, workspace }),
  );
  if (json) return printJson(made);
  console.log(made.key ?? made.token);
  console.error("Keep it now: it is not shown again.");
}

async function listKeys(format: Format): Promise<void> {
  const keys = await withKeys((open) => open.list());
  const headings = ["ID", "KIND", "STARTS", "WORKSPACE", "CREATED", "LAST USED", "NAME"];
  printList(format, { items: keys, headings, row: toRow, empty: "No keys yet. Make one: periscan key create NAME" });
}

const toRow = ({ id, kind, name, workspace, prefix, created_at, last_used_at, revoked_at }: Awaited<ReturnType<Keys["list"]>>[number]): string[] => [
  id,
  kind,
  `${prefix}…`,
  cleanLine(workspace ?? ""),
  formatTime(created_at),
  revoked_at ? `revoked ${formatTime(revoked_at)}` : formatTime(last_used_at) || "never",
  cleanLine(name),
];

async function revokeKey(id: string): Promise<void> {
  if (!(await withKeys((keys) => keys.revoke(id)))) throw new UserError(`There is no live key ${id}; \`periscan key list\` shows them.`);
  console.log("The key is revoked.");
}
