import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findSampleWorld, type GoodRequest, goodRequests, makeWorld, type World } from "../testing/good-requests.ts";
import { type DescribedOperation, describedOperations } from "../testing/read-openapi.ts";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";

// Puts what harms databases and JavaScript's objects into every place of every operation of openapi.json that takes text, and reads all lists afterwards.

const sampleKey = { "x-hostedscan-api-key": "test-data-key" };
const texts = ["a\0b", "\0", "\ud800", "x\udc00y", "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "\ufeff\u202e\u001b[31m\u0085\n"];
const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "a\0b", "\ud800"];

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

/** Percent-encoded byte by byte, so that a lone surrogate arrives as one would send it (CESU-8). */
function percent(text: string): string {
  const encode = (unit: string) => {
    const code = unit.charCodeAt(0);
    const bytes = unit.isWellFormed() ? Buffer.from(unit) : Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]);
    return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  };
  return [...text].map(encode).join("");
}

/** As a hostile client writes it: `JSON.stringify` would make `__proto__` an object's prototype when the value is built, so keys are put in as text. */
const withKey = (json: string, name: string, value = '["x"]'): string => json.replace(/^\{/, `{${JSON.stringify(name)}:${value}${json === "{}" ? "" : ","}`);

interface Sending {
  path: string;
  headers?: Record<string, string>;
  body?: string | FormData | Buffer;
}

/** Every sending that the operation gets: one place changed in each. */
function* sendings(operation: DescribedOperation, good: GoodRequest, texts: readonly string[]): Iterable<Sending> {
  const { params = {}, query = {}, body, form } = good;
  const fill = (of: Record<string, string>) => operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => of[name] ?? "");
  const plainQuery = Object.entries(query).map(([name, value]) => `${name}=${percent(value)}`);
  const path = fill(Object.fromEntries(Object.entries(params).map(([name, value]) => [name, percent(value)])));
  const url = (questions = plainQuery) => (questions.length > 0 ? `${path}?${questions.join("&")}` : path);
  const rest = body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : form ? { body: toForm(Object.entries(form)) } : {};
  for (const text of texts) {
    for (const name of Object.keys(params)) yield { path: fill({ ...params, [name]: percent(text) }), ...rest };
    const questions = operation.parameters.filter((parameter) => parameter.in === "query").map(({ name }) => name);
    for (const name of questions) {
      yield { path: url([...plainQuery.filter((each) => !each.startsWith(`${name}=`)), `${name}=${percent(text)}`]), ...rest };
      if (name !== "filters") continue;
      for (const key of filterKeys(operation)) {
        yield { path: url([`filters=${encodeURIComponent(JSON.stringify({ [key]: [text] }))}`]), ...rest };
        yield { path: url([`filters[${key}][]=${percent(text)}`]), ...rest };
      }
    }
    yield { path: url([...plainQuery, `${percent(text)}=1`]), ...rest };
    for (const { name } of operation.parameters.filter((parameter) => parameter.in === "header")) {
      const value = Buffer.from(text.replaceAll(/\p{Cc}/gu, ""))
        .toString("latin1")
        .replaceAll(/[\x80-\x9f]/g, "~");
      yield { path: url(), ...rest, headers: { ...("headers" in rest ? rest.headers : {}), [name]: value } };
    }
    if (body)
      for (const place of textPlaces(body))
        yield { path: url(), headers: { "content-type": "application/json" }, body: JSON.stringify(put(body, place, text)) };
    if (form)
      for (const [name] of Object.entries(form).filter(([, value]) => typeof value === "string"))
        yield { path: url(), body: toForm(Object.entries({ ...form, [name]: text })) };
  }
  for (const name of names) {
    if (filterKeys(operation).length > 0) {
      yield { path: url([`filters=${encodeURIComponent(withKey("{}", name))}`]), ...rest };
      yield { path: url([`filters[${percent(name)}][]=x`]), ...rest };
      yield { path: url([`filters[${percent(name)}]=x`]), ...rest };
      yield { path: url([`filters[status][${percent(name)}]=x`]), ...rest };
    }
    if (body) {
      const json = JSON.stringify(body);
      const inner = json.replace(/:\{/, `:{${JSON.stringify(name)}:{"x":1},`).replace(",}", "}");
      for (const text of [withKey(json, name), withKey(json, name, '{"x":1}'), inner])
        yield { path: url(), headers: { "content-type": "application/json" }, body: text };
    }
    if (form) yield { path: url(), body: toForm([...Object.entries(form), [name.toWellFormed(), "x"]]) };
  }
  if (body)
    yield { path: url(), headers: { "content-type": "application/json" }, body: withKey(JSON.stringify(body), "x", "[".repeat(50_000) + "]".repeat(50_000)) };
}

function toForm(parts: [string, string | Blob][]): FormData {
  const data = new FormData();
  for (const [name, value] of parts) data.append(name, value);
  return data;
}

const filterKeys = ({ parameters }: DescribedOperation): string[] =>
  Object.keys(parameters.find(({ name, in: place }) => name === "filters" && place === "query")?.schema.properties ?? {});

/** Where the body has a text, or a list that could hold one. */
function* textPlaces(value: unknown, path: (string | number)[] = []): Iterable<(string | number)[]> {
  if (typeof value === "string") yield path;
  if (typeof value === "object" && value !== null)
    for (const [key, inner] of Object.entries(value)) yield* textPlaces(inner, [...path, Array.isArray(value) ? Number(key) : key]);
}

function put(body: object, path: (string | number)[], text: string): object {
  const copy = structuredClone(body) as Record<string | number, unknown>;
  const parent = path.slice(0, -1).reduce((each, part) => each[part] as Record<string | number, unknown>, copy);
  parent[path.at(-1) ?? ""] = text;
  return copy;
}

async function send(operation: DescribedOperation, { path, headers = {}, body }: Sending, key: Record<string, string>) {
  const response = await fetch(`${server.url}${path}`, { method: operation.method, headers: { ...key, ...headers }, ...(body === undefined ? {} : { body }) });
  return { status: response.status, text: await response.text() };
}

describe.each(describedOperations)("$name", (operation) => {
  test("answers hostile text in each place with what it knows, never with an error of its own", async () => {
    // Both keys have the same schemas in front of them: the sample's is asked less.
    for (const [key, of, some] of [
      [server.own, world, texts],
      [sampleKey, sampleWorld, ["\0", "\ud800", "__proto__"]],
    ] as const) {
      const good = (await goodRequests[operation.name]?.(of)) ?? {};
      for (const sending of sendings(operation, good, some)) {
        const { status, text } = await send(operation, sending, key as Record<string, string>);
        const said = `${operation.method} ${sending.path.slice(0, 200)} ${typeof sending.body === "string" ? sending.body.slice(0, 200) : ""}: ${text.slice(0, 200)}`;
        expect(status, said).toBeLessThan(500);
      }
    }
  });
});

test("what was kept of all that can be read again", async () => {
  for (const operation of describedOperations.filter(({ method, path }) => method === "GET" && !path.includes("{"))) {
    const good = (await goodRequests[operation.name]?.(world)) ?? {};
    const query = new URLSearchParams(good.query).toString().replace("page_size=2", "page_size=500");
    const { status, text } = await send(operation, { path: `${operation.path}?${query}` }, server.own);
    expect(status, `${operation.name}: ${text.slice(0, 200)}`).toBe(200);
    expect(text.isWellFormed() && !/\\u0000|\\ud[89a-f]/i.test(text), operation.name).toBe(true);
  }
});

test("names of every object are refused by name, in options, in filters and in the body itself", async () => {
  const refusal = async (method: string, path: string, body?: string) => {
    const { status, text } = await send(
      { method } as DescribedOperation,
      { path, ...(body ? { body, headers: { "content-type": "application/json" } } : {}) },
      server.own,
    );
    return [status, JSON.parse(text).error?.field];
  };
  for (const name of ["__proto__", "constructor", "prototype"]) {
    expect(await refusal("POST", "/v1/scans", `{"type":"NMAP","targets":["10.9.0.1"],"options":{"${name}":{"ports":"80"}}}`)).toEqual([400, `options.${name}`]);
    expect(await refusal("POST", "/v1/scans", `{"type":"NMAP","targets":["10.9.0.1"],"${name}":{}}`)).toEqual([400, name]);
    expect(await refusal("GET", `/v1/risks?filters=${encodeURIComponent(`{"${name}":["OPEN"]}`)}`)).toEqual([400, `filters.${name}`]);
    expect(await refusal("GET", `/v1/risks?filters[${name}][]=OPEN`)).toEqual([400, `filters.${name}`]);
  }
  expect(await refusal("GET", `/v1/risks?filters=${encodeURIComponent('{"tags":["\\u0000"]}')}`)).toEqual([400, "filters.tags[0]"]);
  expect(await refusal("POST", "/v1/targets", '{"target":"x.example","label":"a\\ud800b"}')).toEqual([400, "label"]);
});
