import type { AcceptanceKind, AcceptanceReason, ThreatLevel } from "@periscan/contract/risk.ts";
import type { RiskEvent, RiskEventType } from "@periscan/contract/risk-event.ts";
import { sql } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import { isoTime } from "../db/iso-time.ts";
import { foreignToken } from "../page.ts";

interface EventRow extends Record<string, unknown> {
  id: string;
  type: RiskEventType;
  at: string;
  scan_id: string | null;
  scan_type: string | null;
  threat_level: ThreatLevel | null;
  previous_threat_level: ThreatLevel | null;
  author: string | null;
  key_name: string | null;
  kind: AcceptanceKind | null;
  reason: AcceptanceReason | null;
  note: string | null;
  expires_at: string | null;
}

interface Wanted {
  riskId: string;
  pageSize: number;
  pageToken: string | undefined;
}

/**
 * What happened to a risk, newest first. Nothing of it is kept twice: what scans did comes from their rows, what people did from the
 * acceptances. The caller has checked whose risk it is.
 */
export async function loadHistory(db: Database, { riskId, pageSize, pageToken }: Wanted): Promise<{ data: RiskEvent[]; next_page_token?: string }> {
  const before = readToken(pageToken);
  const older = before === undefined ? sql`` : sql`where (event.at, event.id) < (${before.at}::timestamptz, ${before.id})`;
  const { rows } = await db.execute<EventRow>(sql`
    with ${looks(riskId)}, ${decisions(riskId)}, event as (${scanEvents} union all ${levelEvents} union all ${decisionEvents} union all ${endEvents})
    select id, type, ${isoTime(sql`at`)} as at, scan_id, scan_type, threat_level, previous_threat_level, author, key_name, kind, reason,
      note, ${isoTime(sql`expires_at`)} as expires_at
    from event ${older} order by event.at desc, event.id desc limit ${pageSize + 1}`);
  const data = rows.slice(0, pageSize).map(present);
  const last = data.at(-1);
  return rows.length > pageSize && last ? { data, next_page_token: Buffer.from(`${last.at}|${last.id}`).toString("base64url") } : { data };
}

/**
 * What each scan did to the risk and which threat level it saw, with the level that was seen before. A file from before the risk was known, and one that
 * was read before, changed nothing and are left out.
 */
const looks = (riskId: string) => sql`told as (
  select scan.id as scan_id, scan.type as scan_type, scan_risk.change, scan_target.observed_at as at, detection.id as detection_id, detection.threat_level,
    lag(scan_target.observed_at) over (order by scan_target.observed_at, scan.id) as previous_at,
    count(*) filter (where scan_risk.change = 'new_open') over (order by scan_target.observed_at, scan.id) as openings
  from scan_risk
  join risk on risk.id = scan_risk.risk_id
  join scan on scan.id = scan_risk.scan_id
  join scan_target on scan_target.scan_id = scan_risk.scan_id and scan_target.target_id = risk.target_id
  left join detection on detection.id = scan_risk.detection_id
  where scan_risk.risk_id = ${riskId}), look as (
  select *, lag(threat_level) over (partition by detection_id is null order by at, scan_id) as previous_threat_level
  from told where change <> 'still_open' or (openings > 0 and previous_at < at))`;

const decisions = (riskId: string) => sql`decision as (
  select acceptance.*, lag(kind) over (partition by created_at order by updated_at, id) as previous_kind from acceptance where risk_id = ${riskId})`;

const noPerson = sql`null::text as author, null::text as key_name, null::text as kind, null::text as reason, null::text as note, null::timestamptz as expires_at`;
const noScan = sql`null::uuid as scan_id, null::text as scan_type, null::text as threat_level, null::text as previous_threat_level`;

const scanEvents = sql`
  select scan_id || '-1' as id,
    case when change = 'closed' then 'closed' when change = 'still_open' then 'seen_again' when openings = 1 then 'opened' else 'reopened' end as type,
    at, scan_id, scan_type, threat_level, null::text as previous_threat_level, ${noPerson} from look`;

const levelEvents = sql`
  select scan_id || '-2', 'threat_level_changed', at, scan_id, scan_type, threat_level, previous_threat_level, ${noPerson}
  from look where threat_level <> previous_threat_level`;

const decisionEvents = sql`
  select id || '-1', case when previous_kind = kind then 'acceptance_changed' else kind end, updated_at, ${noScan}, author, key_name, kind, reason, note, expires_at
  from decision`;

const endEvents = sql`
  select id || '-2', case when end_cause = 'expired' then 'acceptance_expired' else 'acceptance_ended' end, ended_at, ${noScan}, end_author, end_key_name, kind,
    null::text, end_note, null::timestamptz
  from decision where end_cause in ('ended', 'expired')`;

function readToken(token: string | undefined): { at: string; id: string } | undefined {
  if (token === undefined) return undefined;
  const [, at, id] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\|([0-9a-f-]{36}-[12])$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (at === undefined || id === undefined || Number.isNaN(Date.parse(at))) throw foreignToken();
  return { at, id };
}

/** Only what is known: an event of a scan has no author, a decision no scan. */
const present = (row: EventRow): RiskEvent => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as RiskEvent;
