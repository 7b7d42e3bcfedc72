import type { NewReport } from "@periscan/contract/report.ts";
import { isFinalState, type NewScan, type Scan, type ScanType } from "@periscan/contract/scan.ts";
import type { NewSource } from "@periscan/contract/source.ts";
import type { KnownTargetLogin, NewTarget, TargetLogin, TargetUpdate } from "@periscan/contract/target.ts";
import type { FastifyReply, FastifyRequest } from "fastify";
import { readRecordingForm } from "../api/read-recording-form.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { answerFile } from "../http/send-file.ts";
import { readImportTarget } from "../imports/create-import.ts";
import { readImportForm, tooLarge } from "../imports/read-import-form.ts";
import { readNewScan } from "../scans/create-scan.ts";
import { readRecording } from "../targets/read-recording.ts";
import { canonicalTexts, readTarget, requireChange } from "../targets/read-targets.ts";
import { makeSamplePage } from "./sample-page.ts";
import { askForSampleReport, findSampleReport, sampleReports } from "./sample-reports.ts";
import { findSampleFile } from "./sample-results.ts";
import { sampleRisks } from "./sample-risks.ts";
import { finishedSamples, sampleScans } from "./sample-scans.ts";
import { listSampleRuns, sampleSchedules } from "./sample-schedules.ts";
import { sampleSources } from "./sample-sources.ts";
import { sampleLogin, sampleObservations, sampleTargets } from "./sample-targets.ts";

/** Comes after the operation's own schema has checked the request, and its answer goes through the operation's own schema. Touches no database. */
export type SampleAnswer = (request: FastifyRequest, reply: FastifyReply) => unknown;

function find<R extends { id: string }>(noun: string, rows: R[], request: FastifyRequest): R {
  const { id } = request.params as { id: string };
  const row = rows.find((each) => each.id === id);
  if (!row) throw notFound(noun);
  return row;
}

const newestRisks = sampleRisks.toReversed();
const risks = newestRisks.map(({ risk }) => risk);

const scansOfRisk = (id: string): string[] =>
  sampleScans.filter((scan) => Object.values(scan.risks).some((list) => list.some(({ risk_id }) => risk_id === id))).map((scan) => scan.id);

const findFinished = (type: ScanType): Scan | undefined => finishedSamples.find(({ scan }) => scan.type === type)?.scan;

const scanAnswers: Record<string, SampleAnswer> = {
  "POST /v1/scans": ({ body }) => {
    readNewScan(body as NewScan);
    return { data: findFinished((body as NewScan).type) };
  },
  "GET /v1/scans": ({ query }) => makeSamplePage(sampleScans, query),
  "GET /v1/scans/:id": (request) => ({ data: find("scan", sampleScans, request) }),
  "GET /v1/scans/:id/targets": (request) => {
    const targets = find("scan", sampleScans, request).targets.map((each) => ({ ...each, id: each.target_id }));
    const page = makeSamplePage(targets, request.query);
    return { ...page, data: page.data.map(({ id: _id, ...each }) => each) };
  },
  "POST /v1/scans/:id/cancel": (request) => {
    const scan = find("scan", sampleScans, request);
    if (isFinalState(scan.state)) throw new ApiError(409, "scan.ended", `The scan has ended already: it is ${scan.state}.`);
    const cancelled: Scan = { ...scan, state: "FAILED", error: { code: "scan.cancelled", message: "The scan was cancelled." } };
    return { data: cancelled };
  },
};

const sendResult: SampleAnswer = async (request, reply) => {
  const file = await findSampleFile((request.params as { id: string }).id);
  if (!file) throw notFound("result");
  return answerFile(reply, file);
};

const sendReport: SampleAnswer = async (request, reply) => {
  const file = await findSampleReport((request.params as { id: string }).id);
  if (!file) throw notFound("report");
  return answerFile(reply, file);
};
const askForReport: SampleAnswer = ({ body }) => askForSampleReport(body as NewReport);

const reportAnswers: Record<string, SampleAnswer> = {
  "POST /v1/reports": askForReport,
  "POST /v1/report": askForReport,
  "GET /v1/reports": ({ query }) => makeSamplePage(sampleReports, query),
  "GET /v1/reports/:id": sendReport,
  "GET /v1/report/:id": sendReport,
  "GET /v1/reports/:id/state": (request) => ({ data: find("report", sampleReports, request) }),
};

const findSource = (id: string, field?: string) => {
  const source = sampleSources.find((each) => each.id === id);
  if (!source) throw notFound("source", field);
  return source;
};

const importAnswers: Record<string, SampleAnswer> = {
  "POST /v1/sources": ({ body }) => ({ data: { ...sampleSources[0], ...(body as NewSource) } }),
  "GET /v1/sources": ({ query }) => makeSamplePage(sampleSources, query),
  "GET /v1/sources/:id": ({ params }) => ({ data: findSource((params as { id: string }).id) }),
  "DELETE /v1/sources/:id": ({ params }, reply) => {
    findSource((params as { id: string }).id);
    return reply.code(200).send();
  },
  // The file is read to its end and thrown away; the scan is the sample's of that type.
  "POST /v1/results": async (request) => {
    const fields = await readImportForm(request, async (upload, maxBytes) => {
      let bytes = 0;
      for await (const chunk of upload as AsyncIterable<Uint8Array>) {
        bytes += chunk.byteLength;
        if (bytes > maxBytes) throw tooLarge(maxBytes);
      }
    });
    readImportTarget(fields);
    const { id: source_id } = findSource(fields.source_id, "source_id");
    return { data: { ...findFinished(fields.scan_type), source_id } };
  },
};

const scheduleAnswers: Record<string, SampleAnswer> = {
  "GET /v1/schedules": ({ query }) => makeSamplePage(sampleSchedules, query),
  "GET /v1/schedules/:id": (request) => ({ data: find("schedule", sampleSchedules, request) }),
  "GET /v1/schedules/:id/runs": (request) => makeSamplePage(listSampleRuns(find("schedule", sampleSchedules, request)), request.query),
};

/** The sample data has none of these. */
const emptyLists: Record<string, SampleAnswer> = Object.fromEntries(
  ["webhooks", "notifications"].map((noun) => [`GET /v1/${noun}`, ({ query }: FastifyRequest) => makeSamplePage([], query)]),
);

/** The query with the targets of this filter as their one canonical form. */
function withCanonicalTargets(query: unknown, key: "target" | "target.target"): object {
  const { filters, ...rest } = query as { filters: Record<string, string[] | undefined> };
  return { ...rest, filters: { ...filters, [key]: filters[key]?.flatMap(canonicalTexts) } };
}

const targetAnswers: Record<string, SampleAnswer> = {
  "GET /v1/targets": ({ query }) => makeSamplePage(sampleTargets, withCanonicalTargets(query, "target")),
  "GET /v1/targets/:id": (request) => ({ data: find("target", sampleTargets, request) }),
  "POST /v1/targets": ({ body }) => {
    const { target, label = "", tags = [] } = body as NewTarget;
    // The id of one that is there, so that a client may go on with it.
    return { data: { id: sampleTargets[0]?.id, target: readTarget(target), label, tags: [...new Set(tags)] } };
  },
  "PUT /v1/targets/:id": (request) => {
    const change = request.body as TargetUpdate;
    requireChange(change);
    return { data: { ...find("target", sampleTargets, request), ...change, ...(change.tags ? { tags: [...new Set(change.tags)] } : {}) } };
  },
  "DELETE /v1/targets/:id": (request, reply) => {
    find("target", sampleTargets, request);
    return reply.code(200).send();
  },
  "GET /v1/targets/:id/observations": (request) => {
    const { id } = find("target", sampleTargets, request);
    const page = makeSamplePage(
      sampleObservations.filter(({ target_id }) => target_id === id),
      request.query,
      { kind: ({ seen }) => seen.kind },
    );
    return { ...page, data: page.data.map(({ target_id: _target, ...observation }) => observation) };
  },
  "GET /v1/targets/:id/auth": (request) => ({ data: findLogin(request) }),
  "PUT /v1/targets/:id/auth": (request) => {
    find("target", sampleTargets, request);
    const { kind, name } = request.body as TargetLogin;
    return { data: { kind, name, updated_at: sampleLogin.updated_at } };
  },
  "POST /v1/targets/:id/auth/selenium": async (request) => {
    const { target } = find("target", sampleTargets, request);
    const { name } = readRecording(await readRecordingForm(request), target);
    return { data: { kind: "recording", name, updated_at: sampleLogin.updated_at } };
  },
  "DELETE /v1/targets/:id/auth": (request, reply) => {
    findLogin(request);
    return reply.code(200).send();
  },
};

function findLogin(request: FastifyRequest): KnownTargetLogin {
  const { id } = find("target", sampleTargets, request);
  const { targetId, ...login } = sampleLogin;
  if (id !== targetId) throw notFound("login");
  return login;
}

const riskAnswers: Record<string, SampleAnswer> = {
  "GET /v1/risks": ({ query }) => {
    const wanted = withCanonicalTargets(query, "target.target");
    return makeSamplePage(risks, wanted, { scan_id: ({ id }) => scansOfRisk(id), "target.target": ({ target }) => target });
  },
  "GET /v1/risks/:id": (request) => {
    const risk = find("risk", risks, request);
    return { data: { ...risk, evidence: newestRisks.find((each) => each.risk === risk)?.evidence } };
  },
};

/**
 * What `test-data-key` is answered, by operation. A new operation adds its line here, and its data in a file of its noun; what has no line says that there is no
 * sample data for it.
 */
export const sampleAnswers: Record<string, SampleAnswer> = {
  ...scanAnswers,
  ...targetAnswers,
  ...riskAnswers,
  ...reportAnswers,
  ...importAnswers,
  ...scheduleAnswers,
  ...emptyLists,
  "GET /v1/results/:id": sendResult,
  "GET /v1/scans/results/:id": sendResult,
};
