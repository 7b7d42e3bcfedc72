import type { TargetLogin } from "@periscan/contract/target.ts";
import { EngineError } from "../kit/engine.ts";
import { type CallZap, ZapApiError } from "./call-zap.ts";
import type { Zap } from "./find-zap.ts";
import { formatOrigin, type Origin } from "./origin.ts";

/**
 * How the login reaches the target. Plain requests get it from the proxy (start-proxy.ts). Inside TLS only ZAP can add it: where Periscan starts ZAP, by
 * the three variables that it reads at its start (https://www.zaproxy.org/docs/authentication/handling-auth-yourself/), for this host alone; in one
 * that runs already, by its add-on `replacer`. Nothing but the target gets through the proxy, so nothing else can get the login.
 */
export function listLoginSettings(kind: Zap["kind"], { scheme, host }: Origin, login: TargetLogin | undefined): Record<string, string> {
  if (!login || scheme === "http" || kind === "running") return {};
  const { name, value } = readHeaderOf(login);
  return { ZAP_AUTH_HEADER: name, ZAP_AUTH_HEADER_VALUE: value, ZAP_AUTH_HEADER_SITE: host };
}

const readHeaderOf = ({ kind, name, value }: TargetLogin) => (kind === "header" ? { name, value } : { name: "Cookie", value: `${name}=${value}` });

const ruleName = "Periscan login";

/** Lets a ZAP that runs already send the login; answers what takes it away again. */
export async function logIn(call: CallZap, kind: Zap["kind"], origin: Origin, login: TargetLogin | undefined): Promise<() => Promise<void>> {
  if (!login || origin.scheme === "http" || kind !== "running") return async () => {};
  const { name, value } = readHeaderOf(login);
  const remove = () => call("replacer/action/removeRule", { description: ruleName }).catch(() => {});
  await remove();
  const rule = { description: ruleName, enabled: true, matchType: "REQ_HEADER", matchRegex: false, matchString: name, replacement: value };
  try {
    await call("replacer/action/addRule", { ...rule, url: `^${formatOrigin(origin).replace(/[.[\]]/g, "\\$&")}(?:[/?#].*)?$` });
  } catch (error) {
    if (!(error instanceof ZapApiError) || error.status === 0) throw error;
    throw new EngineError("engine.no_login", "The running ZAP cannot send the target's login over https: install its add-on Replacer.", {
      retry: false,
      cause: error,
    });
  }
  return async () => void (await remove());
}
