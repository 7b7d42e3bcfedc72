import { ParseError } from "../kit/engine.ts";
import type { XmlHandlers } from "../kit/read-xml.ts";
import type { OspElement } from "./osp-client.ts";
import { markerElement } from "./write-result.ts";

/** The elements that are read, each with those in it. */
interface Wanted {
  [name: string]: Wanted;
}

const list = (...names: string[]): Wanted => Object.fromEntries(names.map((name) => [name, {}]));

const test: Wanted = {
  ...list("name", "family", "cvss_base", "tags", "solution", "cve", "bid", "xref"),
  refs: list("ref"),
  severities: { severity: list("value") },
};
const result: Wanted = { ...list("name", "host", "port", "path", "threat", "severity", "description", markerElement), qod: list("value", "type"), nvt: test };

/** What is gathered as a whole, by the element that it stands in. The rest is skipped: a host has a detail for each test that ran. */
const records: Wanted = {
  results: { result },
  errors: { error: list("host", "description") },
  report: { host: list("ip", "end"), ...list("scan_run_status", "scan_end") },
};

const find = (wanted: Wanted | undefined, name: string): Wanted | undefined => (wanted && Object.hasOwn(wanted, name) ? wanted[name] : undefined);

const mostRecordElements = 5000;
/** Of one kind beside each other, such as references; further ones are skipped. */
const mostChildren = 500;

/** Gives each record as a tree when it closes, so that no more than one of them is held. */
export function createRecords(take: (record: OspElement, parent: string) => void): XmlHandlers {
  const path: string[] = [];
  const open: { element: OspElement; wanted: Wanted }[] = [];
  let count = 0;
  /** How deep it stands in an element that is skipped. */
  let skipped = 0;
  const findRecord = (name: string) => (path.at(-1) !== "results" || path.at(-2) === "report" ? find(find(records, path.at(-1) ?? ""), name) : undefined);
  return {
    open: (name, attributes, depth) => {
      if (depth === 1 && name !== "report" && name !== "get_reports_response")
        throw new ParseError(`This is not an OpenVAS report: its root is <${name.slice(0, 50)}>.`);
      const parent = open.at(-1);
      const wanted = parent ? find(parent.wanted, name) : findRecord(name);
      path.push(name);
      if (skipped > 0 || (parent && (!wanted || parent.element.children.length >= mostChildren))) skipped += 1;
      else if (wanted) {
        count = parent ? count + 1 : 1;
        if (count > mostRecordElements) throw new ParseError("A result of the report has more than 5,000 elements that are read.");
        const element = { name, attributes, text: "", children: [] };
        parent?.element.children.push(element);
        open.push({ element, wanted });
      }
    },
    text: (_name, text) => {
      const current = open.at(-1);
      if (current && skipped === 0) current.element.text += text;
    },
    close: () => {
      path.pop();
      if (skipped > 0) {
        skipped -= 1;
        return;
      }
      const closed = open.pop();
      if (closed && open.length === 0) take(closed.element, path.at(-1) ?? "");
    },
  };
}
