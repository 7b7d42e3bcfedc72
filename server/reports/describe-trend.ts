import { threatLevels } from "@periscan/contract/risk.ts";
import type { Trend } from "../render/report.ts";
import { count, formatDate, formatDay, levelNames, plural } from "../render/words.ts";
import type { TrendPoint } from "./load-trend.ts";

/** The trend as bars; nothing where there are fewer than two moments to compare, or nothing to see at any. */
export function describeTrend(points: TrendPoint[] | undefined): { trend?: Trend } {
  const first = points?.[0];
  const last = points?.at(-1);
  const most = Math.max(0, ...(points ?? []).map(total));
  if (!points || !first || !last || points.length < 2 || most === 0) return {};
  const top = niceTop(most);
  const present = threatLevels.filter((level) => points.some(({ counts }) => (counts[level] ?? 0) > 0));
  return {
    trend: {
      heading: "Open risks over time",
      text: `Open risks that were not accepted: ${plural(total(first), "risk")} on ${formatDate(first.at)}, ${count(total(last))} on ${formatDate(last.at)}.`,
      bars: points.map((point) => ({
        label: formatDay(point.at),
        total: total(point),
        // The worst at the bottom, where its height can be compared.
        parts: threatLevels.flatMap((level) => {
          const value = point.counts[level] ?? 0;
          return value === 0 ? [] : [{ level, count: value, share: value / top }];
        }),
      })),
      ticks: [0, top / 2, top].map((value) => ({ label: count(value), share: value / top })),
      levels: present.map((level) => ({ level, name: levelNames[level] })),
    },
  };
}

export const total = ({ counts }: TrendPoint): number => threatLevels.reduce((sum, level) => sum + (counts[level] ?? 0), 0);

/** The next even 1, 2 or 5 times a power of ten, so that the line in the middle is a whole number too. */
function niceTop(most: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  return [1, 2, 4, 6, 8, 10, 20].map((factor) => factor * power).find((top) => top >= Math.max(2, most) && top % 2 === 0) ?? 20 * power;
}
