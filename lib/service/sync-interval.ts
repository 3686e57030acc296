import type { Logger } from 'pino';

/**
 * JetStream acknowledges two minutes before it syncs, unless `sync_interval: always` is set: a power cut loses what was
 * acknowledged (Jepsen, nats-server 2.12.1). It can be read only from the monitoring port.
 */
export async function tellSyncInterval(monitorUrl: string | undefined, log: Logger): Promise<void> {
  if (!monitorUrl) {
    log.info('sync_interval of JetStream: not checked (NATS_MONITOR_URL is not set)');
    return;
  }
  try {
    const response = await fetch(new URL('/jsz?config=true', monitorUrl), {
      signal: AbortSignal.timeout(2_000),
    });
    const { config } = (await response.json()) as {
      config?: { sync_interval?: number; sync_always?: boolean };
    };
    if (config?.sync_always) log.info('sync_interval of JetStream: always');
    else
      log.warn(
        { syncInterval: config?.sync_interval },
        'sync_interval of JetStream is not `always`: a power cut may lose acknowledged messages',
      );
  } catch (err) {
    log.warn(
      { err, monitorUrl },
      'sync_interval of JetStream: not checked, the monitoring port does not answer',
    );
  }
}
