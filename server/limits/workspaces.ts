import { eq } from "drizzle-orm";
import { connect, type Database } from "../db/connect.ts";
import { schedule, target, workspace, workspaceLimit } from "../db/schema.ts";
import { measureStorage } from "./quotas.ts";
import { countOpenScans, countScansThisMonth } from "./workspace-limit.ts";

/** What a workspace may use; null is no limit, and of the requests the server's own. */
export interface WorkspaceLimits {
  scansPerMonth: number | null;
  targets: number | null;
  concurrentScans: number | null;
  requestsPerMinute: number | null;
  /** Of results, imports and reports. */
  storageMegabytes: number | null;
  schedules: number | null;
  /** Each recipient of a notification has one. */
  mailsPerHour: number | null;
}

export interface WorkspaceListing {
  name: string;
  limits: WorkspaceLimits;
  /** This month's scans (UTC), all targets, the scans that are open and do not wait for others, files (rounded up), schedules. */
  used: { scansThisMonth: number; targets: number; concurrentScans: number; storageMegabytes: number; schedules: number };
}

export interface Workspaces {
  list(): Promise<WorkspaceListing[]>;
  /** Changes what is given. False where there is no such workspace. */
  limit(name: string, change: Partial<WorkspaceLimits>): Promise<boolean>;
  close(): Promise<void>;
}

/** The workspaces of an installation, for the operator who holds its database. */
export async function openWorkspaces(databaseUrl: string): Promise<Workspaces> {
  const { db, close } = await connect(databaseUrl, () => {});
  return { list: () => listWorkspaces(db), limit: (name, change) => limitWorkspace(db, name, change), close };
}

async function listWorkspaces(db: Database): Promise<WorkspaceListing[]> {
  const rows = await db
    .select({ id: workspace.id, name: workspace.name, limits: workspaceLimit })
    .from(workspace)
    .leftJoin(workspaceLimit, eq(workspaceLimit.workspaceId, workspace.id))
    .orderBy(workspace.name);
  return Promise.all(rows.map(async ({ id, name, limits }) => ({ name, limits: pick(limits), used: await countUse(db, id) })));
}

const pick = (row: typeof workspaceLimit.$inferSelect | null): WorkspaceLimits => ({
  scansPerMonth: row?.scansPerMonth ?? null,
  targets: row?.targets ?? null,
  concurrentScans: row?.concurrentScans ?? null,
  requestsPerMinute: row?.requestsPerMinute ?? null,
  storageMegabytes: row?.storageMegabytes ?? null,
  schedules: row?.schedules ?? null,
  mailsPerHour: row?.mailsPerHour ?? null,
});

async function countUse(db: Database, workspaceId: string): Promise<WorkspaceListing["used"]> {
  return {
    scansThisMonth: await countScansThisMonth(db, workspaceId),
    targets: await db.$count(target, eq(target.workspaceId, workspaceId)),
    concurrentScans: (await countOpenScans(db, workspaceId)).active,
    storageMegabytes: Math.ceil((await measureStorage(db, workspaceId)) / 1024 ** 2),
    schedules: await db.$count(schedule, eq(schedule.workspaceId, workspaceId)),
  };
}

async function limitWorkspace(db: Database, name: string, change: Partial<WorkspaceLimits>): Promise<boolean> {
  const [row] = await db.select({ id: workspace.id }).from(workspace).where(eq(workspace.name, name));
  if (!row) return false;
  await db
    .insert(workspaceLimit)
    .values({ workspaceId: row.id, ...change })
    .onConflictDoUpdate({ target: workspaceLimit.workspaceId, set: change });
  return true;
}
