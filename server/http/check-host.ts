import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";
import { ApiError } from "../errors/api-error.ts";
import type { Services } from "../services.ts";

/** What a load balancer or a supervisor asks by whatever name or address it has for us; neither says anything but that the server runs. */
const anyHostRoutes = new Set(["/healthz", "/readyz"]);

/**
 * Refuses a request whose `Host` is no name of this server (421). A page of somebody else's can make its own name mean our address (DNS rebinding), and would then read answers as if they were its own: the
 * browser tells such a request by its name alone. So addresses pass, since no page of another has ours; names are `localhost`, the listener's, the public URL's, and those of PERISCAN_ALLOWED_HOSTS.
 */
export function createHostCheck({ host, publicUrl, http: { allowedHosts } }: Pick<Services, "host" | "publicUrl" | "http">): (request: FastifyRequest) => void {
  const own = publicUrl === undefined ? [] : [new URL(publicUrl).hostname];
  const names = new Set(["localhost", host.toLowerCase(), ...own, ...allowedHosts]);
  return ({ headers, routeOptions }) => {
    // HTTP/1.0 has none, and no browser speaks it.
    if (headers.host === undefined || names.has("*") || anyHostRoutes.has(routeOptions.url ?? "")) return;
    const name = readName(headers.host);
    if (isAddress(name) || names.has(name)) return;
    const message = `This server does not answer to the name ${name.slice(0, 100)}. Use its address or PERISCAN_PUBLIC_URL; the operator can add names with PERISCAN_ALLOWED_HOSTS.`;
    throw new ApiError(421, "request.other_host", message, { field: "Host" });
  };
}

const isAddress = (name: string): boolean => isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0;

/** Without the port, in lower case and without the root's dot; a text that is no host stays none of ours. */
function readName(text: string): string {
  const url = `http://${text}`;
  const isPlain = /^[^/?#@\\]+$/.test(text) && URL.canParse(url);
  if (!isPlain) throw new ApiError(400, "request.invalid", "The Host header is no host.", { field: "Host" });
  return new URL(url).hostname.replace(/\.$/, "");
}
