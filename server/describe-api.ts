import { jsonSchemaTransformObject } from "fastify-type-provider-zod";

type TransformObject = typeof jsonSchemaTransformObject;

/**
 * The schemas of `openapi.json` under one name each, and its answers in words. The provider writes every schema twice, `Scan` and `ScanInput`; ours are the same both
 * ways, and a generated client should not have two types for one thing.
 */
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
  500: "The file could not be made, or is missing: `error.message` says why.",
  503: "Not yet: try again after the `Retry-After` header.",
  507: "The server's disk is full.",
};

export const describeOnce: TransformObject = (input) => {
  const document = jsonSchemaTransformObject(input);
  const renamed = JSON.parse(JSON.stringify(document).replaceAll(/("#\/components\/schemas\/\w+?)Input"/g, '$1"')) as {
    components?: { schemas?: Record<string, { required?: string[] }> };
    paths?: Record<string, Record<string, { responses: Record<string, { description: string }> }>>;
  };
  const schemas = renamed.components?.schemas ?? {};
  for (const name of Object.keys(schemas)) {
    const schema = name.endsWith("Input") ? schemas[name.slice(0, -"Input".length)] : undefined;
    if (!schema) continue;
    // What has a default need not be sent.
    if (schema.required) schema.required = schema.required.filter((field) => schemas[name]?.required?.includes(field));
    delete schemas[name];
  }
  for (const operations of Object.values(renamed.paths ?? {}))
    for (const { responses } of Object.values(operations))
      for (const [status, response] of Object.entries(responses))
        if (response.description === "Default Response") response.description = responseTexts[status] ?? "";
  return renamed as typeof document;
};
