export const TUNNEL_PATH = '/edge/tunnel';

/** `http://host` is `ws://host`, `https://host` is `wss://host`. */
export function webSocketOrigin(origin: string): string {
  return origin.replace(/^http/, 'ws');
}
