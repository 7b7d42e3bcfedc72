import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startScopeResolver } from "../nuclei/scope-resolver.ts";
import { findEngineAccount } from "./engine-account.ts";
import { type ProxySettings, startScopeProxy } from "./scope-proxy.ts";

// What listens on loopback while engines run, asked as this user, as the account of engines, and as another user. Only root can be all three.

const run = promisify(execFile);
const nobody = 65_534;

/** As the user with this number; of a program that fails what it printed until then. */
const runAs = async (uid: number, file: string, args: string[]): Promise<string> => {
  const given = ["--reuid", `${uid}`, "--clear-groups", "--", file, ...args];
  const { stdout } = await run("setpriv", given, { timeout: 20_000 }).catch((error: { stdout: string }) => error);
  return stdout;
};

describe.runIf(process.geteuid?.() === 0)("a way out", () => {
  let site: Server;
  let url: string;
  let settings: Omit<ProxySettings, "knowsBy">;
  let asked = 0;
  beforeAll(async () => {
    site = createServer((_request, response) => {
      asked += 1;
      response.end("inside");
    }).listen(0, "127.0.0.1");
    await once(site, "listening");
    const { port } = site.address() as { port: number };
    url = `http://127.0.0.1:${port}/`;
    settings = { host: "127.0.0.1", address: "127.0.0.1", connectSeconds: 5, allows: () => true };
  });
  afterAll(() => void site.close());

  const askAs = (uid: number, proxyUrl: string) => runAs(uid, "curl", ["-s", "-m", "5", "-x", proxyUrl, url]);

  test("with a password lets in who has it, and nobody without it or with another", async () => {
    const proxy = await startScopeProxy({ ...settings, knowsBy: "password" });
    try {
      expect(await askAs(findEngineAccount()?.uid ?? 0, proxy.url)).toBe("inside");
      const { port, username, password } = new URL(proxy.url);
      expect(password).toMatch(/^[0-9a-f]{36}$/);
      const before = asked;
      for (const wrong of ["", `${username}:${password.slice(1)}@`, `${username}:${"0".repeat(36)}@`, ":@"])
        expect(await askAs(nobody, `socks5://${wrong}127.0.0.1:${port}`), wrong).toBe("");
      expect(asked).toBe(before);
      expect([...proxy.traffic.values()].map(({ connected }) => connected)).toEqual([1]);
    } finally {
      await proxy.close();
    }
  });

  test("that knows its client by the account lets in engines and the worker, and nobody else", async () => {
    const proxy = await startScopeProxy({ ...settings, knowsBy: "account" });
    try {
      expect(await askAs(findEngineAccount()?.uid ?? 0, proxy.url)).toBe("inside");
      expect(await askAs(0, proxy.url)).toBe("inside");
      const before = asked;
      expect(await askAs(nobody, proxy.url)).toBe("");
      expect(asked).toBe(before);
    } finally {
      await proxy.close();
    }
  });

  test("by name: the name server answers engines, and tells nobody else what is scanned", async () => {
    const resolver = await startScopeResolver({ host: "shop.example", address: "192.0.2.7" });
    const question = `import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(2)
client.sendto(bytes.fromhex("12340100000100000000000004") + b"shop" + bytes([7]) + b"example" + bytes.fromhex("0000010001"), ("127.0.0.1", ${resolver.address.split(":")[1]}))
print(client.recv(512)[-4:].hex())`;
    try {
      expect(await runAs(findEngineAccount()?.uid ?? 0, "/usr/bin/python3", ["-I", "-c", question])).toBe("c0000207\n");
      expect(await runAs(nobody, "/usr/bin/python3", ["-I", "-c", question])).toBe("");
    } finally {
      await resolver.close();
    }
  });
});
