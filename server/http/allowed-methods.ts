import type { FastifyInstance } from "fastify";

/** Answers the methods of a path, sorted; none where no operation has it. */
export type AllowedMethods = (path: string) => string[];

/** Notes every route that is added from here on, so that a wrong method on a known path can be told from an unknown path. */
export function collectMethods(app: FastifyInstance): AllowedMethods {
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    // The answer to browsers' questions, which CORS adds to every path.
    if (url === "*") return;
    routes.push({ pattern: toPattern(url), methods: [method].flat() });
  });
  return (path) => [...new Set(routes.flatMap(({ pattern, methods }) => (pattern.test(path) ? methods : [])))].sort();
}

/** `/v1/scans/:id` and `/docs/*` as expressions. */
function toPattern(url: string): RegExp {
  const parts = url.split(/(:\w+|\*)/).map((part) => {
    if (part.startsWith(":")) return "[^/]+";
    return part === "*" ? ".*" : part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`);
}
