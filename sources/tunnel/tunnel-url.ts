/**
 * Where the tunnel is, as an http(s) URL: the form that request tokens are signed for. `tunnel.url` when it is written (ws and
 * wss are taken too), else `<saas_url>/edge/tunnel`; the schema of agent.yaml lets through nothing that has neither.
 */
export function tunnelUrl(written: string | undefined, saasUrl: string | undefined): URL {
  if (written === undefined && saasUrl === undefined)
    throw new Error('expected tunnel.url or saas_url, found neither');
  const url = new URL(written ?? `${(saasUrl as string).replace(/\/+$/, '')}/edge/tunnel`);
  return new URL(url.href.replace(/^ws/, 'http'));
}

/** For messages: as a WebSocket URL, without a query. */
export function shownTunnelUrl(url: URL): string {
  return `${url.protocol === 'https:' ? 'wss' : 'ws'}://${url.host}${url.pathname}`;
}
