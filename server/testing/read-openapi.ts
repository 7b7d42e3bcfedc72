import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

export interface JsonSchema {
  $ref?: string;
  type?: string;
  /** `binary` is a file. */
  format?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  additionalProperties?: boolean | JsonSchema;
}

interface Parameter {
  in: "path" | "query" | "header";
  name: string;
  required?: boolean;
  schema: JsonSchema;
}

export interface DescribedOperation {
  /** Such as `GET /v1/scans/{id}`. */
  name: string;
  method: string;
  path: string;
  isPublic: boolean;
  parameters: Parameter[];
  /** The schema of a JSON body, references resolved at its top. */
  body?: JsonSchema;
  /** The schema of a multipart form. */
  form?: JsonSchema;
  statuses: number[];
}

interface Described {
  parameters?: (Omit<Parameter, "schema"> & { schema?: JsonSchema; content?: Record<string, { schema: JsonSchema }> })[];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
  responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }>;
  security?: unknown[];
}

const document = JSON.parse(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8")) as { paths: Record<string, Record<string, Described>> };
const ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema(document, "openapi");
const escapePointer = (text: string): string => encodeURIComponent(text.replaceAll("~", "~0").replaceAll("/", "~1"));

/** A schema's own content where it is a reference. */
export function resolve(schema: JsonSchema): JsonSchema {
  if (schema.$ref === undefined) return schema;
  return resolve(
    schema.$ref
      .slice(2)
      .split("/")
      .reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], document) as JsonSchema,
  );
}

/** Whether a value is one of this schema of the description. */
export function isValid(schema: JsonSchema, value: unknown): boolean {
  const text = JSON.stringify(schema).replaceAll('"#/components/', '"openapi#/components/');
  return ajv.validate(JSON.parse(text) as object, value);
}

/** Every operation that openapi.json describes. */
export const describedOperations: DescribedOperation[] = Object.entries(document.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, described]) => {
    const { "application/json": json, "multipart/form-data": multipart } = described.requestBody?.content ?? {};
    return {
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      isPublic: described.security?.length === 0,
      parameters: (described.parameters ?? []).map(({ schema, content, ...rest }) => ({
        ...rest,
        schema: schema ?? content?.["application/json"]?.schema ?? {},
      })),
      ...(json ? { body: resolve(json.schema) } : {}),
      ...(multipart ? { form: resolve(multipart.schema) } : {}),
      statuses: Object.keys(described.responses).map(Number),
    };
  }),
);

/** What the description has against this answer, as a sentence; undefined where it keeps to it. */
export function findFault({ method, path, statuses }: DescribedOperation, status: number, body: unknown): string | undefined {
  if (!statuses.includes(status)) return `status ${status} is not documented`;
  const described = document.paths[path]?.[method.toLowerCase()]?.responses[status]?.content?.["application/json"]?.schema;
  // A file of JSON is bytes to the description.
  if (described?.format === "binary") return undefined;
  const pointer = ["paths", path, method.toLowerCase(), "responses", `${status}`, "content", "application/json", "schema"].map(escapePointer).join("/");
  let validate: ValidateFunction | undefined;
  try {
    validate = ajv.getSchema(`openapi#/${pointer}`);
  } catch {
    validate = undefined;
  }
  if (!validate) return body === "" || status === 200 ? undefined : `status ${status} has no schema`;
  return validate(body) ? undefined : `status ${status}: ${ajv.errorsText(validate.errors)}`;
}
