import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sampleAnswers } from "../samples/sample-answers.ts";
import { findSampleWorld, type GoodRequest, goodRequests, makeWorld, type World } from "../testing/good-requests.ts";
import { type DescribedOperation, describedOperations, findFault, isValid, type JsonSchema, resolve } from "../testing/read-openapi.ts";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";

// Walks openapi.json: what is added to the API is held to the same. An operation without a good request in good-requests.ts fails.

const sampleKey = { "x-hostedscan-api-key": "test-data-key" };

let server: TestServer;
let world: World;
let sampleWorld: World;
beforeAll(async () => {
  server = await startTestServer({ outgoing: { allowHttp: false, allowPrivate: true }, delivers: false });
  world = await makeWorld(server);
  sampleWorld = await findSampleWorld(server, sampleKey);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Raw {
  type?: string;
  text?: string;
}

interface Answered {
  status: number;
  headers: Headers;
  body: { error?: { code: string; message: string; field?: string; request_id: string } } | string;
}

function urlOf({ path }: DescribedOperation, { params = {}, query = {} }: GoodRequest): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ""));
  return Object.keys(query).length === 0 ? filled : `${filled}?${new URLSearchParams(query)}`;
}

/** Sends it and holds the answer to the description: a documented status with its documented shape, whatever was asked. */
async function send(operation: DescribedOperation, request: GoodRequest, { headers = server.own, raw }: { headers?: Record<string, string>; raw?: Raw } = {}) {
  const text = raw ? raw.text : request.body && JSON.stringify(request.body);
  const type = raw?.type ?? "application/json";
  const form = raw || !request.form ? undefined : toForm(request.form);
  const response = await fetch(new URL(urlOf(operation, request), server.url), {
    method: operation.method,
    headers: { ...headers, ...(text === undefined ? {} : { "content-type": type }) },
    ...(text === undefined ? {} : { body: text }),
    ...(form ? { body: form } : {}),
  });
  const answer = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") && answer !== "";
  const body = (isJson ? JSON.parse(answer) : answer) as Answered["body"];
  expect(
    findFault(operation, response.status, body),
    `${urlOf(operation, request).slice(0, 300)} ${text?.slice(0, 300) ?? ""}: ${answer.slice(0, 300)}`,
  ).toBeUndefined();
  if (response.status >= 400 && typeof body === "object") expect(body.error?.request_id).toBe(response.headers.get("x-request-id"));
  return { status: response.status, headers: response.headers, body } as Answered;
}

function toForm(parts: NonNullable<GoodRequest["form"]>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(parts)) form.append(name, value);
  return form;
}

/** Whether `test-data-key` has an answer of its own; else it is refused as one that has no sample data, after the same checks of its schema. */
const isSampled = ({ name }: DescribedOperation): boolean =>
  name.endsWith("/healthz") || name.endsWith("/readyz") || name.replaceAll(/\{(\w+)\}/g, ":$1") in sampleAnswers;

const refusal = ({ status, body }: Answered) => ({ status, field: typeof body === "object" ? body.error?.field : undefined });

async function goodRequest({ name }: DescribedOperation, of: World = world): Promise<GoodRequest> {
  const make = goodRequests[name];
  if (!make) throw new Error(`server/testing/good-requests.ts has no request of ${name}`);
  return make(of);
}

const wrongValues: unknown[] = [null, true, 7, -1.5, "", "\u{1F4A9}", "x".repeat(9000), [], [null], [7], [[]], {}, { x: 1 }, [{}]];

/** The request with another value at a path of its body; `undefined` leaves it out. */
function change(body: Record<string, unknown>, path: (string | number)[], value: unknown): Record<string, unknown> {
  const copy = structuredClone(body);
  const parent = path.slice(0, -1).reduce<unknown>((each, part) => (each as Record<string, unknown>)[part], copy) as Record<string | number, unknown>;
  const last = path.at(-1) ?? "";
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

interface Place {
  path: (string | number)[];
  schema: JsonSchema;
  required: boolean;
}

/** Every field that the description has, down into what the good request has of it. */
function* fieldsOf(schema: JsonSchema, value: unknown, path: Place["path"] = []): Iterable<Place> {
  const { properties = {}, required = [], items } = resolve(schema);
  for (const [name, inner] of Object.entries(properties)) {
    const place = [...path, name];
    yield { path: place, schema: inner, required: required.includes(name) };
    const held = (value as Record<string, unknown> | undefined)?.[name];
    if (held !== undefined) yield* fieldsOf(inner, held, place);
  }
  if (items && Array.isArray(value) && value.length > 0) {
    yield { path: [...path, 0], schema: items, required: false };
    yield* fieldsOf(items, value[0], [...path, 0]);
  }
}

const fieldName = (path: Place["path"]): string =>
  path.reduce<string>((name, part) => (typeof part === "number" ? `${name}[${part}]` : name ? `${name}.${part}` : part), "");

test("every operation has a good request, and every good request an operation", () => {
  expect(Object.keys(goodRequests).sort()).toEqual(describedOperations.map(({ name }) => name).sort());
});

describe.each(describedOperations)("$name", (operation) => {
  const { method, parameters, body: bodySchema, isPublic } = operation;

  test("answers a good request as documented, with real data and with the sample data", async () => {
    expect((await send(operation, await goodRequest(operation))).status).toBe(200);
    const sampled = await goodRequest(operation, sampleWorld);
    const [first, again] = [await send(operation, sampled, { headers: sampleKey }), await send(operation, sampled, { headers: sampleKey })];
    if (!isSampled(operation)) return expect(first.body).toMatchObject({ error: { code: "sample.not_found" } });
    expect(first.status).toBe(200);
    expect(again.body).toEqual(first.body);
  });

  test("HEAD is GET without the body, and a method that it has not is 405", async () => {
    const request = await goodRequest(operation);
    const ask = (other: string) => fetch(new URL(urlOf(operation, request), server.url), { method: other, headers: server.own });
    if (method === "GET") {
      const head = await ask("HEAD");
      expect([head.status, await head.text()]).toEqual([200, ""]);
    }
    const refused = await ask("PATCH");
    expect([refused.status, refused.headers.get("allow")?.split(", ").includes(method)]).toEqual([405, true]);
  });

  if (!isPublic)
    test("needs a key: none, a wrong one and a worker's are 401 before anything else is looked at", async () => {
      const request = await goodRequest(operation);
      const wrong = [{}, { "x-hostedscan-api-key": "wrong" }, { authorization: "Bearer wrong" }, { authorization: `Bearer ${server.workerToken}` }];
      for (const headers of wrong) {
        expect((await send(operation, request, { headers: headers as Record<string, string> })).status).toBe(401);
        if (bodySchema) expect((await send(operation, request, { headers: headers as Record<string, string>, raw: { text: "{" } })).status).toBe(401);
      }
    });

  if (!isPublic)
    test("shows nothing of a workspace to the key of another", async () => {
      const request = await goodRequest(operation);
      const { status, body } = await send(operation, request, { headers: server.foreign });
      if (/[0-9a-f]{8}-[0-9a-f]{4}-7/.test(JSON.stringify([request.params, request.body]))) expect(status).toBe(404);
      else if (method === "GET") {
        const own = (await send(operation, request)).body as { data: { id: string }[] };
        expect(own.data.length).toBeGreaterThan(0);
        expect(own.data.filter(({ id }) => JSON.stringify(body).includes(id))).toEqual([]);
      } else expect(status).toBe(200);
    });

  test("an id that is none, or nobody's, is 404", async () => {
    const request = await goodRequest(operation);
    for (const { name } of parameters.filter((parameter) => parameter.in === "path"))
      for (const id of [
        "x",
        "..",
        "../../etc/passwd",
        "'",
        "\u{1F4A9}",
        "9".repeat(150),
        "0190b1a2-0000-7000-8000-000000000000",
        "0190B1A2-0000-7000-8000-00000000000G",
      ]) {
        if (id === "..") continue;
        for (const headers of [server.own, sampleKey])
          expect((await send(operation, { ...request, params: { ...request.params, [name]: id } }, { headers })).status, id).toBe(404);
      }
  });

  test("each parameter with a value that it cannot have is refused, with a real key and with the sample's, and none is a 5xx", async () => {
    const request = await goodRequest(operation);
    const sampled = await goodRequest(operation, sampleWorld);
    const questions = parameters.filter((parameter) => parameter.in === "query");
    for (const { name, schema } of questions)
      for (const value of ["", "\u{1F4A9}", "[]", "{", "null", "-1", "1.5", "x".repeat(5000), '{"x":["y"]}', '{"x":{"y":1}}', "\0"]) {
        const changed = (good: GoodRequest) => ({ ...good, query: { ...good.query, [name]: value } });
        const [real, sample] = [await send(operation, changed(request)), await send(operation, changed(sampled), { headers: sampleKey })];
        expect([200, 400, 404]).toContain(real.status);
        if (real.status === 400 && isSampled(operation)) expect(refusal(sample), `${name}=${value.slice(0, 50)}`).toEqual(refusal(real));
        const isNumber = resolve(schema).type === "integer";
        if (isNumber && !isValid(schema, Number(value || "x"))) expect(real.status, `${name}=${value.slice(0, 50)}`).toBe(400);
      }
    if (questions.length > 0)
      expect(refusal(await send(operation, { ...request, query: { ...request.query, nobody: "1" } }))).toEqual({ status: 400, field: "nobody" });
  });

  if (bodySchema)
    test("a body that is none of JSON, or of another type, is refused", async () => {
      const request = await goodRequest(operation);
      const mayBeLeftOut = operation.name === "POST /v1/webhooks/{id}/rotate-secret";
      const status = async (raw: Raw, headers = server.own) => (await send(operation, request, { raw, headers })).status;
      for (const text of [...(mayBeLeftOut ? [] : ["", "null"]), "{", "7", '"x"', "[]", '{"__proto__":{"x":1}}', '{"x":"\\u0000"}', `${"[".repeat(50_000)}`]) {
        expect(await status({ text }), text.slice(0, 50)).toBe(400);
        expect(await status({ text }, sampleKey as never), text.slice(0, 50)).toBe(400);
      }
      expect((await send(operation, { ...request, body: undefined as never })).status).toBe(mayBeLeftOut ? 200 : 400);
      for (const type of ["text/plain", "application/xml", "application/x-www-form-urlencoded"]) expect(await status({ text: "{}", type }), type).toBe(415);
    });

  if (bodySchema)
    test("each field left out or with a value that the description does not allow is refused by name, and none is a 5xx", async () => {
      const request = await goodRequest(operation);
      const sampled = await goodRequest(operation, sampleWorld);
      for (const { path, schema, required } of fieldsOf(bodySchema, request.body)) {
        const name = fieldName(path);
        const ask = (good: GoodRequest, value: unknown, headers: Record<string, string>) =>
          send(operation, { ...good, body: change(good.body ?? {}, path, value) }, { headers });
        for (const value of [undefined, ...wrongValues]) {
          const [real, sample] = [await ask(request, value, server.own), await ask(sampled, value, sampleKey)];
          const isWrong = value === undefined ? required : !isValid(schema, value);
          const said = `${name}: ${JSON.stringify(value)?.slice(0, 60)}`;
          if (isWrong) expect(real.status, said).toBe(400);
          if (isWrong) expect(refusal(real).field, said).toMatch(new RegExp(`^${name.replaceAll(/[[\].]/g, "\\$&")}`));
          if (isWrong && isSampled(operation)) expect(refusal(sample), said).toEqual(refusal(real));
        }
      }
      if (bodySchema.additionalProperties === false)
        expect(refusal(await send(operation, { ...request, body: { ...request.body, nobody: 1 } }))).toEqual({ status: 400, field: "nobody" });
    });
});
