import { readPort } from "./coverage.ts";
import { namePort } from "./name-services.ts";
import { isBlocked, isLookedAt, isNoAnswer, isOwed, type Looks, listLeft } from "./read-looks.ts";
import type { SiteAnswers, TargetFacts } from "./read-outcome.ts";

/** Why nothing of the target counts as looked at. */
export function describeSilence({ runs, answers, known, overload, services: { sites, ports } }: TargetFacts): string {
  const where = [...sites, ...ports.map((port) => `TCP port ${namePort({ known }, port)}`)].slice(0, 5).join(", ");
  const why = [...answers.filter(isBlocked).map(describeBlock), ...runs.flatMap((run) => run.cut ?? []), ...(overload ? [overload] : [])];
  return [`Nothing that was sent to ${where} got an answer that could be used, although connections were accepted.`, ...new Set(why)].join(" ").slice(0, 2000);
}

function describeBlock({ site, before, after = 0 }: SiteAnswers): string {
  const start = before === undefined ? "gave no answer" : `answered ${before}`;
  const when = before === after ? `answered ${after} before and after the templates ran` : `${start} before the templates ran and answered ${after} afterwards`;
  const [meaning, advice] =
    after === 429
      ? ["it limits how many requests it takes", slower]
      : isNoAnswer(after)
        ? ["what stands before it calls it down or overloaded", before === after ? "See that it is up, and scan again." : slower]
        : ["it held the scan off or failed", slower];
  return `The start page of ${site.slice(0, 200)} ${when}: ${meaning}, so what it answered to templates does not count. ${advice}`;
}

const slower = "Scan again later, with a smaller options.rate_limit.";

/** Why the outcome is not complete. */
export function listGaps(facts: TargetFacts, looks: Looks): string[] {
  const { runs, planned, answers, gone, opened, failing, services, overload } = facts;
  const gaps = answers.filter(isBlocked).map(describeBlock);
  const [lost] = answers.filter(({ site, before, after }) => before !== undefined && after === undefined && !gone.includes(readPort(site) ?? 0));
  if (lost) gaps.push(`${lost.site.slice(0, 200)} answered ${lost.before} before the templates ran and gave no answer afterwards.`);
  const sites = listSiteGaps(facts, looks);
  gaps.push(...listPortGaps(facts, looks), ...sites);
  const untouched = planned.filter((place) => !looks.byPlace.has(place) && (!place.startsWith("tcp:") || isOwed(readPort(place) ?? 0, facts, looks)));
  if (untouched.length > 0 && runs.every(({ cut }) => cut === undefined))
    gaps.push(`No template got through to ${untouched.slice(0, 5).join(", ").slice(0, 500)}.`);
  if (services.unclear.length > 0)
    gaps.push(`TCP port ${services.unclear.join(", ")} wants TLS, and no site answered there, so it was not looked at. Scan again.`);
  if (opened.length > 0)
    gaps.push(`TCP port ${opened.slice(0, 12).join(", ")} refused a connection at the start and accepted one at the end, so it was not looked at. Scan again.`);
  const failed = failing.filter((port) => isOwed(port, facts, looks));
  if (failed.length > 0) gaps.push(`TCP port ${failed.join(", ")} did not accept every connection.`);
  if (gone.length > 0)
    gaps.push(`TCP port ${gone.join(", ")} no longer accepted connections when the scan ended: the service went down meanwhile, or blocks this scanner.`);
  if (sites.length + failed.length > 0) gaps.push(overload ?? `Scan again with a smaller ${sites.length > 0 ? "options.rate_limit" : "options.concurrency"}.`);
  return gaps;
}

/** Of many templates some send what a server hangs up on. They close nothing; more of them mean that the site does not keep up. */
const toleratedHangUps = 0.01;

function listSiteGaps(facts: TargetFacts, { byPlace }: Looks): string[] {
  const gaps: string[] = [];
  for (const [place, byTemplate] of byPlace) {
    if (place.startsWith("tcp:")) continue;
    const all = [...byTemplate.values()];
    const unanswered = all.filter((look) => look.unanswered > 0).length;
    const hungUp = all.filter((look) => look.hungUp > 0 && look.unanswered === 0).length;
    const isToldWhy = facts.overload !== undefined || facts.answers.some((each) => each.site === place && isBlocked(each));
    if (unanswered > 0) gaps.push(`${count(unanswered, "template")} of ${all.length} got no answer from ${place.slice(0, 200)}.`);
    if (hungUp > Math.floor(all.length * toleratedHangUps))
      gaps.push(
        `${place.slice(0, 200)} closed the connection on ${count(hungUp, "template")} of ${all.length} without an answer.${isToldWhy ? "" : " A firewall may stand before it."}`,
      );
  }
  return gaps;
}

function listPortGaps(facts: TargetFacts, looks: Looks): string[] {
  const { mute, services, known } = facts;
  const owed = listLeft(facts, looks).filter((port) => isOwed(port, facts, looks));
  const name = (ports: number[]) => ports.map((port) => namePort({ known }, port)).join(", ");
  const halves = owed.filter((port) => !mute.includes(port) && looks.byPlace.has(`tcp:${port}`));
  const still = owed.filter((port) => mute.includes(port));
  return [
    ...(halves.length > 0 ? [`No template got an answer to all that it sent to TCP port ${name(halves)}.`] : []),
    ...(still.length > 0 ? [`TCP port ${name(still)} accepted connections and never said anything.`] : []),
    ...(services.mute.length > 0 ? [`TCP port ${name(services.mute)} answered no request for a page, so it was not looked at as a site. Scan again.`] : []),
  ];
}

const count = (number: number, thing: string): string => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;

const mostNamed = 30;

/** The open ports that are not Nuclei's to look at. Where the scan was cut short, one may only not have had its turn. */
function listStrangers(facts: TargetFacts, looks: Looks): number[] {
  const { runs, planned } = facts;
  const isCut = runs.some(({ cut }) => cut !== undefined);
  const hadTurn = (place: string) => !isCut || looks.byPlace.has(place) || !planned.includes(place);
  return listLeft(facts, looks).filter((port) => hadTurn(`tcp:${port}`) && !isOwed(port, facts, looks));
}

function nameStrangers({ known, udp, services: { spared } }: TargetFacts, strangers: number[]): string[] {
  const list = (names: string[]) => `${names.slice(0, mostNamed).join(", ")}${names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ""}`;
  const ports = strangers.map((port) => namePort({ known }, port));
  return [
    ...(ports.length > 0
      ? [`Not looked at, for they answered in no protocol of the chosen templates: ${list(ports)}. What was found there keeps its state.`]
      : []),
    ...(udp.length > 0 ? [`Not looked at, for no template here speaks UDP: ${list(udp)}.`] : []),
    ...(spared.length > 0 ? [describeSpared(spared)] : []),
  ];
}

/** Why nothing was sent to ports where printers listen. */
export const describeSpared = (ports: number[]): string =>
  `Not looked at: TCP port ${ports.join(", ")}, where printers listen and print whatever comes. Where a site is there, name it by its URL.`;

/** What else is to be known of the look. */
export function listNotes(facts: TargetFacts, looks: Looks): string[] {
  const { runs, refused, services } = facts;
  const { silent } = services;
  const strangers = listStrangers(facts, looks);
  const notes = nameStrangers(facts, strangers);
  notes.push(...runs.flatMap(({ broken }) => broken.map((text) => `Templates that Nuclei could not read were left out: ${text}`)));
  const loaded = runs.reduce((sum, run) => sum + run.loaded, 0);
  const left = runs.reduce((sum, run) => sum + (run.cut === undefined ? Math.max(0, run.chosen - run.loaded) : 0), 0);
  if (left > 0)
    notes.push(`Nuclei left out ${count(left, "template")} that the scan chose, because it cannot read or use them. They say nothing about the target.`);
  const used = new Set(runs.flatMap((run) => run.requests.map(({ template }) => template))).size;
  if (used < loaded)
    notes.push(
      `${count(loaded - used, "template")} of ${loaded.toLocaleString("en")} made no request that Nuclei tells of: they had nothing to ask, or the service did not speak as they need.`,
    );
  const failed = [...looks.byPlace].flatMap(([place, byTemplate]) =>
    strangers.includes(Number(place.slice("tcp:".length)))
      ? []
      : [...byTemplate.values()].flatMap((look) => (isLookedAt(look) ? [] : [{ isNetwork: place.startsWith("tcp:"), ...look }])),
  );
  const hungUp = failed.filter((look) => look.hungUp > 0).length;
  if (hungUp > 0) notes.push(`The target hung up on ${count(hungUp, "template")}; they say nothing about it.`);
  const still = failed.filter((look) => look.isNetwork && look.unanswered > 0).length;
  if (still > 0) notes.push(`The target did not answer all that ${count(still, "network template")} sent; they say nothing about it.`);
  if (refused.length > 0) notes.push(`Requests to elsewhere were refused, because only the target is scanned: ${refused.slice(0, 5).join(", ")}.`);
  if (silent.length > 0)
    notes.push(
      `${count(silent.length, "port")} did not answer and may be behind a firewall: ${silent.slice(0, 12).join(", ")}${silent.length > 12 ? " …" : ""}.`,
    );
  return notes.map((note) => note.slice(0, 2000)).slice(0, 50);
}
