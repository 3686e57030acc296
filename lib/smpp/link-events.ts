import type { CloseReason } from './session-options.ts';

export interface LinkEvents {
  onBound(peerSystemId: string): void;
  onBindRefused(commandStatus: number): void;
  onPeerUnbound(): void;
  /** Once, after every message that was out has been reported. */
  onClosed(reason: CloseReason, detail: string): void;
}
