import { UserError } from "./user-error.ts";

/** PERISCAN_MAX_IMPORT_MB: the largest file that the server takes for an import, in MiB. */
export function readImportLimit(): { maxImportMegabytes?: number } {
  const text = process.env.PERISCAN_MAX_IMPORT_MB;
  if (text === undefined || text === "") return {};
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UserError(`PERISCAN_MAX_IMPORT_MB must be a whole number above 0, not ${JSON.stringify(text)}.`, { exitCode: 2 });
  return { maxImportMegabytes: Number(text) };
}
