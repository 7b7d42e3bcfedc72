import { posix } from "node:path";
import { type Answer, type Asked, document, escapeHtml, type FaultCase, notFound, page, redirect, text } from "./faulty-answer.ts";
import { findProducts, SqlError } from "./toy-sql.ts";

// Programs with a fault that an active rule has to bring out, each beside the same program as it should be. What is dangerous is simulated: a
// map of a few texts stands for the disk, and a few lines that know `echo` for the shell.

const files: Record<string, string> = {
  "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nshop:x:1000:1000::/home/shop:/bin/sh\n",
  "/srv/shop/help/start.txt": "Choose, pay, wait.",
};
const token = '<input type="hidden" name="csrf_token" value="6f0c2ad1e7b94c58">';
const show = (body: string): Answer => page(`<p>${body}</p>`);
const get = ({ query }: Asked, name: string): string => query.get(name) ?? "";

const escapeBrackets = (value: string) => value.replace(/</g, "&lt;").replace(/>/g, "&gt;");
const escapeScript = (value: string) => JSON.stringify(value).replace(/</g, "\\u003c");

const scripting: FaultCase[] = [
  {
    rule: "920001",
    links: ["?q=shoes", "/title?q=shoes", "/comment?q=shoes"],
    param: "q",
    fault: (asked) => {
      const q = get(asked, "q");
      if (asked.rest === "title") return { body: document("<p>Found.</p>", `<title>${q}</title>`) };
      return asked.rest === "comment" ? page(`<!-- asked for ${q} --><p>Found.</p>`) : show(`Found ${q}.`);
    },
    fine: (asked) => {
      const q = escapeHtml(get(asked, "q"));
      if (asked.rest === "title") return { body: document("<p>Found.</p>", `<title>${q}</title>`) };
      return asked.rest === "comment" ? page(`<!-- asked for ${q} --><p>Found.</p>`) : show(`Found ${q}.`);
    },
  },
  {
    rule: "920002",
    links: ["?q=shoes", "/bare?q=shoes", "/link?q=shoes"],
    param: "q",
    fault: (asked) => {
      const q = escapeBrackets(get(asked, "q"));
      if (asked.rest === "bare") return show(`<input value=${q}>`);
      return show(asked.rest === "link" ? `<a href="${escapeHtml(q)}">Back</a>` : `<input value="${q}">`);
    },
    fine: (asked) => {
      const q = escapeHtml(get(asked, "q"));
      return show(asked.rest === "link" ? `<a href="/search?q=${q}">Back</a>` : `<input value="${q}">`);
    },
  },
  {
    rule: "920003",
    links: ["?q=shoes", "/number?q=5", "/end?q=shoes"],
    param: "q",
    fault: (asked) => {
      const q = get(asked, "q").replace(/</g, "\\u003c");
      if (asked.rest === "end") return page(`<script>const asked = ${JSON.stringify(get(asked, "q"))};</script>`);
      return page(asked.rest === "number" ? `<script>const asked = ${q};</script>` : `<script>const asked = "${q}";</script>`);
    },
    fine: (asked) =>
      page(
        asked.rest === "number"
          ? `<script>const asked = ${Number(get(asked, "q")) || 0};</script>`
          : `<script>const asked = ${escapeScript(get(asked, "q"))};</script>`,
      ),
  },
];

/** `broken` is what the visitor sees of an error. */
function search(where: string, broken: (error: SqlError) => Answer, found: (names: string[]) => Answer): Answer {
  try {
    return found(findProducts(where).map(({ name }) => name));
  } catch (error) {
    if (error instanceof SqlError) return broken(error);
    throw error;
  }
}

const list = (names: string[]) => show(names.length === 0 ? "We have none." : `We have ${names.join(", ")}.`);
const quote = (value: string) => `'${value.replace(/'/g, "''").replace(/\\/g, "")}'`;

const databases: FaultCase[] = [
  {
    rule: "920004",
    links: ["?name=shoes"],
    param: "name",
    fault: (asked) =>
      search(
        `name = '${get(asked, "name")}'`,
        (error) => ({ ...show(escapeHtml(error.message)), status: 500 }),
        () => show("We looked."),
      ),
    fine: (asked) =>
      search(
        `name = ${quote(get(asked, "name"))}`,
        (error) => ({ ...show(escapeHtml(error.message)), status: 500 }),
        () => show("We looked."),
      ),
  },
  {
    rule: "920005",
    links: ["?id=2", "/name?name=hats"],
    fault: (asked) =>
      search(asked.rest === "name" ? `name = '${get(asked, "name")}'` : `(id = ${get(asked, "id")})`, () => show("Something went wrong."), list),
    fine: (asked) =>
      search(
        asked.rest === "name" ? `name = ${quote(get(asked, "name"))}` : `id = ${Number.parseInt(get(asked, "id"), 10) || 0}`,
        () => show("Something went wrong."),
        list,
      ),
  },
  {
    rule: "920020",
    links: ["?user=ann"],
    param: "user",
    fault: (asked) => show(/[()*]/.test(get(asked, "user")) ? "javax.naming.directory.InvalidSearchFilterException: Unbalanced parenthesis" : "Found."),
    fine: (asked) => show(/[()*]/.test(get(asked, "user")) ? "A user name has letters alone." : "Found."),
  },
];

const read = (path: string): Answer => (files[path] === undefined ? notFound() : text(files[path]));

const places: FaultCase[] = [
  {
    rule: "920006",
    links: ["?file=start.txt"],
    param: "file",
    fault: (asked) => read(posix.resolve("/srv/shop/help", get(asked, "file"))),
    fine: (asked) => read(posix.join("/srv/shop/help", posix.basename(get(asked, "file")))),
  },
  {
    rule: "920007",
    links: ["?next=/help"],
    param: "next",
    fault: (asked) => redirect(encodeURI(get(asked, "next"))),
    fine: (asked) => redirect(/^\/[\w/]*$/.test(get(asked, "next")) && !get(asked, "next").startsWith("//") ? get(asked, "next") : "/"),
  },
  {
    rule: "920008",
    links: ["?lang=en"],
    param: "lang",
    fault: (asked) => ({ ...show("Hello."), rawLines: `X-Language: ${get(asked, "lang")}` }),
    fine: (asked) => ({ ...show("Hello."), rawLines: `X-Language: ${get(asked, "lang").replace(/[\r\n]/g, "")}` }),
  },
];

const compute = (template: string) => template.replace(/\{\{\s*(\d+)\s*\*\s*(\d+)\s*\}\}/g, (_all, left, right) => `${Number(left) * Number(right)}`);

/** What a shell prints for `ping ARGUMENT`, where all that it has beside ping is echo. */
function runShell(argument: string): string {
  const [first = "", ...others] = argument.split(/[;|]/);
  const printed = others.map((command) => /^\s*echo (.*)$/.exec(command)?.[1] ?? "");
  const sums = printed.map((line) => line.replace(/\$\(\((\d+)\+(\d+)\)\)/g, (_all, left, right) => `${Number(left) + Number(right)}`));
  return [`${first.trim()} is alive`, ...sums].join("\n");
}

const interpreters: FaultCase[] = [
  {
    rule: "920009",
    links: ["?name=Ann"],
    param: "name",
    fault: (asked) => show(escapeHtml(compute(`Hello ${get(asked, "name")}`))),
    fine: (asked) => show(escapeHtml(`Hello ${get(asked, "name")}`)),
  },
  {
    rule: "920010",
    links: ["?host=printer"],
    param: "host",
    fault: (asked) => show(escapeHtml(runShell(get(asked, "host")))),
    fine: (asked) => show(escapeHtml(`${get(asked, "host")} is ${/^[\w.-]+$/.test(get(asked, "host")) ? "alive" : "no host name"}`)),
  },
  {
    rule: "920011",
    fault: (asked) =>
      asked.method === "POST"
        ? show(escapeHtml(readXml(asked.body)))
        : page(`<form method="post" action="fault">${token}<input name="order" value="2"></form>`),
    fine: (asked) =>
      asked.method === "POST"
        ? show(asked.body.includes("<!DOCTYPE") ? "No document types here." : escapeHtml(readXml(asked.body)))
        : page(`<form method="post" action="fine">${token}<input name="order" value="2"></form>`),
  },
  {
    rule: "920012",
    links: ["?url=https%3A%2F%2Fshop.faulty.test%2Fnews.xml"],
    param: "url",
    fault: async (asked) => {
      await fetchFromLoopback(get(asked, "url"));
      return show("Thanks for the address.");
    },
    fine: () => show("Thanks for the address."),
  },
];

/** Resolves entities as a reader of XML does whose safety is off. */
function readXml(body: string): string {
  const entities = new Map<string, string>();
  for (const [, name = "", system, value = ""] of body.matchAll(/<!ENTITY (\w+) (SYSTEM )?"([^"]*)">/g))
    entities.set(name, system ? (files[value.replace("file://", "")] ?? "") : value);
  const resolve = (content: string, depth: number): string =>
    depth > 5 ? "" : content.replace(/&(\w+);/g, (_all, name: string) => resolve(entities.get(name) ?? "", depth + 1));
  return `Ordered ${resolve(/<(\w+)>([^<]*)<\/\1>/.exec(body)?.[2] ?? "nothing", 0)}.`;
}

async function fetchFromLoopback(address: string): Promise<void> {
  if (!URL.canParse(address) || new URL(address).hostname !== "127.0.0.1") return;
  await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(2000) }).catch(() => undefined);
}

const folder = (published: Record<string, Answer>) => (asked: Asked) => (asked.rest === "" ? page("<p>A folder.</p>") : (published[asked.rest] ?? notFound()));
/** Answers every name with the same. */
const everything = (answer: Answer) => (asked: Asked) => (asked.rest === "" ? page("<p>A folder.</p>") : answer);

const published: FaultCase[] = [
  {
    rule: "920013",
    links: ["/"],
    fault: folder({ ".git/HEAD": text("ref: refs/heads/main\n"), ".env": text("DB_HOST=db\nDB_PASSWORD=hunter2\n") }),
    fine: everything(text("ref: refs/heads/main\n")),
  },
  {
    rule: "920014",
    links: ["/"],
    fault: folder({ "server-status": page("<h1>Apache Server Status for shop</h1>") }),
    fine: everything(page("<h1>Apache Server Status for shop</h1>")),
  },
  {
    rule: "920015",
    links: ["/order.php"],
    fault: folder({ "order.php": page("<p>Order here.</p>"), "order.php.bak": text("<?php $key = 'hunter2';") }),
    fine: folder({ "order.php": page("<p>Order here.</p>"), "order.php.bak": page("<p>There is no such page, but we say 200.</p>") }),
  },
];

const methods: FaultCase[] = [
  {
    rule: "920016",
    links: ["/"],
    fault: (asked) => (asked.method === "TRACE" ? text(JSON.stringify(asked.headers), "message/http") : page("<p>A folder.</p>")),
    fine: (asked) => (asked.method === "TRACE" ? { status: 405, body: "" } : page("<p>A folder.</p>")),
  },
  {
    rule: "920017",
    links: ["/"],
    fault: (asked) =>
      asked.method === "OPTIONS" ? { headers: { allow: "OPTIONS, GET, PUT, PROPFIND, MKCOL", dav: "1, 2" }, body: "" } : page("<p>A folder.</p>"),
    fine: (asked) => (asked.method === "OPTIONS" ? { headers: { allow: "OPTIONS, GET, PUT, DELETE" }, body: "" } : page("<p>A folder.</p>")),
  },
  {
    rule: "920018",
    param: "Origin",
    fault: ({ headers }) =>
      page(
        "<p>Your orders.</p>",
        typeof headers.origin === "string" ? { "access-control-allow-origin": headers.origin, "access-control-allow-credentials": "true" } : {},
      ),
    fine: () => page("<p>Your orders.</p>", { "access-control-allow-origin": "https://partner.example", "access-control-allow-credentials": "true" }),
  },
  {
    rule: "920019",
    links: ["", "/host"],
    fault: ({ rest, headers }) =>
      show(`<a href="https://${escapeHtml(String((rest === "host" ? undefined : headers["x-forwarded-host"]) ?? headers.host))}/help">Help</a>`),
    fine: ({ headers }) =>
      show(`<a href="https://shop.faulty.test/help">Help</a> You asked ${escapeHtml(String(headers["x-forwarded-host"] ?? headers.host))}.`),
  },
];

/** Programs whose fault has to be brought out. */
export const faultyPrograms: FaultCase[] = [...scripting, ...databases, ...places, ...interpreters, ...published, ...methods];
