import type { Readable } from "node:stream";
import type { MultipartFile } from "@fastify/multipart";
import { ScanType } from "@periscan/contract/scan.ts";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../errors/api-error.ts";
import { findUnfit } from "../find-unfit.ts";
import { describeUnfit } from "../http/handle-error.ts";
import { explainFormError } from "../http/multipart-form.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The most that the file of the operation's form may have. */
    maxFileBytes?: number;
  }
}

const Fields = z.strictObject({
  scan_type: ScanType.describe("What made the file. A SARIF file is NUCLEI."),
  source_id: z.string().min(1).max(64).describe("Where it comes from; see `POST /v1/sources`."),
  target: z
    .string()
    .min(1)
    .max(2048)
    .optional()
    .describe("What the file is of, where the file names none. With it, what the file says of other targets is left out."),
});
export type ImportFields = z.infer<typeof Fields>;

export const ImportForm = Fields.extend({
  file: z
    .string()
    .meta({ format: "binary" })
    .describe("Nmap XML, SSLyze JSON, ZAP JSON or XML, an OpenVAS or Greenbone report in XML, Nuclei JSONL, SARIF 2.1.0."),
});

/** Fields are short, and there is one file; the second of each is there to be refused by name. */
const limits = { fields: 20, fieldSize: 4096, fieldNameSize: 100, files: 2, headerPairs: 50 };
const roomForFields = 1024 ** 2;

export const tooLarge = (maxBytes: number): ApiError =>
  new ApiError(413, "request.too_large", `file is larger than ${Math.floor(maxBytes / 1024 ** 2).toLocaleString("en")} MiB, the most that this server takes.`, {
    field: "file",
  });

/**
 * Reads the parts of an import in whichever order they come; `keep` reads the file to its end, and throws `tooLarge` past the operation's `maxFileBytes`. Answers the fields.
 * Throws an ApiError 400 where the form is not whole, or a part is wrong, missing or unknown; 413.
 */
export async function readImportForm(request: FastifyRequest, keep: (upload: Readable, maxBytes: number) => Promise<void>): Promise<ImportFields> {
  const { maxFileBytes: maxBytes = 0 } = request.routeOptions.config;
  if (Number(request.headers["content-length"]) > maxBytes + roomForFields) throw tooLarge(maxBytes);
  const fields = new Map<string, string>();
  let hasFile = false;
  let ours: unknown;
  try {
    for await (const part of request.parts({ limits: { ...limits, fileSize: maxBytes + 1 } })) {
      if (part.type === "file") {
        refuseOther(part, hasFile);
        hasFile = true;
        await keep(part.file, maxBytes).catch((error) => {
          if (!isCutOff(error)) ours = error;
          throw error;
        });
      } else addField(fields, part);
    }
  } catch (error) {
    throw ours ?? explainFormError(error);
  }
  const input = checkFields(Object.fromEntries(fields));
  if (!hasFile) throw new ApiError(400, "request.invalid", "file is missing: send it as the part of that name.", { field: "file" });
  return input;
}

function refuseOther(part: MultipartFile, hasFile: boolean): void {
  if (part.fieldname === "file" && !hasFile) return;
  part.file.resume();
  const field = part.fieldname.slice(0, 100);
  throw new ApiError(400, "request.invalid", describeOther(field), { field });
}

function describeOther(field: string): string {
  if (field === "file") return "file is there twice: import one file at a time.";
  return Object.hasOwn(Fields.shape, field) ? `${field}: send it as a field, not as a file.` : `${field} is not known here.`;
}

interface FieldPart {
  fieldname: string;
  value: unknown;
  valueTruncated: boolean;
  fieldnameTruncated: boolean;
}

function addField(fields: Map<string, string>, { fieldname: field, value, valueTruncated, fieldnameTruncated }: FieldPart): void {
  const refuse = (message: string) => new ApiError(400, "request.invalid", message, { field });
  if (valueTruncated || fieldnameTruncated) throw refuse(`${field} is too long.`);
  if (field === "file") throw refuse("file: send it as a file, with a file name.");
  if (fields.has(field)) throw refuse(`${field} is there twice.`);
  fields.set(field, String(value));
}

function checkFields(given: Record<string, string>): ImportFields {
  const unfit = findUnfit(given);
  if (unfit) throw describeUnfit(unfit);
  const parsed = Fields.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const field = unknown ?? String(issue?.path[0] ?? "");
  const message =
    unknown !== undefined ? `${unknown} is not known here.` : given[field] === undefined ? `${field} is missing.` : `${field}: ${issue?.message}.`;
  throw new ApiError(400, "request.invalid", message, { field });
}

/** The parser ends the file with its own error where the form breaks off; any other error of keeping it is ours. */
const isCutOff = (error: unknown): boolean => error instanceof Error && /multipart/.test(error.message);
