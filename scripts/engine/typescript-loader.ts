/** In a test run what it has compiled; not in another checkout that a test may start programs of. */
const isCompiled = process.env.SMSBATCH_TEST_COMPILED?.startsWith(`${new URL('../../', import.meta.url)} `);

/** For `node`: so that it runs a TypeScript program of this project. */
export const TYPESCRIPT = isCompiled
  ? ['--enable-source-maps', '--import', new URL('../testing/compiled.mjs', import.meta.url).href]
  : ['--import', import.meta.resolve('tsx')];
