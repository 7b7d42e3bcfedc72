import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** A request of this operation may last long and hardly takes anything meanwhile, as one that waits for a file or brings one: it needs no turn. */
    isIdle?: boolean;
  }
}

/**
 * So many requests of one workspace a server works on at a time; the others wait, in their order. There are 20 connections to the database: however heavy the
 * requests of one workspace are, others find a free one.
 */
const mostAtOnce = 4;

interface Turns {
  running: number;
  waiting: (() => void)[];
}

/** Gives each request that has a workspace its turn, once its body is there, until its answer is sent. */
export function takeTurns(app: FastifyInstance): void {
  const byWorkspace = new Map<string, Turns>();
  app.addHook("preHandler", async (request: FastifyRequest, reply: FastifyReply) => {
    const { workspaceId } = request;
    if (workspaceId === undefined || request.routeOptions.config.isIdle) return;
    const turns = byWorkspace.get(workspaceId) ?? { running: 0, waiting: [] };
    byWorkspace.set(workspaceId, turns);
    if (turns.running >= mostAtOnce) await new Promise<void>((resolve) => turns.waiting.push(resolve));
    else turns.running += 1;
    const passOn = () => {
      const next = turns.waiting.shift();
      if (next) return next();
      turns.running -= 1;
      if (turns.running === 0) byWorkspace.delete(workspaceId);
    };
    // A client that went while it waited closes nothing any more.
    if (reply.raw.destroyed) passOn();
    else reply.raw.once("close", passOn);
  });
}
