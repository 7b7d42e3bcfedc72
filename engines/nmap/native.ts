import type { NativeFacts, NativeFormat } from "../kit/engine.ts";

/** Nmap's own XML, one document for the whole scan: the hosts as Nmap printed them, under one root and one end marker. */
export const native: NativeFormat = {
  contentType: "application/xml",
  extension: "xml",
  head: ({ type, engineVersion, startedAt }) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap" args="periscan ${type}" start="${seconds(startedAt)}" startstr="${escapeText(startedAt.toUTCString())}" version="${escapeText(engineVersion.replace(/^Nmap /, ""))}" xmloutputversion="1.05">\n`,
  separator: "\n",
  tail: (facts) =>
    `\n<runstats>${finished(facts)}<hosts up="${facts.reached}" down="${facts.unreached}" total="${facts.reached + facts.unreached}"/>\n</runstats>\n</nmaprun>\n`,
};

function finished({ startedAt, finishedAt, reached, unreached, succeeded }: NativeFacts): string {
  const elapsed = ((finishedAt.getTime() - startedAt.getTime()) / 1000).toFixed(2);
  const summary = `${reached + unreached} IP addresses (${reached} hosts up) scanned in ${elapsed} seconds`;
  return `<finished time="${seconds(finishedAt)}" timestr="${escapeText(finishedAt.toUTCString())}" summary="${summary}" elapsed="${elapsed}" exit="${succeeded ? "success" : "error"}"/>`;
}

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);

const escapeText = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
