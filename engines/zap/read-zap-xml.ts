import { ParseError } from "../kit/engine.ts";
import { createXmlReader } from "../kit/read-xml.ts";
import { Report } from "./zap-report.ts";

const maxReportBytes = 128 * 1024 ** 2;

type Fields = Record<string, unknown>;

interface Holder {
  fields: Fields;
  list: Fields[];
}

/** The elements that hold others: where each may stand, and what the JSON calls the list of what it holds. */
const holderKinds: Record<string, { below: string; list: string }> = {
  site: { below: "OWASPZAPReport", list: "alerts" },
  alertitem: { below: "site/alerts", list: "instances" },
  instance: { below: "alertitem/instances", list: "" },
};

/** ZAP's XML report (`traditional-xml`), as its JSON report would have it. Throws ParseError where it is cut off, is none, or names no site. */
export async function readZapXml(chunks: AsyncIterable<Uint8Array>): Promise<Report> {
  const gatherer = createGatherer();
  const xml = createXmlReader(gatherer);
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > maxReportBytes) throw new ParseError("The report is larger than 128 MB.");
    xml.write(chunk);
  }
  xml.end();
  const report = Report.safeParse(gatherer.report);
  if (report.success) return report.data;
  const issue = report.error.issues[0];
  throw new ParseError(
    `This is not an XML report of ZAP's with a site in it: ${issue?.path.map(String).join(".").slice(0, 100)}: ${issue?.message.slice(0, 200)}.`,
    {
      cause: report.error,
    },
  );
}

/** Makes the same shape as the JSON has: attributes of the report and of a site become `@name`, an element of text a field. */
function createGatherer() {
  const sites: Fields[] = [];
  const report: Fields = { site: sites };
  const path: string[] = [];
  const holders: Holder[] = [{ fields: report, list: sites }];
  const findKind = (name: string) => {
    const kind = Object.hasOwn(holderKinds, name) ? holderKinds[name] : undefined;
    return kind && path.slice(-kind.below.split("/").length).join("/") === kind.below ? kind : undefined;
  };
  return {
    report,
    open: (name: string, attributes: Record<string, string>, depth: number) => {
      if (depth === 1 && name !== "OWASPZAPReport") throw new ParseError(`This is not a report of ZAP's: its root is <${name.slice(0, 50)}>.`);
      if (depth === 1) Object.assign(report, atSigns(attributes));
      const kind = findKind(name);
      if (kind) {
        const list: Fields[] = [];
        const fields = { ...atSigns(attributes), ...(kind.list === "" ? {} : { [kind.list]: list }) };
        holders.at(-1)?.list.push(fields);
        holders.push({ fields, list });
      }
      path.push(name);
    },
    text: (name: string, text: string) => {
      const fields = holders.at(-1)?.fields;
      // Only what stands right in an alert or an instance.
      if (!fields || path.at(-1) !== name || (path.at(-2) !== "alertitem" && path.at(-2) !== "instance")) return;
      const field = (Object.hasOwn(fieldNames, name) ? fieldNames[name] : undefined) ?? name;
      fields[field] = `${Object.hasOwn(fields, field) ? fields[field] : ""}${text}`;
    },
    close: (name: string) => {
      path.pop();
      if (findKind(name)) holders.pop();
    },
  };
}

const atSigns = (attributes: Record<string, string>): Fields => Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`@${name}`, value]));

/** With requests and responses they are called otherwise than in JSON. */
const fieldNames: Partial<Record<string, string>> = {
  requestheader: "request-header",
  requestbody: "request-body",
  responseheader: "response-header",
  responsebody: "response-body",
};
