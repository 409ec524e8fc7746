import type { Executor } from '../reconciler/ports.ts';
import { didNotStart } from './process.ts';
import { freeLoopbackPort } from './service-port.ts';
import { withPort } from './service-process.ts';

/**
 * `runtime: service`, as far as it is a program that is prepared and that runs once: its health check, beside the service
 * and with a port of its own. What is kept running is started by `createServiceLauncher`.
 */
export function createServiceExecutor(program: Executor, now: () => Date = () => new Date()): Executor {
  return {
    runtime: 'service',
    supports: program.supports,
    prepare: program.prepare,
    async start(request, settings) {
      if (request.args !== undefined) {
        return program.start(withPort(request, await freeLoopbackPort()), settings);
      }
      const message = `flow ${request.spec.id} is a service: the agent keeps it running, and nothing triggers it; "edge-agent status" says where it answers`;
      return didNotStart(message, now(), now());
    },
  };
}
