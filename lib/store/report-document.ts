/** What a dry run found; `_id` = life id of the (shadow) batch. Written by the steps, bounded. */
export interface ReportDocument {
  _id: string;
  batchId: string;
  /** Raised with each task that is added. */
  version: number;
  /** Preparation tasks whose findings are in. */
  tasks: number[];
  total: number;
  segmentHistogram: Record<string, number>;
  encodings: Record<string, number>;
  samples: { phone: string; text: string; encoding: string; segments: number }[];
  badRows: { phone: string; outcome: string; code: string; chunk: number; position: number }[];
  badRowsTotal: number;
  createdAt: number;
}
