import { closest, distance } from "fastest-levenshtein";
import { type Setting, type SettingName, type SettingValue, settings } from "./settings.ts";
import { SettingsError } from "./settings-error.ts";

/**
 * The value of a setting, from the environment. An empty variable counts as one that is not set. Throws a SettingsError, whose sentence names the variable
 * and says what it may be, where the text is not allowed.
 */
export function readSetting<N extends SettingName>(name: N, environment: NodeJS.ProcessEnv = process.env): SettingValue<N> {
  const { kind, otherwise, isSecret } = settings[name] as Setting<unknown>;
  const given = environment[name]?.trim();
  if (given === undefined || given === "") return otherwise as SettingValue<N>;
  const value = kind.read(given);
  if (value === undefined) throw new SettingsError(`${name} must be ${kind.allowed}${isSecret ? "" : `; it is ${JSON.stringify(given.slice(0, 200))}`}.`);
  return value as SettingValue<N>;
}

/** Reads every setting once, so that a program says at its start what cannot be, and not at the first use. Throws as `readSetting` does. */
export function checkSettings(environment: NodeJS.ProcessEnv = process.env): void {
  for (const name of Object.keys(settings) as SettingName[]) readSetting(name, environment);
}

/** Variables that other programs of Periscan read: the tests, and the scripts for CI systems. */
const foreign = /^PERISCAN_(KILL_ROUNDS|TEST_LOG|TARGETS|TYPE|OPTIONS|SARIF|FAIL_ON|ALLOW_PARTIAL|TIMEOUT_MINUTES|SCRIPT)$/;

/** A sentence for each variable `PERISCAN_…` of the environment that is no setting, with the nearest one that is. */
export function describeUnknownSettings(environment: NodeJS.ProcessEnv = process.env): string[] {
  const known = Object.keys(settings);
  return Object.keys(environment)
    .filter((name) => name.startsWith("PERISCAN_") && !known.includes(name) && !foreign.test(name))
    .map((name) => {
      const nearest = closest(name, known);
      const hint = distance(nearest, name) <= 4 ? ` Did you mean ${nearest}?` : " `periscan settings` lists those that are.";
      return `${name} is not a setting of Periscan.${hint}`;
    });
}
