import type { EngineContent } from "@periscan/contract/scan.ts";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { listLoginSecrets } from "../kit/list-login-secrets.ts";
import { type Alert, type Message, readStatus } from "./api-answers.ts";
import { cleanText, clip } from "./clean-text.ts";
import { type Coverage, formatScope, joinMarks } from "./coverage.ts";
import { refusals } from "./judge-site.ts";
import { formatOrigin, formatStart, type Origin, readPlace } from "./origin.ts";
import type { SiteScan } from "./site-task.ts";
import { confidenceNames, riskNames } from "./threat-levels.ts";
import { type ReportAlert, type ReportInstance, toParagraphs, type WrittenSite } from "./zap-report.ts";

export interface SiteFacts {
  origin: Origin;
  content: EngineContent[];
  login: TargetLogin | undefined;
  notes: string[];
}

const maxReportInstances = 500;
const maxPartCharacters = 20_000;
const maxNotes = 50;

/** One site's entry of a ZAP report, as text: what ZAP would say, and with it how far the scan got. */
export function writeSite(scan: SiteScan, facts: SiteFacts): string {
  const places = readPlaces(scan, facts.origin);
  const hide = createHider(facts.login);
  const groups = Map.groupBy(scan.alerts, ({ alertRef, pluginId }) => alertRef || pluginId);
  const coverage = describeScan(scan, facts, places);
  const entries = [...groups].map(([reference, alerts]) => ({
    alert: writeAlert(reference, alerts, scan.messages, hide),
    scope: formatScope({ rule: reference, origin: coverage.origin, ...locate(alerts, places) }),
  }));
  const notes = [...facts.notes, ...scan.notes].map((note) => clip(note, 2000)).slice(0, maxNotes);
  const site: WrittenSite = {
    "@name": coverage.origin,
    "@host": facts.origin.host,
    "@port": `${facts.origin.port}`,
    "@ssl": facts.origin.scheme === "https" ? "true" : "false",
    alerts: entries.map(({ alert }) => alert).toSorted((a, b) => Number(b.riskcode) - Number(a.riskcode) || (a.alertRef ?? "").localeCompare(b.alertRef ?? "")),
    periscan: {
      ...(scan.cut.length === 0 ? { outcome: "complete" } : { outcome: "partial", reason: clip(scan.cut.join(" "), 2000) }),
      notes,
      coverage,
      scopes: Object.fromEntries(entries.map(({ alert, scope }) => [alert.alertRef ?? alert.pluginid, scope])),
    },
  };
  return JSON.stringify(site);
}

/** Where the scan has been: each place, whether it answered with a page, with an error of its own, or refused, and which message of ZAP's that was. */
export interface Places {
  start: string;
  answered: Set<string>;
  erred: Set<string>;
  refused: Set<string>;
  byMessage: Map<string, string>;
}

/** A page that is missing or has moved is an answer; a login that is wanted or a server that fails shows nothing of what is there. */
const isAnswer = (status: number) => status > 0 && status < 500 && ![401, 403, 407, 408, 429].includes(status);

/** The application's own error; 502 to 504 and what is beyond 519 come from what stands before it, which has not reached it. */
const isOwnError = (status: number) => status >= 500 && status < 520 && ![502, 503, 504].includes(status);

function readPlaces({ start, pages }: SiteScan, origin: Origin): Places {
  const places: Places = { start: readPlace(formatStart(origin)), answered: new Set(), erred: new Set(), refused: new Set(), byMessage: new Map() };
  const fetched = [{ url: formatStart(origin), messageId: start.id, statusCode: readStatus(start.responseHeader) }, ...pages];
  for (const { url, messageId, statusCode } of fetched) {
    const place = readPlace(url);
    places.byMessage.set(messageId, place);
    // What held the scan off (429), or was not reached, was not looked at in any way.
    if (isAnswer(statusCode)) places.answered.add(place);
    else if (isOwnError(statusCode)) places.erred.add(place);
    else if (refusals.has(statusCode)) places.refused.add(place);
  }
  // What answered once was looked at, whatever else it answered.
  for (const place of places.answered) {
    places.erred.delete(place);
    places.refused.delete(place);
  }
  return places;
}

/** An attack changes the URL, so its place is that of the page that it began with, or of the nearest folder that was fetched. */
function locate(alerts: Alert[], { start, answered, erred, refused, byMessage }: Places): Record<"answered" | "erred" | "refused", string[]> {
  const isKnown = (place: string) => answered.has(place) || erred.has(place) || refused.has(place);
  const found = alerts.map(({ sourceMessageId, messageId, url }) => {
    const known = byMessage.get(sourceMessageId) ?? byMessage.get(messageId);
    return known ?? climb(readPlace(url), isKnown) ?? start;
  });
  const isRefused = (place: string) => refused.has(place) && !erred.has(place);
  return {
    answered: found.filter((place) => answered.has(place)),
    erred: found.filter((place) => !answered.has(place) && !isRefused(place)),
    refused: found.filter(isRefused),
  };
}

function climb(place: string, isKnown: (place: string) => boolean): string | undefined {
  for (let path = place; path !== ""; path = path.slice(0, path.lastIndexOf("/"))) {
    const found = [path, path.split("?")[0] ?? "", `${path}/`].find(isKnown);
    if (found !== undefined) return found;
  }
  return isKnown("/") ? "/" : undefined;
}

function describeScan({ ran, whole }: SiteScan, { origin, content }: SiteFacts, { answered, erred, refused }: Places): Coverage {
  return {
    origin: formatOrigin(origin),
    path: origin.path,
    rules: [...new Set(ran)],
    content: content.map(({ name, version, count }) => clip(`${name} ${version} (${count})`, 450)),
    answered: joinMarks(answered),
    erred: joinMarks(erred),
    refused: joinMarks(refused),
    places: new Set([...answered, ...erred, ...refused]).size,
    whole,
  };
}

type Hide = (text: string) => string;

/** ZAP keeps what it sent, and a report is read by many: the login is not in it. */
function createHider(login: TargetLogin | undefined): Hide {
  const secrets = ["Proxy-Authorization", ...(login?.kind === "header" ? [login.name] : [])].map((name) => name.toLowerCase());
  const values = login ? listLoginSecrets(login) : [];
  return (text) => {
    const lines = text.split("\n").filter((line) => !secrets.includes(line.slice(0, Math.max(0, line.indexOf(":"))).toLowerCase()));
    return cleanText(values.reduce((left, value) => left.replaceAll(value, "(login)"), lines.join("\n")));
  };
}

function writeAlert(reference: string, alerts: Alert[], messages: Map<string, Message>, hide: Hide): ReportAlert {
  // Of one rule's alerts, the worst stands for all.
  const worst = alerts.toSorted((a, b) => riskNames.indexOf(b.risk) - riskNames.indexOf(a.risk))[0] as Alert;
  const instances = alerts
    .toSorted((a, b) => Number(messages.has(b.messageId)) - Number(messages.has(a.messageId)))
    .slice(0, maxReportInstances)
    .map((alert) => writeInstance(alert, messages.get(alert.messageId), hide));
  return {
    pluginid: worst.pluginId,
    alertRef: reference,
    alert: cleanText(worst.name),
    name: cleanText(worst.name),
    riskcode: `${riskNames.indexOf(worst.risk)}`,
    confidence: `${confidenceNames.indexOf(worst.confidence)}`,
    riskdesc: `${worst.risk} (${worst.confidence})`,
    desc: toParagraphs(hide(worst.description)),
    instances,
    count: `${alerts.length}`,
    solution: toParagraphs(hide(worst.solution)),
    otherinfo: toParagraphs(hide(worst.other)),
    reference: toParagraphs(hide(worst.reference)),
    cweid: digits(worst.cweid),
    wascid: digits(worst.wascid),
    sourceid: worst.sourceid,
  };
}

const digits = (text: string) => (/^-?\d{1,9}$/.test(text) ? text : "0");

function writeInstance({ url, method, param, attack, evidence, other }: Alert, message: Message | undefined, hide: Hide): ReportInstance {
  const part = (text: string) => hide(text).slice(0, maxPartCharacters).toWellFormed();
  return {
    uri: part(url),
    method: part(method),
    param: part(param),
    attack: part(attack),
    evidence: part(evidence),
    otherinfo: toParagraphs(part(other)),
    ...(message
      ? {
          "request-header": part(message.requestHeader),
          "request-body": part(message.requestBody),
          "response-header": part(message.responseHeader),
          "response-body": partAround(hide(message.responseBody), evidence),
        }
      : {}),
  };
}

/** Of a long body the part with the evidence. */
function partAround(body: string, evidence: string): string {
  const at = evidence === "" ? 0 : Math.max(0, body.indexOf(evidence));
  const start = Math.max(0, Math.min(at - maxPartCharacters / 2, body.length - maxPartCharacters));
  return body.slice(start, start + maxPartCharacters).toWellFormed();
}
