import { jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { operationIds } from "./operation-ids.ts";
import { maxFiltersBytes } from "./page.ts";

type TransformObject = typeof jsonSchemaTransformObject;

const responseTexts: Record<string, string> = {
  200: "Done.",
  400: "The request is not valid: `error.field` names what, `error.message` what is allowed.",
  401: "The API key is missing, not known, or revoked.",
  404: "There is nothing of that id in the key's workspace.",
  409: "It cannot be done any more, or it is there already.",
  413: "The body is too large.",
  415: "The body has another content type than this operation takes.",
  416: "The file has no such range of bytes.",
  429: "Too many requests: try again after the `Retry-After` header.",
  431: "The address and the headers together are larger than 64 KiB.",
  500: "The file could not be made, or is missing: `error.message` says why.",
  503: "Not yet: try again after the `Retry-After` header.",
  507: "The server's disk is full.",
};

/** Each tag of an operation, as `/docs` and generated clients show it. */
export const tags = [
  { name: "scans", description: "One request to scan targets with an engine: start it, see how far it is, cancel it." },
  { name: "results", description: "The files of a scan (the engine's own output, JSON, HTML, PDF), and the import of files that were made elsewhere." },
  {
    name: "targets",
    description: "What is scanned: an address, a name, host:port or a URL, with label, tags, login, proof of ownership, and what engines saw of it.",
  },
  { name: "risks", description: "What scans found, over time: open or closed, with evidence and history; decisions about them; exports." },
  { name: "reports", description: "Files over many targets and their risks, as PDF or HTML." },
  { name: "schedules", description: "Scans by the clock, in any time zone." },
  { name: "sources", description: "Where imported results come from." },
  { name: "webhooks", description: "Addresses of yours that hear of scans and risks, signed and tried again, with a log of deliveries." },
  { name: "notifications", description: "Messages to people at the end of a scan, by mail, Slack or Teams." },
  { name: "operation", description: "For who runs the server: whether it lives, whether it can serve." },
];

interface Parameter {
  schema?: object;
  content?: Record<string, { schema: object }>;
}

interface Operation {
  operationId?: string;
  parameters?: Parameter[];
  responses: Record<string, { description: string }>;
}

interface Document {
  components?: { schemas?: Record<string, { required?: string[] }> };
  paths?: Record<string, Record<string, Operation>>;
}

/**
 * The schemas of `openapi.json` under one name each, its operations under theirs, and its answers in words. The provider writes every schema twice, `Scan` and
 * `ScanInput`; ours are the same both ways, and a generated client should not have two types for one thing.
 */
export const describeOnce: TransformObject = (input) => {
  const document = jsonSchemaTransformObject(input);
  const renamed = JSON.parse(JSON.stringify(document).replaceAll(/("#\/components\/schemas\/\w+?)Input"/g, '$1"')) as Document;
  const schemas = renamed.components?.schemas ?? {};
  for (const name of Object.keys(schemas)) {
    const schema = name.endsWith("Input") ? schemas[name.slice(0, -"Input".length)] : undefined;
    if (!schema) continue;
    // What has a default need not be sent.
    if (schema.required) schema.required = schema.required.filter((field) => schemas[name]?.required?.includes(field));
    delete schemas[name];
  }
  for (const [path, operations] of Object.entries(renamed.paths ?? {}))
    for (const [method, operation] of Object.entries(operations)) operations[method] = describeOperation(`${method.toUpperCase()} ${path}`, operation);
  return renamed as typeof document;
};

function describeOperation(name: string, { parameters, responses, ...operation }: Operation): Operation {
  const operationId = operationIds[name];
  if (operationId === undefined) throw new Error(`${name} has no name in server/operation-ids.ts`);
  for (const [status, response] of Object.entries(responses))
    if (response.description === "Default Response") response.description = responseTexts[status] ?? "";
  return { operationId, ...operation, ...(parameters ? { parameters: parameters.map(describeJsonText) } : {}), responses };
}

/**
 * JSON in a parameter is a text to whoever generates a client, which few of them know to make of `content`; what stands in it is `contentSchema` (JSON Schema 2020-12, Validation, 8.5).
 * The format is one that no generator knows: oapi-codegen takes a text with a media type and no format for a file, and one of the format `json` for raw JSON.
 */
function describeJsonText({ content, ...parameter }: Parameter): Parameter {
  const json = content?.["application/json"];
  if (!json) return content ? { ...parameter, content } : parameter;
  return {
    ...parameter,
    schema: { type: "string", format: "json-text", maxLength: maxFiltersBytes, contentMediaType: "application/json", contentSchema: json.schema },
  };
}

/** The description as `openapi.json` has it and `/openapi.json` serves it, byte for byte. */
export const printDescription = (description: object): string => `${JSON.stringify(description, null, 2)}\n`;
