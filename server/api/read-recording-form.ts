import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { ApiError } from "../errors/api-error.ts";
import { explainFormError } from "../http/multipart-form.ts";
import { maxRecordingBytes } from "../targets/read-recording.ts";

export const RecordingForm = z.strictObject({
  file: z.string().meta({ format: "binary" }).describe("A Selenium IDE project (`.side`) with one test, which logs in: at most 1 MiB."),
});

/** One file alone; what is too many is there to be refused by name. */
const limits = { fields: 20, fieldSize: 100, fieldNameSize: 100, files: 2, headerPairs: 50, fileSize: maxRecordingBytes + 1 };

/** The one file of the form. Throws 400 where the form is not whole or has anything else, 413 where the file is too large. */
export async function readRecordingForm(request: FastifyRequest): Promise<Buffer> {
  let found: Buffer | undefined;
  try {
    for await (const part of request.parts({ limits })) {
      const field = part.fieldname.slice(0, 100);
      const refuse = (message: string) => new ApiError(400, "request.invalid", message, { field });
      if (field !== "file") throw refuse(`${field} is not known here.`);
      if (part.type !== "file") throw refuse("file: send it as a file, with a file name.");
      if (found) throw refuse("file is there twice.");
      found = await part.toBuffer();
      if (found.byteLength > maxRecordingBytes) throw new ApiError(413, "request.too_large", "file is larger than 1 MiB.", { field });
    }
  } catch (error) {
    throw explainFormError(error);
  }
  if (!found) throw new ApiError(400, "request.invalid", "file is missing: send it as the part of that name.", { field: "file" });
  return found;
}
