// Starts a scan, waits for it, writes its risks as SARIF, and fails from a threat level on. Needs Node 20 and nothing else.
//
// PERISCAN_SERVER, PERISCAN_API_KEY   the server and a key of it
// PERISCAN_TYPE, PERISCAN_TARGETS     such as NMAP, and targets separated by blanks, commas or lines
// PERISCAN_OPTIONS                    options of the engine as a JSON object
// PERISCAN_FAIL_ON                    CRITICAL, HIGH (default), MEDIUM, LOW or NEVER; accepted risks do not count
// PERISCAN_ALLOW_PARTIAL              true: targets that were not scanned to the end do not fail the build
// PERISCAN_TIMEOUT_MINUTES            60 by default; the scan is cancelled then
// PERISCAN_SARIF                      the file to write; none where it is empty
//
// Exit codes: 0 good, 1 risks of that threat level or worse and nothing else, 2 no clean result for any other reason (wrong use, no server, failed or partial
// scan, SARIF that cannot be written); the last line says which.

import { appendFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const levels = ["CRITICAL", "HIGH", "MEDIUM", "LOW"];
const environment = process.env;

function readSettings() {
  const need = (name) => environment[name] || stop(`${name} is not set.`);
  const failOn = (environment.PERISCAN_FAIL_ON || "HIGH").toUpperCase();
  if (failOn !== "NEVER" && !levels.includes(failOn)) stop(`PERISCAN_FAIL_ON is one of ${levels.join(", ")}, NEVER; not ${failOn}.`);
  const minutes = Number(environment.PERISCAN_TIMEOUT_MINUTES || 60);
  if (!(minutes > 0)) stop("PERISCAN_TIMEOUT_MINUTES is a number of minutes.");
  return {
    server: readServer(need("PERISCAN_SERVER")),
    apiKey: readKey(need("PERISCAN_API_KEY").trim()),
    scan: {
      type: environment.PERISCAN_TYPE || "NMAP",
      targets: need("PERISCAN_TARGETS")
        .split(/[\s,]+/)
        .filter(Boolean),
      options: readOptions(),
    },
    failOn,
    minutes,
    allowPartial: environment.PERISCAN_ALLOW_PARTIAL === "true",
    sarif: environment.PERISCAN_SARIF || undefined,
  };
}

function readServer(text) {
  if (URL.canParse(text) && /^https?:\/\//i.test(text)) return text;
  return stop(`PERISCAN_SERVER must begin with http:// or https://, such as https://periscan.example; it is ${text}`);
}

/** `fetch` would say of other characters that the server cannot be reached. */
const readKey = (text) => (/^[\x21-\x7e]+$/.test(text) ? text : stop("PERISCAN_API_KEY has characters that no key has."));

function readOptions() {
  try {
    return JSON.parse(environment.PERISCAN_OPTIONS || "{}");
  } catch {
    return stop("PERISCAN_OPTIONS is not JSON.");
  }
}

function stop(message) {
  throw new Error(message);
}

/** Sends a request that is safe to repeat, and again where the server is away for a moment, be it in the middle of its answer. Answers the text of what it sent. */
async function send({ server, apiKey }, path, { method = "GET", body, key } = {}) {
  const headers = { "x-hostedscan-api-key": apiKey, ...(body && { "content-type": "application/json" }), ...(key && { "idempotency-key": key }) };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  for (let tries = 1; ; tries++) {
    const answer = await fetchWhole(new URL(path, server), init).catch((error) => error);
    // 409 with Retry-After: the first try's connection broke, and the server is still at it.
    const isAway = answer instanceof Error || [429, 502, 503, 504].includes(answer.status) || (answer.status === 409 && answer.headers.has("retry-after"));
    if (!isAway && answer.ok) return answer.text;
    if (!isAway || tries === 6) return stop(explain(answer, path));
    await sleep(1000 * Math.min(60, Number(answer.headers?.get("retry-after")) || 2 ** tries / 4));
  }
}

async function fetchWhole(url, init) {
  // A redirect is not followed: it would take the key along, to whichever address it names.
  const response = await fetch(url, { ...init, redirect: "manual" });
  const { ok, status, headers } = response;
  return { ok, status, headers, text: await response.text() };
}

function explain(answer, path) {
  const location = answer.headers?.get("location");
  if (location && URL.canParse(location, environment.PERISCAN_SERVER))
    return `The server redirects to ${new URL(location, environment.PERISCAN_SERVER).origin}, and the key is not sent there: if that is your server, set PERISCAN_SERVER to its address.`;
  if (answer instanceof Error) return `The server cannot be reached: ${answer.cause?.message || answer.cause?.code || answer.message}`;
  return parseJson(answer.text)?.error?.message ?? `${path} answered ${answer.status}.`;
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readPage(settings, ...request) {
  const page = parseJson(await send(settings, ...request));
  return page?.data ? page : stop(`What answers at ${settings.server} is no Periscan server; see PERISCAN_SERVER.`);
}

const readData = async (...request) => (await readPage(...request)).data;

async function waitForEnd(settings, id) {
  const until = Date.now() + settings.minutes * 60_000;
  for (let last = ""; ; ) {
    const scan = await readData(settings, `/v1/scans/${id}`);
    const now = `${scan.state} ${scan.progress} %`;
    if (now !== last) console.log(now);
    last = now;
    if (["SUCCEEDED", "FAILED", "OVER_LIMIT"].includes(scan.state)) return scan;
    if (Date.now() > until) {
      await send(settings, `/v1/scans/${id}/cancel`, { method: "POST" });
      stop(`The scan took longer than ${settings.minutes} minutes and was cancelled.`);
    }
    await sleep(1000);
  }
}

async function listRisks(settings, id) {
  const risks = [];
  const filters = JSON.stringify({ scan_id: [id], status: ["OPEN"], is_accepted: ["false"] });
  for (let token = ""; token !== undefined; ) {
    const query = new URLSearchParams({ filters, ...(token && { page_token: token }) });
    const page = await readPage(settings, `/v1/risks?${query}`);
    risks.push(...page.data);
    token = page.next_page_token;
  }
  return risks;
}

/**
 * All that is open of the scan's targets, seen by this scan or before: what was not looked at again must not be missing, or code scanning takes it for fixed. So many
 * targets go into one address.
 */
async function writeSarif(settings, { id, type, targets, target_counts: { requested, complete } }) {
  if (requested > 200 && complete < requested) return console.log("No SARIF: a part of more than 200 targets was not scanned to the end.");
  const of = requested > 200 ? { scan_id: [id] } : { target_id: targets.map(({ target_id }) => target_id), "risk_definition.scan_type": [type] };
  const query = new URLSearchParams({ format: "sarif", filters: JSON.stringify({ ...of, status: ["OPEN"] }) });
  const sarif = await send(settings, `/v1/risks/export?${query}`);
  try {
    writeFileSync(settings.sarif, sarif);
  } catch (error) {
    stop(`${settings.sarif} cannot be written (${error.code}).`);
  }
  console.log(`SARIF: ${settings.sarif}`);
}

function summarise(scan, risks) {
  const counts = levels.map((level) => risks.filter(({ risk_definition }) => risk_definition.threat_level === level).length);
  for (const { target, risk_definition } of risks) console.log(`${risk_definition.threat_level.padEnd(8)} ${clean(target)}  ${clean(risk_definition.title)}`);
  console.log(levels.map((level, index) => `${counts[index]} ${level.toLowerCase()}`).join(", "));
  if (environment.GITHUB_OUTPUT) appendFileSync(environment.GITHUB_OUTPUT, `scan-id=${scan.id}\nrisks=${risks.length}\n`);
  if (!environment.GITHUB_STEP_SUMMARY) return;
  const table = `| ${levels.join(" | ")} |\n|${" --- |".repeat(levels.length)}\n| ${counts.join(" | ")} |\n`;
  appendFileSync(environment.GITHUB_STEP_SUMMARY, `### Periscan: ${scan.type}\n\n${table}`);
}

/** What a scanner printed must not become a command of the log (`::set-output …`) or move its cursor. */
const clean = (text) => text.replace(/[\p{Cc}\p{Cf}]/gu, " ").replace(/::/g, ": :");

function judge(scan, risks, { failOn, allowPartial }) {
  if (scan.state !== "SUCCEEDED") stop(`The scan is ${scan.state}${scan.error ? `: ${scan.error.message}` : "."}`);
  for (const { target, reason, outcome } of scan.targets.filter((each) => each.outcome !== "complete"))
    console.log(`NOT SCANNED TO THE END  ${clean(target)}  ${clean(reason ?? outcome)}`);
  const { requested, complete } = scan.target_counts;
  if (requested > scan.targets.length)
    console.log(`${requested - complete} of ${requested} targets were not scanned to the end; the first ${scan.targets.length} were looked through above.`);
  const worst = levels.slice(0, levels.indexOf(failOn) + 1);
  const failing = risks.filter(({ risk_definition }) => worst.includes(risk_definition.threat_level));
  if (failing.length > 0) {
    console.error(`${failing.length} of the open risks are ${worst.join(" or ")}.`);
    return 1;
  }
  if (scan.skipped_targets.length > 0 && !allowPartial)
    stop("Not every target was scanned to the end, so this is no clean result (PERISCAN_ALLOW_PARTIAL=true accepts it).");
  return 0;
}

function fail({ message }) {
  console.error(`periscan: ${clean(message)}`);
  process.exitCode ||= 2;
}

try {
  const settings = readSettings();
  const { id } = await readData(settings, "/v1/scans", { method: "POST", body: settings.scan, key: crypto.randomUUID() });
  console.log(`Scan ${id}`);
  const scan = await waitForEnd(settings, id);
  const risks = await listRisks(settings, id);
  summarise(scan, risks);
  if (settings.sarif && scan.state === "SUCCEEDED") await writeSarif(settings, scan).catch(fail);
  process.exitCode = judge(scan, risks, settings) || process.exitCode;
} catch (error) {
  fail(error);
}
