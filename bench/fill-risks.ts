import { sql } from "drizzle-orm";
import type { Database } from "../server/db/connect.ts";

interface Fill {
  workspaceId: string;
  targets: number;
  risksPerTarget: number;
  /** Weekly scans of all targets; the newest is now. */
  scans: number;
  /** As many different risks as rows, instead of 200. */
  isDifferent?: boolean;
}

/**
 * Fills a workspace as scans would have: weekly looks at every target, risks that open at one of them and of which some close at a later one,
 * evidence of open ports. The titles are spread over 200 definitions.
 */
export async function fillRisks(db: Database, { workspaceId, targets, risksPerTarget, scans, isDifferent = false }: Fill): Promise<void> {
  const coverage = JSON.stringify({ protocol: "tcp", ports: "1-65535", answered: true, unsure: "" });
  await db.execute(sql`insert into target (id, workspace_id, target, label, tags)
    select uuidv7(), ${workspaceId}, format('host-%s.example.com', n), format('Host %s', n), array[case when n % 2 = 0 then 'even' else 'odd' end] from generate_series(1, ${targets}) n`);
  await db.execute(sql`insert into scan (id, workspace_id, type, state, options, progress, created_at, started_at, finished_at)
    select uuidv7(), ${workspaceId}, 'NMAP', 'SUCCEEDED', '{"ports":"1-65535"}', 100, at, at, at + interval '1 hour'
    from (select now() - make_interval(weeks => n) - interval '2 hours' as at from generate_series(0, ${scans - 1}) n) as times order by at`);
  await db.execute(sql`insert into scan_target (scan_id, target_id, target, ordinal, kind, coverage, engine_version, observed_at)
    select scan.id, target.id, target.target, row_number() over (partition by scan.id order by target.id), 'complete', ${coverage}::jsonb, 'Nmap 7.93', scan.finished_at
    from scan, target where scan.workspace_id = ${workspaceId} and target.workspace_id = ${workspaceId}`);
  await db.execute(sql`
    insert into risk (id, workspace_id, target_id, tag_set, scan_type, key, scope, title, threat_level, description, solution, "references", additional_info, detail, status,
      first_detected_at, last_detected_at, closed_at)
    select uuidv7(), ${workspaceId}, target.id, target.tag_set, 'NMAP', 'tcp/' || port, 'tcp/' || port, 'Open TCP Port: ' || port || case when ${isDifferent} then ' of ' || target.target else '' end,
      (array['CRITICAL', 'HIGH', 'MEDIUM', 'MEDIUM', 'LOW', 'LOW', 'LOW', 'LOW', 'NONE', 'NONE'])[1 + port % 10],
      'The port is open, and a service answers there. Whoever reaches the host can talk to it, look for its version, and try what is known against it.',
      'Close the port where nobody needs it. Else let a firewall pass only those who do.', '["https://example.com/ports"]', jsonb_build_object('port', port, 'protocol', 'tcp'),
      jsonb_build_object('port', port, 'protocol', 'tcp', 'reason', 'syn-ack', 'service', jsonb_build_object('name', 'http', 'product', 'nginx', 'version', '1.24.0', 'method', 'probed',
        'confidence', 10, 'cpe', jsonb_build_array('cpe:/a:nginx:nginx:1.24.0'))),
      case when closes then 'CLOSED' else 'OPEN' end, first_at, case when closes then first_at else last_at end, case when closes then last_at end
    from target, lateral (select n, 1 + (n * 7 + ('x' || substr(md5(target.target), 1, 6))::bit(24)::int) % 200 as port from generate_series(1, ${risksPerTarget}) n) ports,
      lateral (select n % 5 = 0 and (n * 13 + port) % ${scans} > 0 as closes, now() - make_interval(weeks => (n * 13 + port) % ${scans}) - interval '1 hour' as first_at, now() - interval '1 hour' as last_at) life
    where target.workspace_id = ${workspaceId} on conflict do nothing`);
  await db.execute(sql`
    insert into detection (scan_id, target_id, key, scope, title, threat_level, description, solution, "references", additional_info, detail)
    select scan.id, risk.target_id, risk.key, risk.scope, risk.title, risk.threat_level, '', '', '[]', '{}', '{}'
    from risk join scan on scan.workspace_id = risk.workspace_id and scan.finished_at >= risk.first_detected_at - interval '1 minute'
      and (risk.closed_at is null or scan.finished_at < risk.closed_at - interval '1 minute' or scan.finished_at < risk.first_detected_at + interval '1 minute')
    where risk.workspace_id = ${workspaceId}`);
  await db.execute(sql`
    insert into scan_risk (scan_id, risk_id, change, detection_id)
    select detection.scan_id, risk.id, case when row_number() over (partition by risk.id order by scan.finished_at) = 1 then 'new_open' else 'still_open' end, detection.id
    from detection join risk on risk.target_id = detection.target_id and risk.key = detection.key join scan on scan.id = detection.scan_id
    where risk.workspace_id = ${workspaceId}`);
  await db.execute(sql`
    insert into scan_risk (scan_id, risk_id, change)
    select scan.id, risk.id, 'closed' from risk join scan on scan.workspace_id = risk.workspace_id and scan.finished_at > risk.closed_at - interval '1 minute'
    where risk.workspace_id = ${workspaceId} and risk.status = 'CLOSED' on conflict do nothing`);
  await db.execute(sql`analyze`);
}
