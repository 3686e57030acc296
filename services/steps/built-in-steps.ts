import { cleanupStep } from './cleanup/step.ts';
import { partitionStep } from './partition/step.ts';
import { preparationStep } from './preparation/step.ts';
import { statisticsStep } from './statistics/step.ts';
import type { Step } from './step.ts';
import { validationStep } from './validation/step.ts';

/** The built-in steps that need nothing but the store; `delivery` brings its own surroundings. */
export const PLAIN_STEPS: readonly Step[] = [
  validationStep,
  partitionStep,
  preparationStep,
  statisticsStep,
  cleanupStep,
];
