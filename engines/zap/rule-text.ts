export interface RuleText {
  title: string;
  threatLevel: "NONE" | "LOW" | "MEDIUM" | "HIGH" | "CRITICAL";
  /** What it is, and why it matters. */
  description: string;
  solution: string;
  references: string[];
  /** Of the Common Weakness Enumeration. */
  cwe: number;
  kind: "passive" | "active";
}

export type RuleRow = [
  id: number,
  threatLevel: RuleText["threatLevel"],
  cwe: number,
  title: string,
  description: string,
  solution: string,
  references: string[],
];

export function describeRules(kind: RuleText["kind"], rows: RuleRow[]): Record<string, RuleText> {
  return Object.fromEntries(
    rows.map(([id, threatLevel, cwe, title, description, solution, references]) => [
      `${id}`,
      { title, threatLevel, description, solution, references: [...new Set([...references, cwePage(cwe)])], cwe, kind },
    ]),
  );
}

// Pages that stay: OWASP's testing guide in its numbered edition, its cheat sheets, Mozilla's reference, and the weakness itself.

const guide = "https://owasp.org/www-project-web-security-testing-guide/v42/4-Web_Application_Security_Testing/";
const sheets = "https://cheatsheetseries.owasp.org/cheatsheets/";

export const wstg = (page: string): string => `${guide}${page}`;
export const sheet = (name: string): string => `${sheets}${name}_Cheat_Sheet.html`;
export const header = (name: string): string => `https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/${name}`;
export const mdn = (page: string): string => `https://developer.mozilla.org/docs/Web/${page}`;
export const cwePage = (cwe: number): string => `https://cwe.mitre.org/data/definitions/${cwe}.html`;
