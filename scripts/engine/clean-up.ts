/** What has to be ended, in reverse order, however the script ends. (Node 20 has no AsyncDisposableStack.) */
export class CleanUp implements AsyncDisposable {
  readonly #undo: (() => unknown)[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.#undo.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        await undo();
      } catch (error) {
        process.stderr.write(`clean-up: ${error instanceof Error ? error.message : error}\n`);
      }
    }
  }
}
