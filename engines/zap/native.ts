import type { NativeFormat } from "../kit/engine.ts";

/** ZAP's own JSON report with requests and responses (`traditional-json-plus`), a site each target, so that what reads ZAP's reports reads this. */
export const native: NativeFormat = {
  contentType: "application/json",
  extension: "json",
  head: ({ engineVersion, finishedAt }) =>
    `{"@programName":"ZAP","@version":${JSON.stringify(engineVersion.replace(/^ZAP /, ""))},"@generated":${JSON.stringify(finishedAt.toUTCString())},"site":[\n`,
  separator: ",\n",
  tail: () => "\n]}\n",
};
