import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "./user-error.ts";

/** Where everything is kept: `PERISCAN_DATA`, else /var/lib/periscan as root, else periscan in the user's data folder (XDG Base Directory). */
export function findDataFolder(): string {
  const { PERISCAN_DATA, XDG_DATA_HOME } = process.env;
  if (PERISCAN_DATA) return resolve(PERISCAN_DATA);
  if (process.geteuid?.() === 0) return "/var/lib/periscan";
  return join(XDG_DATA_HOME || join(homedir(), ".local", "share"), "periscan");
}

/** Makes the folder where it is missing. Others may pass through it: PostgreSQL runs as an account of its own when we are root; what is secret inside has modes of its own. */
export function ensureDataFolder(): string {
  const folder = findDataFolder();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new UserError(
      `The data folder ${folder} cannot be written (${(cause as NodeJS.ErrnoException).code}). Name another one: PERISCAN_DATA=/path periscan …`,
      { cause },
    );
  }
  return folder;
}

/** Where installed engines are kept: `PERISCAN_ENGINES`, else in the data folder. */
export const findEnginesFolder = (): string => resolve(process.env.PERISCAN_ENGINES || join(findDataFolder(), "engines"));

/** Makes the folder where it is missing. */
export function ensureEnginesFolder(): string {
  ensureDataFolder();
  const folder = findEnginesFolder();
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return folder;
}
