import { sql } from "drizzle-orm";
import type { Database } from "../server/db/connect.ts";

interface Fill {
  workspaceId: string;
  targets: number;
  risks: number;
}

/** One target has this many risks, and one this many observations. */
export const largeRisks = 20_000;
export const largeObservations = 30_000;
/** Scans of one target each, newer than the large ones; one target was in this many of them. */
export const smallScans = 30_000;
const scansOfOne = 1_500;

/**
 * Fills a workspace as years of use would, and so that it is hard to list: the halves of the network (dc-1, dc-2) came one after the other, so
 * the newest risks are all of one half; some values never meet (dc-1 has two CRITICAL risks and no OWASP_ZAP_ACTIVE, one title was closed
 * twice), what is tagged legacy has the oldest risks, and tags stand together in thousands of combinations.
 */
export async function fillLists(db: Database, fill: Fill): Promise<void> {
  await db.execute(sql`set synchronous_commit = off`);
  for (const step of [fillTargets, fillRisks, fillAcceptances, fillLargeScans, fillSmallScans, fillObservations]) {
    const startedAt = performance.now();
    await step(db, fill);
    await db.execute(sql`analyze`);
    console.error(`${step.name}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  }
  // As autovacuum leaves it.
  await db.execute(sql`vacuum analyze`);
}

async function fillTargets(db: Database, { workspaceId, targets }: Fill): Promise<void> {
  await db.execute(sql`insert into target (id, workspace_id, target, label, tags)
    select uuidv7(), ${workspaceId}, format('host-%s.example.com', n),
      case when n % 10 = 0 then format('Host %s', n) when n % 2 = 0 then 'server' else '' end,
      array[case when n <= ${targets / 2} then 'dc-1' else 'dc-2' end, 'env-' || n % 7 % 3, 'team-' || n % 11]
        || case when n <= ${targets / 2} and n % 10 = 4 then array['legacy'] else '{}' end || case when n % 2000 = 3 then array['pilot'] else '{}' end || case when n = 7 then array['alone'] else '{}' end
        || case when n % 40 = 9 then array['shared', 'owner-' || n] else '{}' end
    from generate_series(1, ${targets}::int) n`);
}

/** 200 titles, the first ones on many targets, and some that one target has. In the order of halves, types and targets, a tenth of them mixed. */
async function fillRisks(db: Database, { workspaceId, risks }: Fill): Promise<void> {
  await db.execute(sql`
    insert into risk (id, workspace_id, target_id, tag_set, scan_type, key, scope, title, threat_level, description, solution, "references", additional_info, detail, status,
      is_accepted, first_detected_at, last_detected_at, closed_at)
    select uuidv7(), ${workspaceId}, target_id, tag_set, scan_type, 'key-' || number, 'tcp/443',
      case when random() < 0.0001 then 'Seen once: ' || number else format('Definition %s: a service answers with more than it should', title) end, threat_level,
      'The service answers with what it should keep to itself. Whoever reaches the host can read it, look for its version, and try what is known against it.',
      'Update the service to a version that is still cared for, or let a firewall pass only those who need it.', '["https://example.com/advisories/1"]',
      jsonb_build_object('port', 443, 'protocol', 'tcp'), jsonb_build_object('port', 443, 'protocol', 'tcp', 'reason', 'syn-ack', 'service', jsonb_build_object('name', 'http',
        'product', 'nginx', 'version', '1.24.0')),
      status, status = 'OPEN' and half = 2 and random() < 0.03, now() - interval '90 days', now() - interval '1 day', case when status = 'CLOSED' then now() - interval '1 day' end
    from (
      select *, case when title = 3 then case when number in (5000, 90000) then 'CLOSED' else 'OPEN' end when random() < 0.12 then 'CLOSED' else 'OPEN' end as status,
        case when title % 50 = 17 then case when half = 1 and number % 50000 <> 77 then 'HIGH' else 'CRITICAL' end
          else (array['HIGH', 'MEDIUM', 'MEDIUM', 'MEDIUM', 'LOW', 'LOW', 'LOW', 'LOW', 'NONE', 'NONE', 'NONE'])[1 + title % 11] end as threat_level,
        case when title % 20 < 7 then 'NMAP' when title % 20 < 14 then 'OPENVAS' when title % 20 < 16 then 'OWASP_ZAP' when title % 20 = 19 then 'NMAP_UDP'
          when title % 20 = 18 then 'NUCLEI' when half = 1 then 'SSLYZE' else 'OWASP_ZAP_ACTIVE' end as scan_type
      from (
        select id as target_id, tag_set, case when 'dc-1' = any(tags) then 1 else 2 end as half, 'legacy' = any(tags) as is_old, row_number() over () as number,
          floor(200 * power(random(), 2.2))::int as title
        from (select *, row_number() over (order by id) as place from target where workspace_id = ${workspaceId}) as target,
          generate_series(1, case when place = 1 then ${largeRisks} else ceil(-ln(1 - random()) * 9.6)::int end)
        limit ${risks}) as drawn) as kinds
    order by case when random() < 0.1 and not is_old then 3 else half end, scan_type, number`);
}

async function fillAcceptances(db: Database, { workspaceId }: Fill): Promise<void> {
  await db.execute(sql`insert into acceptance (id, workspace_id, risk_id, kind, note, author, key_name, created_at, updated_at)
    select uuidv7(), ${workspaceId}, id, 'accepted', 'Behind a firewall until the next window.', 'Ada', 'bench', now(), now() from risk where workspace_id = ${workspaceId} and is_accepted`);
}

/** For each half and type a first scan and a second one, both before the small ones. */
async function fillLargeScans(db: Database, { workspaceId }: Fill): Promise<void> {
  await db.execute(sql`insert into scan (id, workspace_id, type, state, options, progress, created_at, started_at, finished_at)
    select uuidv7(), ${workspaceId}, type, 'SUCCEEDED', jsonb_build_object('half', half, 'round', round), 100, at, at, at
    from (select round, now() - make_interval(days => 90 - 30 * round) as at from generate_series(1, 2) round) as rounds, generate_series(1, 2) half,
      unnest(array['NMAP', 'OPENVAS', 'OWASP_ZAP', 'NMAP_UDP', 'NUCLEI', 'SSLYZE', 'OWASP_ZAP_ACTIVE']) type`);
  await db.execute(sql`insert into scan_target (scan_id, target_id, target, ordinal, kind, engine_version, observed_at)
    select scan.id, target.id, target.target, row_number() over (partition by scan.id order by target.id), 'complete', '1.0', scan.finished_at
    from scan join target on target.workspace_id = scan.workspace_id and 'dc-' || (scan.options->>'half') = any(target.tags) where scan.workspace_id = ${workspaceId}`);
  await db.execute(sql`insert into scan_risk (scan_id, risk_id, change)
    select scan.id, risk.id, case when scan.options->>'round' = '1' then 'new_open' when risk.status = 'OPEN' then 'still_open' else 'closed' end
    from scan join risk on risk.workspace_id = scan.workspace_id and risk.scan_type = scan.type
      join target on target.id = risk.target_id and 'dc-' || (scan.options->>'half') = any(target.tags)
    where scan.workspace_id = ${workspaceId} order by 1, 2`);
}

async function fillSmallScans(db: Database, { workspaceId }: Fill): Promise<void> {
  await db.execute(sql`insert into scan (id, workspace_id, type, state, options, scheduled_by, progress, created_at, started_at, finished_at)
    select uuidv7(), ${workspaceId}, case when n % 3 = 0 then 'OPENVAS' else 'NMAP' end, case when n % 50 = 0 then 'FAILED' else 'SUCCEEDED' end, jsonb_build_object('small', n),
      case when n % 5 = 0 then md5('often')::uuid when n = 77 then md5('once')::uuid end, 100, at, at, at
    from (select n, now() - make_interval(mins => ${smallScans}::int - n) as at from generate_series(1, ${smallScans}::int) n) as times order by n`);
  await db.execute(sql`insert into scan_target (scan_id, target_id, target, ordinal, kind, engine_version, observed_at)
    select scan.id, target.id, target.target, 1, 'complete', '1.0', scan.finished_at
    from (select *, (options->>'small')::int as n from scan where workspace_id = ${workspaceId} and options ? 'small') as scan
    join (select *, row_number() over (order by id) as place from target where workspace_id = ${workspaceId}) as target
      on target.place = case when n % ${smallScans / scansOfOne} = 0 then 2 else 3 + n % 1000 end`);
  await db.execute(sql`insert into result (id, workspace_id, scan_id, kind, content_type, file_name, state)
    select uuidv7(), ${workspaceId}, scan.id, kind, 'application/json', kind, 'ready' from scan, unnest(array['native', 'json', 'html', 'pdf']) kind
    where workspace_id = ${workspaceId} and options ? 'small'`);
  await db.execute(sql`insert into detection (scan_id, target_id, key, scope, title, threat_level, description, solution, "references", additional_info, detail)
    select scan.id, risk.target_id, risk.key, risk.scope, risk.title, risk.threat_level, '', '', '[]', '{}', '{}'
    from scan join scan_target on scan_target.scan_id = scan.id join risk on risk.target_id = scan_target.target_id and risk.scan_type = scan.type and risk.status = 'OPEN'
    where scan.workspace_id = ${workspaceId} and scan.options ? 'small'`);
  await db.execute(sql`insert into scan_risk (scan_id, risk_id, change, detection_id)
    select detection.scan_id, risk.id, 'still_open', detection.id
    from detection join risk on risk.target_id = detection.target_id and risk.key = detection.key where risk.workspace_id = ${workspaceId}`);
}

async function fillObservations(db: Database, { workspaceId }: Fill): Promise<void> {
  await db.execute(sql`insert into observation (id, target_id, scan_type, kind, key, scope, seen, first_seen_at, last_seen_at)
    select uuidv7(), target.id, case when n % 3 = 0 then 'OWASP_ZAP' else 'NMAP' end, case when n % 3 = 0 then 'url' else 'service' end, 'key-' || n, 'scope',
      case when n % 3 = 0 then jsonb_build_object('kind', 'url', 'key', 'key-' || n, 'scope', 'scope', 'url', 'https://host.example.com/page/' || n)
        else jsonb_build_object('kind', 'service', 'key', 'key-' || n, 'scope', 'scope', 'tls', false, 'cpe', '[]'::jsonb, 'port', 1 + n % 65535, 'protocol', 'tcp', 'name', 'http') end, now(), now()
    from (select *, row_number() over (order by id) as place from target where workspace_id = ${workspaceId}) as target,
      generate_series(1, case when place = 2 then ${largeObservations} else 3 end) n where place <= 10000 order by n`);
}
