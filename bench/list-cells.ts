import type pg from "pg";

/** One page of one list, with what is right for it: how many rows it has, and the first. */
export interface Cell {
  name: string;
  page: string;
  path: string;
  rows: number;
  first: string | undefined;
}

interface List<R extends { id: string }> {
  path: string;
  /** In the order of the list. */
  rows: R[];
  /** The list goes on behind `rows`. */
  goesOn?: boolean;
  /** The values of each filter that are asked for; `matches` says it of a row. */
  filters: { key: string; values: string[]; name: string; matches: (row: R) => boolean }[];
}

const pageSizes = [500, 25];
const farPage = 1000;

/** The lists without filters, with each filter and with each pair of filters of different keys. */
export async function findCells(pool: pg.Pool, workspaceId: string): Promise<Cell[]> {
  const query = async <R extends pg.QueryResultRow>(text: string, values: unknown[] = [workspaceId]) => (await pool.query<R>(text, values)).rows;
  return [
    ...cellsOf(await findTargets(query)),
    ...cellsOf(await findScans(query)),
    ...cellsOf(await findObservations(query)),
    ...cellsOf(await findRisks(query)),
    ...(await findHistory(query)),
  ];
}

type Query = <R extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<R[]>;

function cellsOf<R extends { id: string }>({ path, rows, goesOn, filters }: List<R>): Cell[] {
  const pairs = filters.flatMap((a, n) => filters.slice(n + 1).flatMap((b) => (a.key === b.key ? [] : [[a, b]])));
  return [[], ...filters.map((filter) => [filter]), ...pairs].flatMap((chosen) => {
    const matching = rows.filter((row) => chosen.every(({ matches }) => matches(row)));
    const query = Object.fromEntries(chosen.map(({ key, values }) => [key, values]));
    const filtered = chosen.length === 0 ? "" : `&filters=${encodeURIComponent(JSON.stringify(query))}`;
    const name = `${path.replace("/v1/", "").replace(/[0-9a-f-]{36}/, ":id")} ${chosen.map((filter) => `${filter.key}=${filter.name}`).join(" ")}`;
    return pageSizes.flatMap((size) => {
      const last = Math.max(1, goesOn ? Math.floor(matching.length / size) : Math.ceil(matching.length / size));
      return [...new Set([1, Math.min(farPage, last)])].map((number) => {
        const start = (number - 1) * size;
        const token = number === 1 ? "" : `&page_token=${Buffer.from(matching[start - 1]?.id ?? "").toString("base64url")}`;
        const shown = matching.slice(start, start + size);
        return { name, page: `page ${number} of ${size}`, path: `${path}?page_size=${size}${filtered}${token}`, rows: shown.length, first: shown[0]?.id };
      });
    });
  });
}

interface TargetRow extends pg.QueryResultRow {
  id: string;
  target: string;
  label: string;
  tags: string[];
}

const loadTargets = (query: Query) => query<TargetRow>("select id, target, label, tags from target where workspace_id = $1 order by id");

async function findTargets(query: Query): Promise<List<TargetRow>> {
  const rows = await loadTargets(query);
  const named = (values: string[], name = values.join(",")) => ({ key: "target", values, name, matches: ({ target }: TargetRow) => values.includes(target) });
  const many = rows.filter((_, n) => n % 200 === 0).map(({ target }) => target);
  return {
    path: "/v1/targets",
    rows,
    filters: [
      ...[["dc-1"], ["legacy"], ["alone"], ["shared", "pilot"], ["nobody"]].map(tagFilter((row: TargetRow) => row)),
      ...[[""], ["server"], ["Host 10"], ["", "server"], ["nobody"]].map((values) => ({
        key: "label",
        values,
        name: values.join(",") || "''",
        matches: ({ label }: TargetRow) => values.includes(label),
      })),
      ...[named([rows[9]?.target ?? ""]), named(many, `${many.length} targets`), named(["nobody.example.com"])],
    ],
  };
}

const tagFilter =
  <R>(targetOf: (row: R) => TargetRow | undefined) =>
  (values: string[]) => ({
    key: "tags",
    values,
    name: values.join(","),
    matches: (row: R) => targetOf(row)?.tags.some((tag) => values.includes(tag)) ?? false,
  });

interface ScanRow extends pg.QueryResultRow {
  id: string;
  type: string;
  state: string;
  scheduled_by: string | null;
}

/** Small scans alone: an answer has all targets and risks of its scans. */
async function findScans(query: Query): Promise<List<ScanRow>> {
  const rows = await query<ScanRow>("select id, type, state, scheduled_by from scan where workspace_id = $1 and options ? 'small' order by id desc");
  const often = rows.find(({ scheduled_by: by }) => by !== null)?.scheduled_by ?? "";
  const filter = (key: "type" | "state" | "scheduled_by", values: string[]) => ({
    key,
    values,
    name: values.join(","),
    matches: (row: ScanRow) => values.includes(row[key] ?? ""),
  });
  return {
    path: "/v1/scans",
    rows,
    goesOn: true,
    filters: [
      filter("type", ["OPENVAS"]),
      filter("type", ["NMAP", "OPENVAS"]),
      filter("state", ["FAILED"]),
      filter("state", ["RUNNING"]),
      filter("scheduled_by", [often]),
    ],
  };
}

interface ObservationRow extends pg.QueryResultRow {
  id: string;
  kind: string;
  scan_type: string;
}

async function findObservations(query: Query): Promise<List<ObservationRow>> {
  const [target] = await query<{ id: string }>("select id from target where workspace_id = $1 order by id offset 1 limit 1");
  const rows = await query<ObservationRow>("select id, kind, scan_type from observation where target_id = $1 order by id", [target?.id]);
  const filter = (key: "kind" | "scan_type", values: string[]) => ({
    key,
    values,
    name: values.join(","),
    matches: (row: ObservationRow) => values.includes(row[key]),
  });
  return {
    path: `/v1/targets/${target?.id}/observations`,
    rows,
    filters: [filter("kind", ["url"]), filter("kind", ["certificate"]), filter("scan_type", ["NMAP"]), filter("scan_type", ["NMAP", "OWASP_ZAP"])],
  };
}

interface RiskRow extends pg.QueryResultRow {
  id: string;
  target_id: string;
  status: string;
  is_accepted: string;
  scan_type: string;
  threat_level: string;
  title: string;
}

async function findRisks(query: Query): Promise<List<RiskRow>> {
  const rows = await loadRisks(query);
  const targets = await loadTargets(query);
  const targetOf = new Map(targets.map((target) => [target.id, target]));
  const rare = rows.find(({ title }) => title.startsWith("Seen once"))?.title ?? "";
  const title = (n: number) => `Definition ${n}: a service answers with more than it should`;
  const filter = (key: string, column: string, values: string[], name = values.join(",")) => ({
    key,
    values,
    name,
    matches: (row: RiskRow) => values.includes(row[column]),
  });
  const many = targets.filter((_, n) => n % 1000 === 0).map(({ id }) => id);
  return {
    path: "/v1/risks",
    rows,
    filters: [
      ...[["OPEN"], ["CLOSED"]].map((values) => filter("status", "status", values)),
      ...[["CRITICAL"], ["HIGH"], ["LOW", "NONE"]].map((values) => filter("risk_definition.threat_level", "threat_level", values)),
      ...[["NMAP"], ["OWASP_ZAP_ACTIVE"], ["OPENVAS", "NUCLEI"]].map((values) => filter("risk_definition.scan_type", "scan_type", values)),
      filter("risk_definition.title", "title", [title(0)], "often"),
      filter("risk_definition.title", "title", [title(3)], "closed twice"),
      filter("risk_definition.title", "title", [title(60), title(100), title(150)], "three"),
      filter("risk_definition.title", "title", [rare], "once"),
      ...[["true"], ["false"]].map((values) => filter("is_accepted", "is_accepted", values)),
      ...[["dc-1"], ["legacy"], ["team-3"], ["shared"], ["pilot"], ["alone"], ["nobody"]].map(tagFilter((row: RiskRow) => targetOf.get(row.target_id))),
      filter("target_id", "target_id", [targets[0]?.id ?? ""], "large"),
      filter("target_id", "target_id", [targets[99]?.id ?? ""], "one"),
      filter("target_id", "target_id", many, `${many.length} targets`),
      { key: "target.target", values: [targets[50]?.target ?? ""], name: "one", matches: (row) => row.target_id === targets[50]?.id },
      ...(await scanFilters(query)),
    ],
  };
}

async function loadRisks(query: Query): Promise<RiskRow[]> {
  const rows: RiskRow[] = [];
  for (let before = "ffffffff-ffff-ffff-ffff-ffffffffffff"; ; ) {
    const page = await query<RiskRow>(
      "select id, target_id, status, is_accepted::text, scan_type, threat_level, title from risk where workspace_id = (select id from workspace where name = 'bench') and id < $1 order by id desc limit 100000",
      [before],
    );
    for (const row of page) rows.push(row);
    if (page.length === 0) return rows;
    before = page.at(-1)?.id ?? "";
  }
}

async function scanFilters(query: Query) {
  const scans = await query<{ id: string; name: string }>(
    `select id, type || case when options ? 'small' then ', small' else ' of dc-' || (options->>'half') end as name from scan
      where workspace_id = $1 and (options->>'small' = '20' or (options->>'round' = '2' and type in ('NMAP', 'OWASP_ZAP') and options->>'half' = '1')
        or (options->>'round' = '1' and type = 'NMAP' and options->>'half' = '2'))`,
  );
  return Promise.all(
    scans.map(async ({ id, name }) => {
      const rows = await query<{ risk_id: string }>("select risk_id from scan_risk where scan_id = $1", [id]);
      const seen = new Set(rows.map(({ risk_id }) => risk_id));
      return { key: "scan_id", values: [id], name, matches: (row: RiskRow) => seen.has(row.id) };
    }),
  );
}

async function findHistory(query: Query): Promise<Cell[]> {
  const [risk] = await query<{ id: string; count: number }>(
    `select risk_id as id, count(*)::int as count from scan_risk where risk_id in (
      select risk.id from risk where target_id = (select id from target where workspace_id = $1 order by id offset 1 limit 1)) group by risk_id order by count desc limit 1`,
  );
  if (!risk) return [];
  return pageSizes.map((size) => ({
    name: `history of a risk that ${risk.count} scans saw`,
    page: `page 1 of ${size}`,
    path: `/v1/risks/${risk.id}/history?page_size=${size}`,
    rows: Math.min(size, risk.count),
    first: undefined,
  }));
}
