import type { TargetLogin } from "@periscan/contract/target.ts";
import { listLoginSecrets } from "../kit/list-login-secrets.ts";

/** A line of Nuclei's output without the login that its requests carried, wherever it stands: in requests, commands, or what the target sent back. */
export function redactLine(line: string, login: TargetLogin): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // It is read as no hit anyway, and is kept nowhere.
    return line;
  }
  return JSON.stringify(redactValue(value, makeRedact(login)));
}

const shown = "[the target's login]";

function makeRedact(login: TargetLogin): (text: string) => string {
  const { name, value } = login;
  const forms = listLoginSecrets(login).flatMap((each) => [each, encodeURIComponent(each), JSON.stringify(each).slice(1, -1), each.replaceAll("'", "'\\''")]);
  const secrets = [...new Set(forms)].sort((a, b) => b.length - a.length);
  // A login of a few letters stands in many words: there only beside its name.
  const short = value.length < 6;
  return (text) =>
    secrets.reduce(
      (left, secret) =>
        short ? left.replaceAll(`${name}: ${secret}`, `${name}: ${shown}`).replaceAll(`${name}=${secret}`, `${name}=${shown}`) : left.replaceAll(secret, shown),
      text,
    );
}

function redactValue(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((each) => redactValue(each, redact));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, redactValue(each, redact)]));
}
