import multipart, { type MultipartFile } from "@fastify/multipart";
import { Scan, ScanType } from "@periscan/contract/scan.ts";
import { eq } from "drizzle-orm";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../api-error.ts";
import { scan } from "../db/schema.ts";
import { createImport, type NewImport, type StoredFile, storeUpload, tooLarge } from "../imports/create-import.ts";
import { importName } from "../imports/import-file.ts";
import { presentScans } from "../scans/present-scan.ts";
import type { Services } from "../services.ts";
import { requireKey } from "./authenticate.ts";
import { operation } from "./operation.ts";
import type { TypedApp } from "./typed-app.ts";

const One = z.object({ data: Scan });

const Fields = z.strictObject({
  scan_type: ScanType.describe("What made the file. A SARIF file is NUCLEI."),
  source_id: z.string().min(1).max(64).describe("Where it comes from; see `POST /v1/sources`."),
  target: z.string().max(2048).optional().describe("What the file is of, where the file names none. With it, what the file says of other targets is left out."),
});
const Form = Fields.extend({
  file: z
    .string()
    .meta({ format: "binary" })
    .describe("Nmap XML, SSLyze JSON, ZAP JSON or XML, an OpenVAS or Greenbone report in XML, Nuclei JSONL, SARIF 2.1.0."),
});

/** Fields are short, and there is one file; the second of each is there to be refused by name. */
const limits = { fields: 20, fieldSize: 4096, fieldNameSize: 100, files: 2, headerPairs: 50 };

export async function addImportRoutes(app: TypedApp, services: Services): Promise<void> {
  await app.register(multipart, { throwFileSizeLimit: false });

  app.post(
    "/v1/results",
    {
      onRequest: requireKey(services),
      // The parts are read by hand: the file is streamed and never a value.
      validatorCompiler: () => (value) => ({ value }),
      schema: {
        ...operation({ tag: "results", summary: "Import a file of an engine as a scan", body: Form, answer: One, errors: [400, 404, 413, 415, 507] }),
        consumes: ["multipart/form-data"],
      },
    },
    async (request, reply) => {
      try {
        return { data: await importForm(services, request) };
      } catch (error) {
        // What is left of the upload is not read any more.
        if (!request.raw.complete) reply.header("connection", "close");
        throw error;
      }
    },
  );
}

async function importForm(services: Services, request: FastifyRequest): Promise<Scan> {
  if (!request.isMultipart()) throw new ApiError(415, "request.unsupported_media_type", "Send the file as multipart/form-data.");
  const stored: StoredFile[] = [];
  let input: NewImport | undefined;
  try {
    input = await readForm(services, request, stored);
    const [file] = stored;
    if (!file) throw new ApiError(400, "request.invalid", "file is missing: send it as the part of that name.", { field: "file" });
    const id = await createImport(services, request.workspaceId, input, file);
    const [made] = await presentScans(services.db, await services.db.select().from(scan).where(eq(scan.id, id)));
    return made as Scan;
  } catch (error) {
    // Whether the scan was made is not known where the database went away meanwhile: its file stays, and is swept where it was not.
    if (!input || error instanceof ApiError) for (const { scanId } of stored) await services.files.remove(importName(scanId));
    throw error;
  }
}

/** Reads the parts in whichever order they come. Each file is in `stored` once it lies in the store. */
async function readForm(services: Services, request: FastifyRequest, stored: StoredFile[]): Promise<NewImport> {
  const { maxImportBytes } = services;
  if (Number(request.headers["content-length"]) > maxImportBytes + roomForFields) throw tooLarge(maxImportBytes);
  const fields = new Map<string, string>();
  try {
    for await (const part of request.parts({ limits: { ...limits, fileSize: maxImportBytes + 1 } })) {
      if (part.type === "file") await keepFile(services, part, stored);
      else if (part.valueTruncated || part.fieldnameTruncated)
        throw new ApiError(400, "request.invalid", `${part.fieldname} is too long.`, { field: part.fieldname });
      else if (fields.has(part.fieldname)) throw new ApiError(400, "request.invalid", `${part.fieldname} is there twice.`, { field: part.fieldname });
      else fields.set(part.fieldname, String(part.value));
    }
  } catch (error) {
    throw explain(error);
  }
  return checkFields(Object.fromEntries(fields));
}

const roomForFields = 1024 ** 2;

async function keepFile(services: Services, part: MultipartFile, stored: StoredFile[]): Promise<void> {
  if (part.fieldname !== "file" || stored.length > 0) {
    part.file.resume();
    const message = part.fieldname === "file" ? "file is there twice: import one file at a time." : `${part.fieldname.slice(0, 100)} is not known here.`;
    throw new ApiError(400, "request.invalid", message, { field: part.fieldname.slice(0, 100) });
  }
  stored.push(await storeUpload(services, part.file, services.maxImportBytes));
}

function checkFields(given: Record<string, string>): NewImport {
  if (Object.values(given).some((value) => value.includes("\0")))
    throw new ApiError(400, "request.invalid", "A field holds a NUL character, which is not allowed.");
  const parsed = Fields.safeParse(given);
  if (parsed.success) return { type: parsed.data.scan_type, sourceId: parsed.data.source_id, target: parsed.data.target };
  const issue = parsed.error.issues[0];
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const field = unknown ?? String(issue?.path[0] ?? "");
  const message =
    unknown !== undefined ? `${unknown} is not known here.` : given[field] === undefined ? `${field} is missing.` : `${field}: ${issue?.message}.`;
  throw new ApiError(400, "request.invalid", message, { field });
}

/** The parser's own errors: a body that is cut off, has no boundary, or has more parts than there are. */
function explain(error: unknown): unknown {
  if (error instanceof ApiError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/^FST_(FILES|FIELDS|PARTS)_LIMIT$/.test(code))
    return new ApiError(400, "request.invalid", "The form has more parts than this operation knows.", { cause: error });
  const isParsing = /^FST_/.test(code) || (error instanceof Error && /multipart|boundary|header/i.test(error.message));
  if (isParsing) return new ApiError(400, "request.invalid", "The body is not a whole multipart form.", { cause: error });
  return error;
}
