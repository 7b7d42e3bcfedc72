import { jsonSchemaTransformObject } from "fastify-type-provider-zod";

type TransformObject = typeof jsonSchemaTransformObject;

/**
 * The schemas of `openapi.json` under one name each. The provider writes every schema twice, `Scan` and `ScanInput`; ours are the same both
 * ways, and a generated client should not have two types for one thing.
 */
export const nameSchemasOnce: TransformObject = (input) => {
  const document = jsonSchemaTransformObject(input);
  const renamed = JSON.parse(JSON.stringify(document).replaceAll(/("#\/components\/schemas\/\w+?)Input"/g, '$1"')) as {
    components?: { schemas?: Record<string, unknown> };
  };
  const schemas = renamed.components?.schemas ?? {};
  for (const name of Object.keys(schemas)) {
    if (name.endsWith("Input") && name.slice(0, -"Input".length) in schemas) delete schemas[name];
  }
  return renamed as typeof document;
};
