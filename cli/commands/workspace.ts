import type { WorkspaceLimits, WorkspaceListing, Workspaces } from "@periscan/server/limits/workspaces.ts";
import { type Command, InvalidArgumentError } from "commander";
import { cleanLine } from "../print.ts";
import { addFormat, type Format, printList } from "../print-list.ts";
import { readCount } from "../read-count.ts";
import { UserError } from "../user-error.ts";
import { withDatabase } from "../with-database.ts";

export function addWorkspaceCommand(program: Command): void {
  const workspace = program.command("workspace").description("Workspaces of this installation and what they may use (its data folder, or DATABASE_URL).");
  addFormat(workspace.command("list").description("List the workspaces, what they may use and what they use."))
    .addHelpText("after", "\nExample:\n  periscan workspace list\n")
    .action(listWorkspaces);
  workspace
    .command("limit")
    .description("Limit what a workspace may use. It holds at once; what is not given stays; `none` takes a limit away.")
    .argument("<name>", "the workspace")
    .option("--scans-per-month <n>", "scans in a calendar month (UTC); more are kept as OVER_LIMIT and do not run", readLimit)
    .option("--targets <n>", "targets; more are refused", readLimit)
    .option("--concurrent-scans <n>", "scans that may be open at once; more wait", readLimit)
    .option("--requests-per-minute <n>", "API requests of each of its keys; none: as the server has it (PERISCAN_REQUESTS_PER_MINUTE, 600)", readLimit)
    .option("--storage-megabytes <n>", "files of results, imports and reports; then imports and reports are refused, and scans kept as OVER_LIMIT", readLimit)
    .option("--schedules <n>", "schedules; more are refused", readLimit)
    .option("--mails-per-hour <n>", "mails of notifications, one for each recipient; more wait", readLimit)
    .addHelpText(
      "after",
      "\nExamples:\n  periscan workspace limit default --scans-per-month 500 --concurrent-scans 4\n  periscan workspace limit default --targets none\n",
    )
    .action(limitWorkspace);
}

/** `none` stays a word here: commander makes an empty text of null. */
const readLimit = (text: string): number | "none" => {
  if (text === "none") return text;
  try {
    return readCount(text);
  } catch {
    throw new InvalidArgumentError("give a whole number above 0, or none");
  }
};

const withWorkspaces = <T>(action: (workspaces: Workspaces) => Promise<T>): Promise<T> =>
  withDatabase(async (databaseUrl) => {
    const { openWorkspaces } = await import("@periscan/server/limits/workspaces.ts");
    const workspaces = await openWorkspaces(databaseUrl);
    try {
      return await action(workspaces);
    } finally {
      await workspaces.close();
    }
  });

async function listWorkspaces(format: Format): Promise<void> {
  const workspaces = await withWorkspaces((open) => open.list());
  const headings = ["SCANS THIS MONTH", "OPEN SCANS", "TARGETS", "SCHEDULES", "FILES (MB)", "MAILS AN HOUR", "REQUESTS A MINUTE", "WORKSPACE"];
  printList(format, { items: workspaces, headings, row: toRow, empty: "No workspaces yet. A key makes one: periscan key create NAME --workspace NAME" });
}

const toRow = ({ name, limits, used }: WorkspaceListing): string[] => [
  ofLimit(used.scansThisMonth, limits.scansPerMonth),
  ofLimit(used.concurrentScans, limits.concurrentScans),
  ofLimit(used.targets, limits.targets),
  ofLimit(used.schedules, limits.schedules),
  ofLimit(used.storageMegabytes, limits.storageMegabytes),
  `${limits.mailsPerHour ?? "no limit"}`,
  `${limits.requestsPerMinute ?? "the server's"}`,
  cleanLine(name),
];

const ofLimit = (used: number, limit: number | null): string => (limit === null ? `${used}` : `${used} of ${limit}`);

async function limitWorkspace(name: string, given: Partial<Record<keyof WorkspaceLimits, number | "none">>): Promise<void> {
  const change: Partial<WorkspaceLimits> = Object.fromEntries(Object.entries(given).map(([limit, value]) => [limit, value === "none" ? null : value]));
  if (Object.keys(change).length === 0) throw new UserError("Give at least one limit; --help lists them.", { exitCode: 2 });
  if (!(await withWorkspaces((open) => open.limit(name, change))))
    throw new UserError(`There is no workspace ${name}; \`periscan workspace list\` shows them.`, { exitCode: 2 });
  console.log("The limits are set.");
}
