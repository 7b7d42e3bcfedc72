import type { RiskRow } from "../present/present-risk.ts";
import { showText } from "../render/show-text.ts";

const columns = [
  "id",
  "target",
  "target_label",
  "tags",
  "status",
  "threat_level",
  "title",
  "scan_type",
  "first_detected_at",
  "last_detected_at",
  "is_accepted",
  "acceptance_kind",
  "acceptance_reason",
  "acceptance_note",
  "acceptance_author",
  "acceptance_expires_at",
  "description",
  "solution",
  "references",
  "additional_info",
];

/** RFC 4180: CRLF after each record, every field quoted, a header first. UTF-8 without a mark: that would become part of the first column's name. */
export async function* writeCsv(pages: AsyncIterable<RiskRow[]>): AsyncIterable<string> {
  yield writeRecord(columns);
  for await (const rows of pages) yield rows.map((row) => writeRecord(toFields(row))).join("");
}

function toFields({ risk: { risk_definition: definition, accepted_by, ...risk } }: RiskRow): string[] {
  const [standing] = accepted_by;
  return [
    risk.id,
    risk.target,
    risk.target_label,
    risk.tags.join(", "),
    risk.status,
    definition.threat_level,
    definition.title,
    definition.scan_type,
    risk.first_detected_at,
    risk.last_detected_at,
    `${risk.is_accepted}`,
    standing?.kind ?? "",
    standing?.reason ?? "",
    standing?.note ?? "",
    standing?.author ?? "",
    standing?.expires_at ?? "",
    definition.description,
    definition.solution,
    definition.references.join("\n"),
    JSON.stringify(definition.additional_info),
  ];
}

const writeRecord = (fields: string[]): string => `${fields.map(writeField).join(",")}\r\n`;

/**
 * What a spreadsheet would take for a formula gets a quote in front (OWASP ASVS 5, 1.2.10); some of them also read the full-width forms, and
 * look past white space.
 */
const formula = /^\s*[=+\-@\t\r\n\0\uFF1D\uFF0B\uFF0D\uFF20]/u;

export function writeField(text: string): string {
  const shown = showText(text);
  return `"${(formula.test(text) || formula.test(shown) ? `'${shown}` : shown).replaceAll('"', '""')}"`;
}
