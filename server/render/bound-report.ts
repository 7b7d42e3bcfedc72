import type { Report, ReportGroup } from "./report.ts";
import { count, plural } from "./words.ts";

/** The most different risks that a PDF describes: each takes 15 ms of a processor and half a page, and nobody reads more on paper. */
export const mostPdfGroups = 500;

/** The most pieces of evidence, and the most rows of a table. */
const mostPdfSights = 2000;
const mostPdfRows = 1000;

/** Where all is of what a PDF leaves out, in sentences. */
export interface Whole {
  risks: string;
  rows: string;
}

/** The report as far as a PDF holds it: the worst risks, the first rows of each table, and sentences that say what is left out and where it is. */
export function boundReport(report: Report, whole: Whole): Report {
  const left = report.groups.length - mostPdfGroups;
  const note = `This PDF describes the worst ${count(mostPdfGroups)} of ${count(report.groups.length)} different risks. ${whole.risks}`;
  const cut = left > 0 ? { summary: [...report.summary, note], groupsNote: [note, report.groupsNote].filter(Boolean).join(" ") } : {};
  const { closed, targets, gaps } = report;
  return {
    ...report,
    ...cut,
    groups: boundSights(report.groups.slice(0, mostPdfGroups), whole.risks),
    closed: { ...closed, rows: closed.rows.slice(0, mostPdfRows), intro: join(closed.intro, describeRest(closed.rows.length, "closed risk", whole.rows)) },
    targets: {
      ...targets,
      rows: targets.rows.slice(0, mostPdfRows),
      ...noteOf("note", join(targets.note, describeRest(targets.rows.length, "target", whole.rows))),
    },
    gaps: gaps.slice(0, mostPdfRows),
    ...noteOf("gapsNote", join(report.gapsNote, describeRest(gaps.length, "line", whole.rows))),
  };
}

const join = (...texts: (string | undefined)[]): string => texts.filter(Boolean).join(" ");

const noteOf = <K extends string>(name: K, text: string): { [P in K]?: string } => (text === "" ? {} : { [name]: text }) as { [P in K]?: string };

const describeRest = (rows: number, what: string, whole: string): string | undefined =>
  rows > mostPdfRows ? `${plural(rows - mostPdfRows, `more ${what}`)} ${rows - mostPdfRows === 1 ? "is" : "are"} left out of this PDF. ${whole}` : undefined;

/** Of each risk the first pieces of evidence, at least one. */
function boundSights(groups: ReportGroup[], whole: string): ReportGroup[] {
  let room = mostPdfSights - groups.length;
  return groups.map((group) => {
    const shown = group.seen.slice(0, 1 + Math.max(0, room));
    room -= shown.length - 1;
    const left = group.seen.slice(shown.length).reduce((sum, { targets }) => sum + targets.length, 0);
    return left === 0 ? group : { ...group, seen: [...shown, { targets: [{ target: plural(left, "more target"), note: whole }], evidence: [] }] };
  });
}
