import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { installFolder, runStep, withInstallLock } from "@periscan/engines/kit/install.ts";
import { installPythonPackages } from "@periscan/engines/kit/install-python.ts";
import { testEnginesFolder } from "@periscan/engines/kit/testing.ts";
import { certificateKinds, makeAuthority } from "./tls-certificates.ts";

export interface OldTlsSettings {
  /** As TLS numbers them: 3.0 is SSL 3.0, 3.3 is TLS 1.2. */
  minVersion: [number, number];
  maxVersion: [number, number];
  /** tlslite-ng's words. */
  ciphers: string[];
  keyExchanges: string[];
  extendedMasterSecret: boolean;
  /** In hexadecimal digits. */
  dhPrime?: string;
}

export interface OldTlsServer extends AsyncDisposable {
  port: number;
  authority: string;
}

const folderName = "tlslite-ng-0.8.2";
const requirements = fileURLToPath(new URL("old-tls-requirements.txt", import.meta.url));

/** Installs the library for tests, beside the engines. */
export async function installOldTls(): Promise<void> {
  const context = { enginesFolder: testEnginesFolder, signal: new AbortController().signal, say: () => {} };
  await withInstallLock("tlslite-ng", context, () =>
    installFolder(folderName, context, async (fresh) => {
      await runStep({ title: "Making a Python environment for tlslite-ng", file: "python3", args: ["-m", "venv", fresh] }, context);
      const python = join(fresh, "bin", "python");
      await installPythonPackages({ python, requirements, args: ["--only-binary=:all:"], title: "Installing tlslite-ng" }, context);
    }),
  );
}

/** Serves on 127.0.0.1, with a certificate of an authority of its own. */
export async function startOldTls(settings: OldTlsSettings): Promise<OldTlsServer> {
  const authority = makeAuthority("Periscan Test Authority");
  const given = JSON.stringify({ ...certificateKinds["good-rsa"](authority), ...settings });
  const file = fileURLToPath(new URL("old-tls-server.py", import.meta.url));
  const child = spawn(join(testEnginesFolder, folderName, "bin", "python"), ["-I", file, given], { stdio: ["pipe", "pipe", "inherit"] });
  const dispose = async () => {
    const gone = once(child, "exit");
    child.stdin.end();
    await gone;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /^ready (\d+)$/.exec(line)?.[1];
    if (port !== undefined) return { port: Number(port), authority: authority.cert, [Symbol.asyncDispose]: dispose };
  }
  throw new Error("the old TLS server ended before it was ready");
}
