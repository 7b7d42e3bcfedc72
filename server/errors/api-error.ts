/** An error for the client. `message` is for a person and names what is allowed; `cause` is for the log alone. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  constructor(status: number, code: string, message: string, details: { field?: string; cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.field = details.field;
  }
}

/** 404, also for what belongs to another workspace. `noun` is such as `scan`; `field` is where the request names it. */
export const notFound = (noun: string, field?: string): ApiError =>
  new ApiError(404, `${noun}.not_found`, `There is no such ${noun}${field ? `: ${field}` : ""}.`, field ? { field } : {});

/** 409: the attempt is not the task's newest, or the task is over. The worker drops it. */
export const attemptOver = (): ApiError => new ApiError(409, "attempt.over", "This attempt is over: the task has ended or was given to another attempt.");
