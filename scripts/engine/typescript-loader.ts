/** For `node`: so that it runs a TypeScript program of this project; in a test run what the run has compiled. */
export const TYPESCRIPT = [
  ...(process.env.SMSBATCH_TEST_COMPILED ? ['--enable-source-maps'] : []),
  '--import',
  process.env.SMSBATCH_TEST_COMPILED
    ? new URL('../testing/compiled.mjs', import.meta.url).href
    : import.meta.resolve('tsx'),
];
