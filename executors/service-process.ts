import type { Executor, RunRequest, RunResult, ServiceLauncher } from '../reconciler/ports.ts';
import { freeLoopbackPort } from './service-port.ts';
import { probePort } from './service-probe.ts';

/** The end of a process is explained with so much of what it printed last. */
const SAID_CHARACTERS = 500;

/**
 * Starts services as runs without an end, by an executor that keeps their newest output (`captureLatest`) and runs `.py`
 * under Python, anything else as it is.
 */
export function createServiceLauncher(program: Executor): ServiceLauncher {
  return {
    async launch(request, settings) {
      const port = await freeLoopbackPort();
      const handle = await program.start(withPort(request, port), settings);
      return {
        process: handle.process,
        port,
        ended: handle.done.then(sentence),
        probe: (path, timeoutMs, signal) => probePort(port, path, timeoutMs, signal),
        stop: handle.cancel,
      };
    },
  };
}

/** The agent's choice wins over what the flow's own `env` says. */
export function withPort(request: RunRequest, port: number): RunRequest {
  const name = request.spec.service?.port_env ?? 'PORT';
  return { ...request, spec: { ...request.spec, env: { ...request.spec.env, [name]: String(port) } } };
}

function sentence({ reason, stdout, stderr }: RunResult): string {
  const decoder = new TextDecoder();
  const said = decoder.decode(stderr.length > 0 ? stderr : stdout).trim();
  const last = said.slice(-SAID_CHARACTERS).trim();
  return `${reason ?? 'exit code 0'}${last === '' ? '' : ` (${last})`}`;
}
