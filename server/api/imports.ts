import multipart from "@fastify/multipart";
import { Scan } from "@periscan/contract/scan.ts";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../errors/api-error.ts";
import { answerOnce, OnceHeaders } from "../http/answer-once.ts";
import { requireKey } from "../http/authenticate.ts";
import { readsForm, requireForm } from "../http/multipart-form.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { createImportIn, type StoredFile, storeUpload } from "../imports/create-import.ts";
import { type ImportFields, ImportForm, readImportForm } from "../imports/read-import-form.ts";
import { checkStorage } from "../limits/quotas.ts";
import { importName } from "../outcomes/import-file.ts";
import { presentScans, shownAlone } from "../present/present-scan.ts";
import type { Services } from "../services.ts";

const One = z.object({ data: Scan });

export async function addImportRoutes(app: TypedApp, services: Services): Promise<void> {
  await app.register(multipart, { throwFileSizeLimit: false });

  app.post(
    "/v1/results",
    {
      onRequest: [requireKey(services), requireForm],
      config: { maxFileBytes: services.maxImportBytes, turn: "none" },
      ...readsForm,
      schema: {
        ...operation({
          tag: "results",
          summary: "Import a file of an engine as a scan",
          headers: OnceHeaders,
          body: ImportForm,
          answer: One,
          errors: [400, 403, 404, 409, 413, 415, 507],
        }),
        consumes: ["multipart/form-data"],
      },
    },
    async (request, reply) => importForm(services, request, reply),
  );
}

/** Keeps the file where a scan is made of it, and only there: what was imported before with the same Idempotency-Key has its file already. */
async function importForm(services: Services, request: FastifyRequest, reply: FastifyReply): Promise<z.infer<typeof One>> {
  let stored: StoredFile | undefined;
  let fields: ImportFields | undefined;
  try {
    // Before the file is read: one that has no room is not to fill the disk first.
    await services.db.transaction((tx) => checkStorage(tx, request.workspaceId));
    fields = await readImportForm(request, async (upload, maxBytes) => {
      stored = await storeUpload(services, upload, maxBytes);
    });
    const file = stored as unknown as StoredFile;
    const input = fields;
    const of = { ...input, file: file.sha256.toString("hex") };
    const answer = await answerOnce(services.db, { request, reply, of }, async (tx) => {
      const id = await createImportIn(tx, { workspaceId: request.workspaceId, fields: input, file });
      const [made] = await presentScans(tx, [id], shownAlone);
      return { data: made as Scan };
    });
    if (answer.data.id !== file.scanId) await services.files.remove(importName(file.scanId));
    else services.bell.ring();
    return answer;
  } catch (error) {
    // Whether the scan was made is not known where the database went away meanwhile: its file stays, and is swept where it was not.
    if (stored && (!fields || error instanceof ApiError)) await services.files.remove(importName(stored.scanId));
    throw error;
  }
}
