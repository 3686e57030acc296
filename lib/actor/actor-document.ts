/** What the runtime keeps in an actor's document beside its state (design: "The actor's turn"). */
export interface ActorDocument<Effect = unknown> {
  _id: string;
  /** Raised by every write; each write is filtered on the one before. */
  version: number;
  /** Stream sequence and server time (ms) of the last command that was done. */
  lastCommandSeq: number;
  lastCommandAt: number;
  /** Effects of this version, in order. */
  outbox: Effect[];
  publishedVersion: number;
  unpublished: boolean;
}

/** Where a command stands in its stream. */
export interface CommandMark {
  seq: number;
  /** Server time, ms since 1970. */
  atMs: number;
}

/**
 * Whether a command was done before. Both marks are compared: a restored stream counts its sequences anew, and its new
 * messages are younger than anything that was done.
 */
export const wasDone = (doc: ActorDocument, mark: CommandMark): boolean =>
  mark.seq <= doc.lastCommandSeq && mark.atMs <= doc.lastCommandAt;
