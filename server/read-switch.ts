import { SettingsError } from "./errors/settings-error.ts";

/** A variable of the operator that is on with `1` or `true`, off with `0` or `false`; undefined where it is not set. Throws where it is neither. */
export function readSwitch(environment: NodeJS.ProcessEnv, name: string): boolean | undefined {
  const value = environment[name] ?? "";
  if (value === "") return undefined;
  if (/^(1|true)$/i.test(value)) return true;
  if (/^(0|false)$/i.test(value)) return false;
  throw new SettingsError(`${name} must be 1 or 0; it is ${value}.`);
}
