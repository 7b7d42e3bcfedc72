import { type Setting, type SettingName, settings } from "./settings.ts";

export interface DescribedSetting {
  name: SettingName;
  readBy: Setting<unknown>["readBy"];
  says: string;
  /** What the variable may be, in words. */
  allowed: string;
  /** What holds where it is not set, in words. */
  otherwise: string;
  isSecret: boolean;
}

/** Every setting in words, in the order of the documents. */
export function describeSettings(): DescribedSetting[] {
  return (Object.entries(settings) as [SettingName, Setting<unknown>][]).map(([name, { kind, readBy, says, isSecret, otherwise, otherwiseInWords }]) => ({
    name,
    readBy,
    says,
    allowed: kind.allowed,
    otherwise: otherwiseInWords ?? describeValue(otherwise),
    isSecret,
  }));
}

function describeValue(value: unknown): string {
  if (value === undefined) return "not set";
  return typeof value === "boolean" ? (value ? "1" : "0") : String(value);
}

const headings: Record<Setting<unknown>["readBy"], string> = {
  "command line": "The command line",
  server: "The server",
  worker: "A worker",
  engines: "The engines, on the worker",
};

/** The text of docs/settings.md. */
export function writeSettingsPage(): string {
  const all = describeSettings();
  const parts = (Object.keys(headings) as (keyof typeof headings)[]).map((reader) => {
    const rows = all
      .filter(({ readBy }) => readBy === reader)
      .map(({ name, says, allowed, otherwise }) => `| \`${name}\` | ${says} | ${allowed} | ${otherwise} |`);
    return `## ${headings[reader]}\n\n| variable | what it does | what it may be | where it is not set |\n|---|---|---|---|\n${rows.join("\n")}\n`;
  });
  return `# Settings

Every setting is an environment variable. \`periscan settings\` shows which ones are set here and what holds where one is not. A variable that
begins with \`PERISCAN_\` and is none of these is warned of by name. \`node settings/write-docs.ts\` makes this page from the code that reads them.

${parts.join("\n")}`;
}
