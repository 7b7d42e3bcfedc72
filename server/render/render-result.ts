import type { ScanDocument } from "@periscan/contract/scan-document.ts";
export const renderResult = async (_kind: string, document: ScanDocument) => JSON.stringify(document);
