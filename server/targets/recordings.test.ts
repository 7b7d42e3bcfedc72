import type { KnownTargetLogin } from "@periscan/contract/target.ts";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSecrets } from "../access/secrets.ts";
import { claim, startScan, startTestServer, type TestServer } from "../testing/start-test-server.ts";

let server: TestServer;
let id: string;
beforeAll(async () => {
  server = await startTestServer();
  await claim(server, { type: "OWASP_ZAP", waitSeconds: 0 });
  id = await addTarget("https://shop.example/app");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const addTarget = async (target: string) => (await server.api<{ data: { id: string } }>("POST", "/v1/targets", { target })).body.data.id;

const step = (command: string, target = "", value = "") => ({ id: "1", comment: "", command, target, targets: [], value });
const steps = [step("open", "/login"), step("type", "id=user", "ada"), step("type", "id=password", "very-secret"), step("click", "css=button")];
const testOf = (commands: object[]) => ({ id: "t", name: "Log in", commands });
/** As Selenium IDE 3.17 saves it. */
const side = {
  id: "p",
  version: "2.0",
  name: "Shop",
  url: "https://shop.example",
  tests: [testOf(steps)],
  suites: [{ id: "s", name: "Default Suite", persistSession: false, parallel: false, timeout: 300, tests: ["t"] }],
  urls: ["https://shop.example/"],
  plugins: [],
};

interface Answer {
  status: number;
  body: { data?: KnownTargetLogin; error?: { code: string; message: string; field?: string } };
}

async function upload(file: unknown, { targetId = id, key = server.own, field = "file" } = {}): Promise<Answer> {
  const form = new FormData();
  form.set(field, typeof file === "string" || file instanceof Blob ? new Blob([file]) : new Blob([JSON.stringify(file)]), "login.side");
  const response = await fetch(new URL(`/v1/targets/${targetId}/auth/selenium`, server.url), { method: "POST", headers: key, body: form });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

test("a recording is kept encrypted, is never given out again, takes the place of another login, and can be forgotten", async () => {
  await server.api("PUT", `/v1/targets/${id}/auth`, { kind: "header", name: "Authorization", value: "Bearer x" });
  const known = { kind: "recording", name: "Shop: Log in", updated_at: expect.stringMatching(/^20/) };
  expect(await upload(side)).toEqual({ status: 200, body: { data: known } });
  expect((await server.api("GET", `/v1/targets/${id}/auth`)).body).toEqual({ data: known });
  const connection = new pg.Client({ connectionString: server.databaseUrl });
  await connection.connect();
  const { rows } = await connection.query<{ value: Buffer }>("select value from target_login where target_id = $1", [id]);
  await connection.end();
  const value = rows[0]?.value ?? Buffer.alloc(0);
  expect(value.toString("latin1")).not.toContain("very-secret");
  expect(JSON.parse(openSecrets(server.folder).decrypt(value, id)).steps).toHaveLength(4);
  expect((await server.api("DELETE", `/v1/targets/${id}/auth`)).status).toBe(200);
  expect((await server.api("GET", `/v1/targets/${id}/auth`)).status).toBe(404);
});

test("a foreign workspace's target is not found, and the sample's answers alike", async () => {
  expect((await upload(side, { key: server.foreign })).status).toBe(404);
  const sample = { "x-hostedscan-api-key": "test-data-key" };
  const targetId = "1007";
  expect(await upload({ ...side, url: "https://site.test:42781" }, { targetId, key: sample })).toMatchObject({
    status: 200,
    body: { data: { kind: "recording" } },
  });
  expect(await upload("{", { targetId, key: sample })).toMatchObject({ status: 400, body: { error: { field: "file" } } });
  expect((await upload(side, { targetId: "nobody", key: sample })).status).toBe(404);
});

const withSteps = (...commands: object[]) => ({ ...side, tests: [testOf(commands)] });

test.each<[string, unknown, string]>([
  ["no JSON", "{", "not JSON"],
  ["no text", new Blob([Buffer.of(0xff, 0xfe, 0x00)]), "UTF-8"],
  ["a list", "[]", "expected object"],
  ["very deep JSON", `${"[".repeat(400_000)}${"]".repeat(400_000)}`, "expected object"],
  ["another format", { steps }, "id"],
  ["no test", { ...side, tests: [] }, "tests"],
  ["a test without commands", withSteps(), "there are 0"],
  ["two tests", { ...side, tests: [testOf(steps), testOf(steps)] }, "there are 2"],
  ["501 commands", withSteps(...Array.from({ length: 501 }, () => step("open", "/"))), "commands"],
  ["a value of 5,000 characters", withSteps(step("open", "/"), step("type", "id=a", "x".repeat(5000))), "tests.0.commands.1.value"],
  ["a script", withSteps(step("open", "/"), step("executeScript", "fetch('https://evil.example')")), "executeScript"],
  ["a command of Object's", withSteps(step("open", "/"), step("__proto__", "x"), step("constructor", "x")), "__proto__"],
  ["a variable", withSteps(step("open", "/"), step("type", "id=a", `\${password}`)), "variable"],
  ["no open at its begin", withSteps(step("click", "id=a")), "first command must be open"],
  ["another host", { ...side, url: "https://evil.example" }, "evil.example"],
  ["an open on another host", withSteps(step("open", "https://login.evil.example/")), "out of the scan's scope"],
  ["an open of a file", withSteps(step("open", "file:///etc/passwd")), "http or https"],
  ["an open with a login", withSteps(step("open", "https://a:b@shop.example/")), "without a login"],
  ["a script as address", withSteps(step("open", "javascript:alert(1)")), "http or https"],
  ["no http", { ...side, url: "chrome://settings" }, "http or https"],
])("a recording that is %s is refused by name", async (_, file, why) => {
  const { status, body } = await upload(file);
  expect({ status, ...body.error }).toMatchObject({ status: 400, code: "recording.invalid", field: "file", message: expect.stringContaining(why) });
});

test("more than 1 MiB, a part of another name, two files and no form are refused", async () => {
  expect(await upload(JSON.stringify({ ...side, plugins: ["x".repeat(1024 ** 2)] }))).toMatchObject({ status: 413, body: { error: { field: "file" } } });
  expect(await upload(side, { field: "recording" })).toMatchObject({ status: 400, body: { error: { field: "recording" } } });
  const form = new FormData();
  for (const _ of [1, 2]) form.append("file", new Blob([JSON.stringify(side)]), "x.side");
  const post = (body: FormData | string) => fetch(new URL(`/v1/targets/${id}/auth/selenium`, server.url), { method: "POST", headers: server.own, body });
  expect((await post(form)).status).toBe(400);
  const field = new FormData();
  field.set("file", "text");
  expect((await post(field)).status).toBe(400);
  expect((await post(new FormData())).status).toBe(400);
  expect((await post("{}")).status).toBe(415);
  expect((await server.api("POST", `/v1/targets/${id}/auth/selenium`, side)).status).toBe(415);
});

test("commands that are switched off and the mouse's way are no matter; a recording at another port of the host is good", async () => {
  const commands = [step("//executeScript", "x"), step(""), step("setWindowSize", "1280x800"), ...steps];
  expect((await upload({ ...withSteps(...commands.slice(3)), url: "https://shop.example:8443" })).status).toBe(200);
  expect((await upload(withSteps(...commands.slice(0, 2), ...steps, step("mouseOver", "id=a")))).status).toBe(200);
});

test("a scan that uses it gives it to the worker, and an engine that can use no login skips the target", async () => {
  expect((await upload(side)).status).toBe(200);
  const { id: scanId } = await startScan(server, { type: "OWASP_ZAP", target_ids: [id], use_authentication: true });
  const task = await claim(server, { type: "OWASP_ZAP" });
  const recorded = steps.map(({ command, target, value }) => ({ command, target, targets: [], value }));
  const recording = { name: "Shop: Log in", url: "https://shop.example", steps: recorded };
  expect(task?.targets).toMatchObject([{ target_id: id, login: { kind: "recording", name: "Shop: Log in", recording } }]);
  expect(JSON.stringify((await server.api("GET", `/v1/scans/${scanId}`)).body)).not.toContain("very-secret");
  await server.api("POST", `/v1/scans/${scanId}/cancel`);
  await claim(server, { waitSeconds: 0 });
  const scan = await startScan(server, { type: "NMAP", target_ids: [id], use_authentication: true });
  expect(scan).toMatchObject({ state: "FAILED", error: { message: expect.stringContaining("cannot use a login") } });
});
