import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** `none`: a request lasts long and hardly takes anything meanwhile, as one that waits for a file or brings one. `long`: it may last as long as its client likes. */
    turn?: "none" | "long";
  }
}

/**
 * So many requests of one workspace a server works on at a time; the others wait, in their order. There are 20 connections to the database: however heavy the
 * requests of a few workspaces are, others find a free one. Long ones are apart, so that slow downloads stop nothing else.
 */
const mostAtOnce = { short: 3, long: 2 };

interface Turns {
  running: number;
  waiting: (() => void)[];
}

/** Gives each request that has a workspace its turn, once its body is there, until its answer is sent. */
export function takeTurns(app: FastifyInstance): void {
  const byWorkspace = new Map<string, Turns>();
  app.addHook("preHandler", async (request: FastifyRequest, reply: FastifyReply) => {
    const { workspaceId } = request;
    const { turn = "short" } = request.routeOptions.config;
    if (workspaceId === undefined || turn === "none") return;
    const key = `${workspaceId} ${turn}`;
    const turns = byWorkspace.get(key) ?? { running: 0, waiting: [] };
    byWorkspace.set(key, turns);
    if (turns.running >= mostAtOnce[turn]) await new Promise<void>((resolve) => turns.waiting.push(resolve));
    else turns.running += 1;
    const passOn = () => {
      const next = turns.waiting.shift();
      if (next) return next();
      turns.running -= 1;
      if (turns.running === 0) byWorkspace.delete(key);
    };
    // A client that went while it waited closes nothing any more.
    if (reply.raw.destroyed) passOn();
    else reply.raw.once("close", passOn);
  });
}
