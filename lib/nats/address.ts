export interface NatsAddress {
  servers: string[];
  user?: string;
  password?: string;
  token?: string;
  tls: boolean;
}

/**
 * Reads `nats://user:password@host:4222,nats://other`, as the `nats` CLI and the other clients do; the one for Node takes
 * host and port from an address and silently drops its login and its `tls://`.
 */
export function parseNatsUrl(url: string): NatsAddress {
  const address: NatsAddress = { servers: [], tls: false };
  for (const each of url.split(',').flatMap((part) => part.trim() || [])) {
    const [, scheme, user, password, host = ''] =
      /^(?:(\w+):\/\/)?(?:([^:@/]*)(?::([^@/]*))?@)?([^/]*)/.exec(each) ?? [];
    if (host === '') throw new Error(`NATS address ${withoutLogin(each)}: the host is missing`);
    address.servers.push(host);
    if (scheme === 'tls' || scheme === 'wss') address.tls = true;
    if (user && password !== undefined) {
      address.user = decodeURIComponent(user);
      address.password = decodeURIComponent(password);
    } else if (user) address.token = decodeURIComponent(user);
  }
  return address;
}

/** For logs and errors: an address may carry a password. */
export function withoutLogin(url: string): string {
  return url.replace(/\/\/[^@/,]*@/g, '//***@');
}
