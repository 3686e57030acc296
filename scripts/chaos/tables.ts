import type { NatsConnection } from '@nats-io/transport-node';
import { importNumbers } from '../engine/import-numbers.ts';

export interface TableOfPeople {
  name: string;
  rows: number;
  /** Of a batch over it; null: as fast as the carrier takes it. */
  ratePerSecond: number | null;
  /** How often, beside the others. */
  weight: number;
}

/** Batches of different sizes, of which each goes on for some seconds. */
export const TABLES: readonly TableOfPeople[] = [
  { name: 'tiny', rows: 30, ratePerSecond: 5, weight: 15 },
  { name: 'small', rows: 400, ratePerSecond: 50, weight: 25 },
  { name: 'medium', rows: 3_000, ratePerSecond: 400, weight: 25 },
  { name: 'fast', rows: 4_000, ratePerSecond: null, weight: 15 },
  { name: 'large', rows: 9_000, ratePerSecond: 1_000, weight: 15 },
  // Of several tasks.
  { name: 'huge', rows: 24_000, ratePerSecond: 4_000, weight: 5 },
];

/** A valid British mobile number for each index below ten million, as digits. */
export const phoneOf = (index: number): string => `4473${String(index).padStart(8, '0')}`;

/** A table of the first `rows` numbers. */
export async function importTable(nc: NatsConnection, name: string, rows: number): Promise<void> {
  const numbers = Array.from({ length: rows }, (_, index) => `+${phoneOf(index)}`);
  await importNumbers(nc, name, numbers);
}

export async function importTables(nc: NatsConnection): Promise<void> {
  for (const { name, rows } of TABLES) await importTable(nc, name, rows);
}
