import { z } from "zod";

/** What an outcome looked at: one port. */
const Coverage = z.object({ port: z.int() });

export const readCoverage = (value: unknown): ((scope: string) => boolean) => {
  const coverage = Coverage.safeParse(value);
  return (scope) => coverage.success && scope === `tcp/${coverage.data.port}`;
};

export const describeCoverage = (value: unknown): string => {
  const coverage = Coverage.safeParse(value);
  return coverage.success ? `TCP port ${coverage.data.port}` : "";
};
