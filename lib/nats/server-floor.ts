import type { ServerInfo } from '@nats-io/transport-node';

/** Message schedules that can be cancelled in one step came with 2.14, whose API level is 4. */
export const minimumServer = { version: '2.14', apiLevel: 4 };

/** @throws Error that names the version found and the version needed. */
export function refuseOldServer(
  info: Pick<ServerInfo, 'version' | 'api_lvl' | 'server_name'> | undefined,
): void {
  const level = info?.api_lvl ?? 0;
  if (level >= minimumServer.apiLevel) return;
  throw new Error(
    `nats-server ${info?.version ?? '(unknown version)'} (${info?.server_name ?? 'unnamed'}) is too old: ` +
      `its JetStream API level is ${level}; smsbatch needs level ${minimumServer.apiLevel}, ` +
      `that is nats-server ${minimumServer.version} or later`,
  );
}
