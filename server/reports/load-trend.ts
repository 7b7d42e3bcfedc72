import type { ThreatLevel } from "@periscan/contract/risk.ts";
import { eq, type SQL, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { risk, target } from "../db/schema.ts";

/** How many risks were open and not accepted at a moment. */
export interface TrendPoint {
  at: string;
  counts: Partial<Record<ThreatLevel, number>>;
}

const mostPoints = 13;
const dayMilliseconds = 86_400_000;

/** Moments up to `now`, the oldest first: weeks, or days where the first look is not three weeks old. None lies before that look. */
export function pickMoments(first: Date, now: Date): Date[] {
  const age = now.getTime() - first.getTime();
  const step = age > 21 * dayMilliseconds ? 7 * dayMilliseconds : dayMilliseconds;
  const steps = Math.min(mostPoints - 1, Math.floor(age / step));
  return Array.from({ length: steps + 1 }, (_, index) => new Date(now.getTime() - (steps - index) * step));
}

/**
 * The open risks that match, at each moment and by the threat level that was known then, without those that were accepted then. It is read
 * from what every scan did: a risk is open from each look that saw it until the next that did not.
 */
export async function loadTrend(tx: Transaction, matches: SQL | undefined, moments: Date[]): Promise<TrendPoint[]> {
  const chosen = tx.select({ id: risk.id, target_id: risk.targetId }).from(risk).innerJoin(target, eq(target.id, risk.targetId)).where(matches);
  const times = moments.map((moment) => moment.toISOString());
  const { rows } = await tx.execute<{ position: number; level: ThreatLevel; count: number }>(sql`
    with chosen as (${chosen}),
    look as (
      select chosen.id, scan_target.observed_at as at, scan_risk.change, detection.threat_level as level,
        lead(scan_target.observed_at) over (partition by chosen.id order by scan_target.observed_at, scan_risk.scan_id) as until
      from chosen join scan_risk on scan_risk.risk_id = chosen.id
      join scan_target on scan_target.scan_id = scan_risk.scan_id and scan_target.target_id = chosen.target_id
      left join detection on detection.id = scan_risk.detection_id)
    select moment.position::int, look.level, count(*)::int
    from look join unnest(${sql.param(times)}::timestamptz[]) with ordinality as moment(at, position)
      on look.at <= moment.at and (look.until is null or look.until > moment.at)
    where look.change <> 'closed' and not exists (
      select 1 from acceptance where acceptance.risk_id = look.id and acceptance.updated_at <= moment.at and (acceptance.ended_at is null or acceptance.ended_at > moment.at))
    group by 1, 2`);
  return times.map((at, index) => ({
    at,
    counts: Object.fromEntries(rows.filter(({ position }) => position === index + 1).map(({ level, count }) => [level, count])),
  }));
}
