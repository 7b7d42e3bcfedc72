import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";

const withZod = (app: FastifyInstance) => app.withTypeProvider<ZodTypeProvider>();

/** The app as the operations see it: what their schemas say is what their handlers get. */
export type TypedApp = ReturnType<typeof withZod>;
