const digits = { scan: "8001", result: "8002", risk: "8003", observation: "8004", report: "8005", source: "8006", schedule: "8007", run: "8008" };

/** An id that is the same on every installation, and in order of its number. */
export const sampleId = (noun: keyof typeof digits, number: number): string => `01900000-0000-7000-${digits[noun]}-${`${number}`.padStart(12, "0")}`;

/** So many minutes after the sample's first scan. */
export const sampleTime = (minutes: number): string => new Date(Date.UTC(2026, 0, 15, 9) + minutes * 60_000).toISOString();
