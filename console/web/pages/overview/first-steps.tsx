import type { Verdict } from '../../../../schemas/console/overview.ts';
import { Command } from '../../parts/copied.tsx';
import { Link } from '../../parts/link.tsx';
import { Card } from '../../parts/page.tsx';
import { en } from '../../text/en/overview.ts';
import { fr } from '../../text/fr/overview.ts';
import { useText } from '../../text/language.tsx';

const ADD_TENANT = 'edge-console tenant add acme --root 1.root.jws.json';
const PUBLISH = 'git push origin tenant/acme';

/** For whoever opens an empty console: how the first machine comes to be here. */
export function FirstSteps({ code }: { code: Verdict['code'] }) {
  const { start } = useText({ en, fr });
  return (
    <Card title={start.title}>
      <ol class="first-steps">
        {code === 'no_tenants' ? (
          <li>
            <strong>{start.tenant}</strong>
            <p class="quiet">{start.tenantMore}</p>
            <Command text={ADD_TENANT} />
          </li>
        ) : null}
        <li>
          <strong>{start.publish}</strong>
          <p class="quiet">{start.publishMore}</p>
          <Command text={PUBLISH} />
        </li>
        <li>
          <strong>{start.enrol}</strong>
          <p class="quiet">{start.enrolMore}</p>
          {code === 'no_tenants' ? null : (
            <p>
              <Link class="button is-main" to="/tokens">
                {start.enrolAction}
              </Link>
            </p>
          )}
        </li>
      </ol>
    </Card>
  );
}
