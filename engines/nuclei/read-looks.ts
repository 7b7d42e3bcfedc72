import type { Services } from "./find-services.ts";
import { findKnown, isMadeFor } from "./name-services.ts";
import type { SiteAnswers, TargetFacts } from "./read-outcome.ts";

/** What is known of a template at a place. */
export interface Look {
  answered: number;
  hungUp: number;
  unanswered: number;
  /** The template waits for an answer to the last thing that it sends. */
  readsLast: boolean;
}

/** What the runs looked at: by place, what became of each template there, and the ids of those that count. */
export interface Looks {
  byPlace: Map<string, Map<string, Look>>;
  lookedAt: Map<string, string[]>;
}

export function readLooks(facts: TargetFacts): Looks {
  const byPlace = readRequests(facts);
  return { byPlace, lookedAt: listLookedAt(facts, byPlace) };
}

/** Where a request or a hit belongs: the site of its origin, or the port. Undefined where that was not scanned. */
export function findScanned({ sites, ports }: Services, type: string, address: string): string | undefined {
  if (type === "http") {
    if (!URL.canParse(address)) return undefined;
    const { origin } = new URL(address);
    return sites.find((site) => new URL(site).origin === origin);
  }
  const port = Number(/:(\d{1,5})$/.exec(address)?.[1]);
  return ports.includes(port) ? `tcp:${port}` : undefined;
}

function readRequests({ runs, services, templates, mute }: TargetFacts): Map<string, Map<string, Look>> {
  const places = new Map<string, Map<string, Look>>();
  const ids = new Set([...templates.values()].map(({ id }) => id));
  const readsLast = new Set([...templates.values()].flatMap((template) => (template.readsLast ? [template.id] : [])));
  for (const { template, type, input, address, end } of runs.flatMap((run) => run.requests)) {
    const id = templates.get(template)?.id ?? (ids.has(template) ? template : undefined);
    const place = findScanned(services, type, type === "http" ? input : address || input);
    if (id === undefined || place === undefined) continue;
    const byTemplate = places.get(place) ?? new Map<string, Look>();
    places.set(place, byTemplate);
    const look = byTemplate.get(id) ?? { answered: 0, hungUp: 0, unanswered: 0, readsLast: readsLast.has(id) };
    byTemplate.set(id, look);
    // To a network template, sending is enough; only the proxy knows that nothing came back.
    const isMute = mute.some((port) => place === `tcp:${port}`);
    if (end === "answered" && !isMute) look.answered += 1;
    if (end === "hung up") look.hungUp += 1;
    if (end === "unanswered") look.unanswered += 1;
  }
  return places;
}

/**
 * Every request of the template was answered. A network template that reads each answer itself has all of them where Nuclei tells of its request; what
 * comes after is only the end of the connection.
 */
export const isLookedAt = ({ answered, hungUp, unanswered, readsLast }: Look): boolean => answered > 0 && (readsLast || hungUp + unanswered === 0);

/** By place, the ids of the templates that were looked with there. */
function listLookedAt({ answers }: TargetFacts, looks: Map<string, Map<string, Look>>): Map<string, string[]> {
  const blocked = new Set(answers.filter(isBlocked).map(({ site }) => site));
  const listIds = (byTemplate: Map<string, Look>) => [...byTemplate].filter(([, look]) => isLookedAt(look)).map(([id]) => id);
  return new Map([...looks].map(([place, byTemplate]) => [place, blocked.has(place) ? [] : listIds(byTemplate)]));
}

/** A server that works, and lets one in, does not answer so. */
const isRefusal = (status: number): boolean => [401, 403, 407, 429].includes(status) || status >= 500;
/** What stands before a site answers so, for a site that is not there or not to be asked now. */
export const isNoAnswer = (status: number): boolean => [429, 502, 503, 504].includes(status);

/** The site refused from some time on, or all the time: what it answered to templates says nothing of what is there. */
export const isBlocked = ({ before, after }: SiteAnswers): boolean => after !== undefined && (isNoAnswer(after) || (isRefusal(after) && after !== before));

const isLooked = (lookedAt: Looks["lookedAt"], place: string): boolean => (lookedAt.get(place)?.length ?? 0) > 0;

/**
 * Whether a look at the port is owed: a site was to be expected there, or a network template is made for it, or nothing else of the target was looked at. Other
 * ports speak protocols that no template speaks; they are named, and make nothing partial.
 */
export function isOwed(port: number, { services, planned, templates, known }: TargetFacts, { lookedAt }: Looks): boolean {
  const place = `tcp:${port}`;
  if (services.mute.includes(port) || ![...lookedAt.keys()].some((other) => other !== place && isLooked(lookedAt, other))) return true;
  return planned.includes(place) && isMadeFor(templates.values(), port, findKnown({ known }, port).name);
}

/** The open ports that are no sites, and at which no template got an answer to all that it sent. */
export const listLeft = ({ services }: TargetFacts, { lookedAt }: Looks): number[] => services.ports.filter((port) => !isLooked(lookedAt, `tcp:${port}`));
