/** What the server answered instead of what was asked for. `code` is stable; `message` is a sentence. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  readonly requestId: string | undefined;
  constructor(status: number, problem: { code: string; message: string; field?: string; request_id?: string }) {
    super(problem.message);
    this.status = status;
    this.code = problem.code;
    this.field = problem.field;
    this.requestId = problem.request_id;
  }
}

/** The server could not be reached at all. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

export async function readProblem(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    return new ApiError(response.status, error);
  } catch {
    return new ApiError(response.status, { code: "server.unknown", message: `The server answered ${response.status} with something that is not its own.` });
  }
}
