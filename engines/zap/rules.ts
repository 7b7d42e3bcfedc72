export const rules: Record<
  string,
  {
    title: string;
    threatLevel: "NONE" | "LOW" | "MEDIUM" | "HIGH" | "CRITICAL";
    description: string;
    solution: string;
    references: string[];
    kind: "passive" | "active";
  }
> = {};
